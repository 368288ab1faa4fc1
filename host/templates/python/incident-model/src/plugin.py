"""The incident model @name@: something goes wrong on any target now and then. Put your own troubles in its place."""

from telemill import DAY, MINUTE, effect, incident, incident_model, process, stream

TROUBLE = process("trouble")
KIND = "trouble"


class Plugin:
    """Trouble now and then: a signal of a target grows for some minutes."""

    name = "@name@"
    version = "0.1.0"
    summary = "Trouble now and then: a signal of a target grows for some minutes"
    examples = {"often": {"per_day": 12}}
    kinds = {KIND: "A signal grows"}

    schema = {
        "properties": {
            "per_day": {"type": "integer", "minimum": 0, "maximum": 1000, "default": 3, "description": "Incidents in a UTC day"},
            "factor": {"type": "number", "minimum": 1, "default": 3, "description": "What the signal is multiplied with"},
        }
    }

    def __init__(self, config, seed, span, targets):
        """`targets` are the generator's: name, parents, signals, attributes."""
        self.config = config
        self.seed = seed
        self.targets = {target.name: target for target in targets if target.signals}

    def trouble(self, id, target, start, end):
        bent = effect(
            target.name, target.signals[0], self.config["factor"], start, end + 5 * MINUTE,
            full=min(start + MINUTE, end), release=end,
        )
        return incident(id, KIND, f"Trouble with {target.name}", [bent], attributes={"target": target.name})

    def plan(self, day):
        """The incidents of one UTC day follow from seed and date alone; days come in any order."""
        number = day.start // DAY
        for index in range(self.config["per_day"] if self.targets else 0):
            draw = stream(self.seed, TROUBLE, index, number)
            target = draw.pick(list(self.targets.values()))
            start = day.start + draw.below(23 * 60) * MINUTE
            yield self.trouble(f"@name@-{number}-{index}", target, start, start + (5 + draw.below(16)) * MINUTE)

    def trigger(self, kind, name, window):
        """One by hand, from an [[incident]] of a spec."""
        if kind != KIND or name not in self.targets:
            raise ValueError(f"{kind} on {name}: there is {KIND}, on a target with a signal")
        return [self.trouble(f"@name@-hand-{name}-{window.start}", self.targets[name], window.start, window.end)]


About, IncidentModel = incident_model(Plugin)
