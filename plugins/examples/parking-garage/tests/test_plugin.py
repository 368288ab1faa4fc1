import unittest

from plugin import Plugin
from telemill import DAY, effect, incident
from telemill.testing import run

CONFIG = {"garages": 5, "mean_places": 100}


class Laws(unittest.TestCase):
    def test_partitions_and_windows_make_the_same_rows(self):
        def made(**cut):
            return sorted(map(repr, run(Plugin, CONFIG, **cut)["occupancy"]))

        self.assertEqual(made(), made(partitions=3, windows=7))

    def test_a_fair_fills_the_garages_and_is_blamed_for_it(self):
        fair = incident("FAIR", "fair", "A fair", [effect("city", "demand", 9.0, 0, DAY)])
        rows = run(Plugin, CONFIG, incidents=[fair], start=11 * DAY // 24, steps=60)["occupancy"]
        self.assertTrue(all(row["incident_id"] == "FAIR" and row["cars"] <= row["places"] for row in rows))
        self.assertTrue(any(row["turned_away"] > 0 for row in rows))
