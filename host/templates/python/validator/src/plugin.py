"""The validator @name@: numbers that are not there, or no numbers. Put your own rule in its place."""

from math import isfinite

from telemill import Finding, Metric, validator
from wit_world.imports.types import DataType


class Plugin:
    """Looks at every column of numbers of every table, and fails where too many are missing or not finite."""

    name = "@name@"
    version = "0.1.0"
    summary = "Numbers are there, and are finite"

    schema = {
        "properties": {
            "at_most": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.05, "description": "The share of missing numbers that is fine"}
        }
    }

    def __init__(self, config, tables, window):
        """`tables` are those of the dataset. A selection says which columns of one you read, and in which order."""
        self.at_most = config["at_most"]
        numbers = [(t.name, [f.name for f in t.fields if f.data_type == DataType.FLOAT64]) for t in tables]
        self.selections = [(table, columns, []) for table, columns in numbers if columns]
        self.checked = [0] * len(self.selections)
        self.failed = [0] * len(self.selections)

    def observe(self, selection, batch):
        """Rows come in batches; keep counts rather than rows."""
        for values in batch.columns.values():
            self.checked[selection] += batch.rows
            self.failed[selection] += sum(1 for value in values if value is None or not isfinite(value))

    def finish(self):
        findings = []
        for (table, _, _), checked, failed in zip(self.selections, self.checked, self.failed):
            severity = "high" if failed > checked * self.at_most else "info"
            message = f"{failed} of {checked} numbers are missing or not finite"
            findings.append(Finding("numbers-are-there", message, severity, table, failed=failed, checked=checked))
        return findings, [Metric("tables", len(findings))]


About, Validator = validator(Plugin)
