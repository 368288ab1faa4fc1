"""The validator comfort: homes are as warm as people want, unless an incident says why not."""

from telemill import Finding, Metric, validator


class Plugin:
    """Compares the columns `celsius` and `set_point` of the table `thermostats`. A reading that no incident explains may be off by
    `tolerance`; an incident has to be felt, or its label is worth nothing."""

    name = "comfort"
    version = "0.1.0"
    summary = "Homes are as warm as people want, unless an incident says why not"

    schema = {
        "properties": {
            "tolerance": {"type": "number", "minimum": 0, "default": 1.5, "description": "Degrees that a reading may be off"},
            "felt": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5,
                     "description": "The share of readings under an incident that has to be off by a degree"},
        }
    }

    def __init__(self, config, tables, window):
        self.tolerance = config["tolerance"]
        self.felt = config["felt"]
        there = any(table.name == "thermostats" for table in tables)
        self.selections = [("thermostats", ["set_point", "celsius", "incident_id"], [])] if there else []
        self.quiet = self.cold = self.struck = self.off = 0

    def observe(self, selection, batch):
        tolerance = self.tolerance
        for wanted, is_, incident in zip(batch["set_point"], batch["celsius"], batch["incident_id"]):
            difference = abs(is_ - wanted)
            if incident is None:
                self.quiet += 1
                self.cold += difference > tolerance
            else:
                self.struck += 1
                self.off += difference > 1.0

    def finish(self):
        if not self.selections:
            return [Finding("thermostats", "there is no table thermostats to look at")], []
        cold = Finding(
            "comfortable", f"{self.cold} of {self.quiet} readings are off by more than {self.tolerance} without an incident",
            "high" if self.cold else "info", "thermostats", "celsius", self.cold, self.quiet,
        )
        share = self.off / self.struck if self.struck else 1.0
        felt = Finding(
            "incidents-are-felt", f"{share:.0%} of {self.struck} readings under an incident are off by a degree",
            "high" if share < self.felt else "info", "thermostats", "celsius", self.struck - self.off, self.struck,
        )
        return [cold, felt], [Metric("felt", share)]


About, Validator = validator(Plugin)
