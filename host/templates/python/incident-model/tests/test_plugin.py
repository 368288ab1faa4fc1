import unittest

from plugin import Plugin
from telemill import DAY, Window, target


class Laws(unittest.TestCase):
    def test_a_day_has_as_many_incidents_as_configured_the_same_every_time(self):
        def plan():
            model = Plugin({"per_day": 5, "factor": 3.0}, 1, Window(0, 2 * DAY), [target("a", ["load"])])
            return list(model.plan(Window(DAY, 2 * DAY)))

        self.assertEqual(len(plan()), 5)
        self.assertEqual(plan(), plan())
        self.assertTrue(all(DAY <= one.window.start < 2 * DAY for one in plan()))
