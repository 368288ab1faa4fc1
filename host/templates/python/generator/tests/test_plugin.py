import unittest

from plugin import Plugin
from telemill import effect, incident
from telemill.testing import run

CONFIG = {"sensors": 5, "celsius": 21.0}


class Laws(unittest.TestCase):
    def test_partitions_and_windows_make_the_same_rows(self):
        def made(**cut):
            return sorted(map(repr, run(Plugin, CONFIG, **cut)["readings"]))

        self.assertEqual(len(made()), 5 * 60)
        self.assertEqual(made(), made(partitions=3, windows=7))

    def test_an_incident_moves_the_readings_and_is_blamed_for_it(self):
        hot = incident("I-1", "hot", "Hot", [effect("sensor-01", "heat", 3.0, 0, 600_000_000)])
        struck = [row for row in run(Plugin, CONFIG, incidents=[hot])["readings"] if row["incident_id"] == "I-1"]
        self.assertEqual(len(struck), 60)
        self.assertTrue(all(row["sensor"] == "sensor-01" and row["celsius"] > 40.0 for row in struck))
