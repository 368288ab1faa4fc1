"""The generator @name@: what the sensors of a building report. Put your own system in its place."""

import math

from telemill import SECOND, Noise, float64, generator, hour_of_day, process, signal, steps_of, table, target, text, timestamp

STEP = 10 * SECOND
NOISE = process("noise")


def sensor_name(index):
    return f"sensor-{index:02}"


class Plugin:
    """Temperatures that the sensors of a building report: a curve over the day, noise, and what incidents do."""

    name = "@name@"
    version = "0.1.0"
    summary = "Temperatures that the sensors of a building report"
    examples = {"few": {"sensors": 3}}

    # JSON Schema 2020-12 of the configuration; every property has a default.
    schema = {
        "properties": {
            "sensors": {"type": "integer", "minimum": 1, "maximum": 10000, "default": 20, "description": "How many sensors there are"},
            "celsius": {"type": "number", "minimum": -50, "maximum": 60, "default": 21, "description": "What they show on average"},
        }
    }

    @staticmethod
    def plan(config):
        """What is simulated: the grid of time, tables, and what incidents can bend."""
        return {
            "step": STEP,
            "tables": [
                table(
                    "readings",
                    "One reading of one sensor",
                    {
                        "at": timestamp("When it was taken", moved_by=[]),
                        "sensor": text("Which sensor", moved_by=[], owner=True),
                        "celsius": float64("Temperature", unit="Cel", moved_by=["heat"]),
                        "incident_id": text("The incident that bent it", nullable=True),
                    },
                    time_field="at",
                )
            ],
            "signals": [signal("heat", "What warms a sensor", table="readings", column="celsius", unit="Cel")],
            "targets": [target(sensor_name(i), ["heat"], attributes={"role": "sensor"}) for i in range(config["sensors"])],
        }

    def __init__(self, config, shard):
        """One partition of a run: the sensors that `shard.owns`. A value follows from seed, sensor and step alone."""
        self.celsius = config["celsius"]
        owned = [index for index in range(config["sensors"]) if shard.owns(index)]
        self.sensors = [(sensor_name(index), Noise(shard.seed, NOISE, index, 60)) for index in owned]

    def advance(self, window, rows, effects):
        push = rows["readings"].push
        for t, step in steps_of(window, STEP):
            day = 2.0 * math.sin((hour_of_day(t) - 9.0) / 12.0 * math.pi)
            for name, noise in self.sensors:
                heat = effects.at(name, "heat", t)
                base = self.celsius + day + 0.5 * noise.at(step)
                push(t, name, heat.apply(base), heat.blame(base))


About, Generator = generator(Plugin)
