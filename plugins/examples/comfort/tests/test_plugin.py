import unittest
from types import SimpleNamespace

from plugin import Plugin


class Laws(unittest.TestCase):
    def test_a_cold_home_needs_an_incident(self):
        for incident, severity in [(None, "high"), ("I-1", "info")]:
            judge = Plugin({"tolerance": 1.5, "felt": 0.5}, [SimpleNamespace(name="thermostats")], None)
            judge.observe(0, {"set_point": [20.0, 20.0], "celsius": [20.1, 15.0], "incident_id": [None, incident]})
            findings, _ = judge.finish()
            self.assertEqual(findings[0].severity, severity)
