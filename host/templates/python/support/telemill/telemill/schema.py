"""Tables, fields, signals and targets as the contract declares them; what is not said has a default."""

from wit_world.imports import types
from wit_world.imports.types import DataType, TableKind


def _attributes(pairs) -> list:
    return [types.Attribute(name, str(value)) for name, value in dict(pairs or {}).items()]


def _field(data_type):
    # `moved_by` names the signals that may move the column, `[]` for none; with `owner`, the column names the target that a
    # row belongs to: effects on others leave the row as it is. The conformance check holds the model to both.
    def declare(
        summary: str, *, nullable: bool = False, unit: str | None = None, attributes=None, moved_by=None, owner: bool = False
    ):
        moved = {} if moved_by is None else {"moved_by": ", ".join(moved_by)}
        owned = {"owner": "target"} if owner else {}
        pairs = dict(attributes or {}) | moved | owned
        return lambda name: types.Field(name, data_type, nullable, unit, summary, _attributes(pairs))

    return declare


boolean = _field(DataType.BOOLEAN)
int32 = _field(DataType.INT32)
int64 = _field(DataType.INT64)
float32 = _field(DataType.FLOAT32)
float64 = _field(DataType.FLOAT64)
text = _field(DataType.UTF8)
date = _field(DataType.DATE)
timestamp = _field(DataType.TIMESTAMP)


def table(name: str, summary: str, fields: dict, *, time_field=None, primary_key=(), snapshot=False, attributes=None):
    """A table: `table("readings", "what it holds", {"at": timestamp("when")}, time_field="at")`."""
    declared = [declare(field) for field, declare in fields.items()]
    kind = TableKind.SNAPSHOT if snapshot else TableKind.EVENTS
    return types.Table(name, summary, kind, declared, list(primary_key), time_field, _attributes(attributes))


def signal(name: str, summary: str, *, table: str, column: str, unit: str | None = None, inverse: bool = False):
    """A quantity that incidents can bend, and the column that shows it."""
    return types.Signal(name, unit, summary, table, column, inverse)


def target(name: str, signals, *, parents=(), attributes=None):
    """A part of the system that incidents can act on."""
    return types.Target(name, list(parents), list(signals), _attributes(attributes))
