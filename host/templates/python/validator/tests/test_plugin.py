import unittest
from types import SimpleNamespace

from plugin import Plugin
from telemill import Window, float64, table


class Laws(unittest.TestCase):
    def test_missing_numbers_are_counted(self):
        readings = table("readings", "", {"value": float64("")})
        model = Plugin({"at_most": 0.1}, [readings], Window(0, 1))
        model.observe(0, SimpleNamespace(rows=4, columns={"value": [1.0, None, float("nan"), 4.0]}))
        findings, _ = model.finish()
        self.assertEqual((findings[0].failed, findings[0].checked, findings[0].severity), (2, 4, "high"))
