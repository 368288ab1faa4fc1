"""Rows as packed columns: what the host takes from a plugin and sends to one, without a call a value."""

import sys
from array import array
from itertools import accumulate

from wit_world.imports import types
from wit_world.imports.types import DataType

CODES = {
    DataType.INT32: "i",
    DataType.INT64: "q",
    DataType.FLOAT32: "f",
    DataType.FLOAT64: "d",
    DataType.DATE: "i",
    DataType.TIMESTAMP: "q",
}
assert sys.byteorder == "little" and array("i").itemsize == 4, "columns are little-endian"


def bits(flags) -> bytes:
    """Booleans as bits, least significant first."""
    packed = bytearray((len(flags) + 7) // 8)
    for index, flag in enumerate(flags):
        if flag:
            packed[index >> 3] |= 1 << (index & 7)
    return bytes(packed)


def text(strings) -> types.Text:
    encoded = [value.encode() for value in strings]
    offsets = array("I", accumulate((len(value) for value in encoded), initial=0))
    return types.Text(offsets.tobytes(), b"".join(encoded))


def dictionary(values) -> types.Values_Dictionary:
    """Text with its repeated values once."""
    known: dict = {}
    keys = array("I", [known.setdefault(value, len(known)) for value in values])
    return types.Values_Dictionary(types.Dictionary(keys.tobytes(), text(known)))


TAKES = {DataType.UTF8: str, DataType.BOOLEAN: int, DataType.FLOAT32: (int, float), DataType.FLOAT64: (int, float)}


def misfit(table: types.Table, field: types.Field, values, error) -> TypeError:
    """The error for a column with a value that it can't hold; an array of Python's own does not say which."""
    takes = TAKES.get(field.data_type, int)
    at = next((at for at, value in enumerate(values) if not isinstance(value, takes) and (value is not None or not field.nullable)), None)
    what = "" if at is None else f"{values[at]!r} in row {at} is no {field.data_type.name.lower()}: "
    return TypeError(f"table {table.name}: column {field.name}: {what}{error}")


def column(field: types.Field, values) -> types.Column:
    """A list, array or bytes-like of packed values as a column."""
    validity = None
    if field.nullable and not isinstance(values, (array, memoryview, bytes)) and None in values:
        validity = bits([value is not None for value in values])
        blank = "" if field.data_type == DataType.UTF8 else 0
        values = [blank if value is None else value for value in values]
    if field.data_type == DataType.UTF8:
        packed = dictionary(values)
    elif field.data_type == DataType.BOOLEAN:
        if not set(map(type, values)) <= {bool, int}:
            raise TypeError("booleans are True or False")
        packed = types.Values_Packed(bits(values))
    elif isinstance(values, (memoryview, bytes)):
        packed = types.Values_Packed(bytes(values))
    else:
        code = CODES[field.data_type]
        whole = values if isinstance(values, array) and values.typecode == code else array(code, values)
        packed = types.Values_Packed(whole.tobytes())
    return types.Column(packed, validity)


class Rows:
    """Collects the rows of one table in one window: a list for each column, in the order of the fields."""

    def __init__(self, table: types.Table):
        self.table = table
        self.names = [field.name for field in table.fields]
        self.begin()

    def begin(self):
        self.columns = [[] for _ in self.names]

    def push(self, *values):
        """Adds a row, its values in the order of the fields."""
        for column_, value in zip(self.columns, values, strict=True):
            column_.append(value)

    def add(self, **row):
        """Adds a row by name; what it lacks is null."""
        unknown = row.keys() - self.names
        missing = [f.name for f in self.table.fields if not f.nullable and f.name not in row]
        if unknown or missing:
            raise KeyError(f"table {self.table.name}: no field {sorted(unknown)}, no value for {missing}")
        self.push(*(row.get(name) for name in self.names))

    def extend(self, **columns):
        """Adds many rows at once: for each field a list, an `array` or anything else that can be iterated over."""
        if columns.keys() != set(self.names):
            raise KeyError(f"table {self.table.name}: columns {sorted(columns)} instead of {self.names}")
        for name, column_ in zip(self.names, self.columns):
            column_.extend(columns[name])

    def finish(self, index: int):
        """The batch for the host, or none; begins anew."""
        rows = len(self.columns[0])
        if rows == 0:
            return None
        for name, values in zip(self.names, self.columns):
            if len(values) != rows:
                raise ValueError(f"table {self.table.name}: column {name} has {len(values)} values of {rows} rows")
        packed = []
        for field, values in zip(self.table.fields, self.columns):
            try:
                packed.append(column(field, values))
            except (TypeError, AttributeError, OverflowError) as error:
                raise misfit(self.table, field, values, error) from None
        self.begin()
        return types.Batch(index, rows, packed)


def _strings(value: types.Text) -> list:
    offsets = memoryview(value.offsets).cast("I")
    return [value.bytes[offsets[i] : offsets[i + 1]].decode() for i in range(len(offsets) - 1)]


class Batch:
    """Rows that the host sent: `batch[name][row]`, None where there is no value."""

    def __init__(self, batch: types.Batch, fields):
        self.rows = batch.rows
        self.columns = {f.name: self._values(c, f) for f, c in zip(fields, batch.columns)}

    def __getitem__(self, name: str):
        return self.columns[name]

    def _values(self, sent: types.Column, field: types.Field):
        carried = sent.values
        if isinstance(carried, types.Values_Dictionary):
            # Under a null stands any key, with or without a value.
            strings = dict(enumerate(_strings(carried.value.values)))
            values = [strings.get(key) for key in memoryview(carried.value.keys).cast("I")]
        elif isinstance(carried, types.Values_Text):
            values = _strings(carried.value)
        elif field.data_type == DataType.BOOLEAN:
            values = [bool(carried.value[i >> 3] >> (i & 7) & 1) for i in range(self.rows)]
        else:
            values = memoryview(carried.value).cast(CODES[field.data_type])
        if sent.validity is None:
            return values
        valid = sent.validity
        return [value if valid[i >> 3] >> (i & 7) & 1 else None for i, value in enumerate(values)]
