"""The generator parking-garage: what the barriers and counters of a city's garages report. Cars come with the city's day, stay for
hours, and are turned away where a garage is full."""

import math

from telemill import (
    MINUTE, Noise, float64, generator, hour_of_day, int64, process, signal, steps_of, stream, table, target, text, timestamp,
    weekday,
)

STEP = 5 * MINUTE
GARAGE = process("garage")
CROWD = process("crowd")


def garage_name(index):
    return f"garage-{index + 1:03}"


class Plugin:
    """Garages differ in size, in how much they are liked, and in whether people shop or work around them. How full one is follows
    the hour and the weekday; the signal `demand` bends it, and what does not fit is turned away."""

    name = "parking-garage"
    version = "0.1.0"
    summary = "Garages of a city: cars inside, how full, how many were turned away"
    examples = {"a small town": {"garages": 3, "mean_places": 120}}

    schema = {
        "properties": {
            "garages": {"type": "integer", "minimum": 1, "maximum": 5000, "default": 40, "description": "Garages of the city"},
            "mean_places": {"type": "integer", "minimum": 10, "maximum": 5000, "default": 400, "description": "Places of a garage"},
        }
    }

    @staticmethod
    def plan(config):
        garages = [
            target(garage_name(i), ["demand"], parents=["city"], attributes={"role": "garage"}) for i in range(config["garages"])
        ]
        return {
            "step": STEP,
            "tables": [
                table(
                    "occupancy",
                    "One garage in five minutes",
                    {
                        "at": timestamp("The start of the five minutes", moved_by=[]),
                        "garage": text("Which garage", moved_by=[]),
                        "places": int64("Its places", moved_by=[]),
                        "cars": int64("Cars inside"),
                        "full": float64("The share of places taken", unit="%"),
                        "turned_away": float64("Cars that did not fit", unit="{car}"),
                        "incident_id": text("The incident that bent it", nullable=True),
                    },
                    time_field="at",
                    primary_key=["at", "garage"],
                )
            ],
            "signals": [signal("demand", "Cars that want in", table="occupancy", column="full", unit="%")],
            "targets": [*garages, target("city", ["demand"], attributes={"role": "system"})],
        }

    def __init__(self, config, shard):
        self.garages = []
        for index in range(config["garages"]):
            if shard.owns(index):
                draw = stream(shard.seed, GARAGE, index, 0)
                places = max(10, round(config["mean_places"] * math.exp(draw.normal(-0.125, 0.5))))
                liked, peak, works = draw.between(0.4, 0.85), draw.between(11.0, 16.0), draw.chance(0.5)
                noise = Noise(shard.seed, CROWD, index, 24)
                self.garages.append((garage_name(index), places, liked, peak, works, noise))

    def advance(self, window, rows, effects):
        push = rows["occupancy"].push
        for t, step in steps_of(window, STEP):
            hour, day = hour_of_day(t), weekday(t)
            for name, places, liked, peak, works, noise in self.garages:
                # Who works comes on weekdays, who shops on Saturdays.
                week = (1.0 if day < 5 else 0.25) if works else (1.3 if day == 5 else 0.3 if day == 6 else 0.8)
                base = liked * week * (0.06 + math.exp(-(((hour - peak) / 3.5) ** 2))) * math.exp(0.1 * noise.at(step))
                demand = effects.at(name, "demand", t)
                wanted = demand.apply(base) * places
                cars = min(places, round(wanted))
                push(t, name, places, cars, 100.0 * cars / places, max(0.0, wanted - places), demand.blame(base))


About, Generator = generator(Plugin)
