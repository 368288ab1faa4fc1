"""What a plugin in Python needs. These files belong to Telemill: change your own under src/, and delete this folder to get
those of a newer `telemill` with the next build."""

import json
import linecache
import sys
import traceback
from dataclasses import dataclass
from types import SimpleNamespace

from componentize_py_types import Err
from wit_world.exports import about as about_
from wit_world.imports import host, types
from wit_world.imports.types import Effect, Operation, Role, Severity, Window

from . import sandbox
from .columns import Batch, Rows
from .effects import Effects
from .keyed import Noise, Steps, Stream, process, stream
from .schema import boolean, date, float32, float64, int32, int64, signal, table, target, text, timestamp
from .time import DAY, HOUR, MILLISECOND, MINUTE, SECOND, hour_of_day, steps_of, weekday


class ConfigError(Exception):
    """What the configuration can't be: `raise ConfigError("/rooms", "more rooms than there are doors")`."""

    def __init__(self, path: str, message: str):
        super().__init__(message)
        self.problems = [types.Problem(path, message)]


def log(message, level: str = "info"):
    """A word beside the run; `level` is debug, info, warn or error."""
    try:
        host.log(host.Level[level.upper()], str(message))
    except NotImplementedError:
        # There is no host in a plugin's own tests.
        print(level, message, file=sys.stderr)


def _keep_sources():
    """A plugin has no files once it is built: tracebacks show the lines that are read now, while it is being built."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None) or ""
        if file.endswith(".py") and "/lib/python" not in file:
            lines = linecache.getlines(file)
            linecache.cache[file] = (len(lines), None, lines, file)
    linecache.checkcache = lambda filename=None: None
    linecache.updatecache = lambda filename, module_globals=None: []


@dataclass
class Shard:
    """A part of a run."""

    seed: int
    partition: int
    partitions: int
    span: Window

    def owns(self, index: int) -> bool:
        """Whether this partition makes the rows of an entity or an event."""
        return index % self.partitions == self.partition


def _words(error) -> str:
    """The traceback, without the frame of the glue that caught it."""
    trace = error.__traceback__.tb_next if error.__traceback__ else None
    try:
        return "".join(traceback.format_exception(type(error), error, trace)).rstrip()
    except BaseException:
        return f"{type(error).__name__}: {error}"


def _failing(call):
    """A function of the contract that may fail: an exception becomes an error with its text and traceback."""

    def checked(self, *values):
        sandbox.begin()
        try:
            return call(*values)
        except ConfigError as error:
            raise Err(types.Error_InvalidConfig(error.problems)) from None
        except Err:
            raise
        except BaseException as error:
            raise Err(types.Error_Failed(_words(error))) from None

    return checked


def _crashing(call):
    """A function of the contract that may not fail: the host shows what was logged last before the crash."""

    def checked(self, *values):
        sandbox.begin()
        try:
            return call(*values)
        except BaseException as error:
            log(_words(error), "error")
            raise

    return checked


def _about(plugin):
    if sys.platform == "wasi":
        _keep_sources()
        sandbox.close(log)

    class About:
        @_crashing
        def describe():
            schema = {"type": "object", "additionalProperties": False, "properties": {}} | plugin.schema
            examples = [about_.Example(name, json.dumps(config)) for name, config in getattr(plugin, "examples", {}).items()]
            documentation = (plugin.__doc__ or plugin.summary).strip()
            return about_.Descriptor(
                plugin.name, plugin.version, plugin.summary, documentation, json.dumps(schema), examples, []
            )

        @_crashing
        def check(config):
            check = getattr(plugin, "check", None)
            return [types.Problem(path, message) for path, message in (check(json.loads(config)) if check else ())]

    return About


def generator(plugin):
    """The exports of a generator: `About, Generator = generator(Plugin)`; see src/plugin.py for how to use it."""
    from wit_world.exports import generator as exports

    def simulation(config):
        planned = {"signals": [], "targets": [], "inputs": [], "attributes": []} | plugin.plan(config)
        planned["inputs"] = [
            exports.Input(name, [declare(field) for field, declare in fields.items()], required)
            for name, fields, required in planned["inputs"]
        ]
        return exports.Simulation(**planned)

    # The host's calls come to a new object each, so what lasts is kept here.
    held = SimpleNamespace()

    def begin(config, shard, state):
        config = json.loads(config)
        planned = simulation(config)
        held.effects = Effects(planned)
        held.inputs = planned.inputs
        held.tables = {table.name: Rows(table) for table in planned.tables}
        held.model = plugin(config, Shard(shard.seed, shard.partition, shard.partitions, shard.span))
        if state is not None:
            held.model.restore(state)

    class Generator:
        @_failing
        def plan(config):
            return simulation(json.loads(config))

        @_failing
        def open(config, shard):
            begin(config, shard, None)

        @_failing
        def feed(batch):
            declared = held.inputs[batch.table]
            held.model.feed(declared.table, Batch(batch, declared.fields))

        @_failing
        def inject(incidents):
            held.effects.inject(incidents)

        @_failing
        def advance(window):
            held.effects.prepare(window)
            held.model.advance(window, held.tables, held.effects)
            batches = [rows.finish(index) for index, rows in enumerate(held.tables.values())]
            return [batch for batch in batches if batch is not None]

        @_failing
        def save():
            state = held.model.save() if hasattr(held.model, "save") else None
            return None if state is None else json.dumps(state).encode()

        @_failing
        def restore(config, shard, state):
            try:
                saved = json.loads(state)
            except ValueError:
                raise Err(types.Error_UnsupportedState()) from None
            begin(config, shard, saved)

    return _about(plugin), Generator


def effect(target: str, signal: str, value: float, start: int, end: int, *, full=None, release=None, operation="scale"):
    """One signal of one target bent over time; in full force at once and to the end where nothing else is said."""
    full = start if full is None else full
    release = end if release is None else release
    return Effect(target, signal, Operation[operation.upper()], value, start, full, release, end)


def incident(id: str, kind: str, title: str, effects, *, role="incident", severity="medium", cause=None, attributes=None):
    """An incident with what follows from its effects filled in."""
    window = Window(min(e.start for e in effects), max(e.release for e in effects))
    pairs = [types.Attribute(name, str(value)) for name, value in (attributes or {}).items()]
    recovered = max(e.end for e in effects)
    return types.Incident(
        id, kind, Role[role.upper()], title, Severity[severity.upper()], cause, window, recovered, list(effects), pairs
    )


def incident_model(plugin):
    """The exports of an incident model: `About, IncidentModel = incident_model(Plugin)`."""
    from wit_world.exports import incident_model as exports

    held = SimpleNamespace()

    class IncidentModel:
        @_crashing
        def kinds():
            return [exports.Kind(name, summary) for name, summary in plugin.kinds.items()]

        @_failing
        def open(config, seed, span, targets):
            held.model = plugin(json.loads(config), seed, span, targets)

        @_failing
        def plan(day):
            return list(held.model.plan(day))

        @_failing
        def trigger(kind, target, window):
            return list(held.model.trigger(kind, target, window))

    return _about(plugin), IncidentModel


@dataclass
class Finding:
    """What a rule found; `high` and `critical` fail the report."""

    rule: str
    message: str
    severity: str = "info"
    table: str | None = None
    column: str | None = None
    failed: int = 0
    checked: int = 0
    samples: tuple = ()


@dataclass
class Metric:
    """A number that the report shows."""

    name: str
    value: float
    unit: str | None = None
    at: int | None = None


def validator(plugin):
    """The exports of a validator: `About, Validator = validator(Plugin)`."""
    from wit_world.exports import validator as exports

    def told(f):
        severity = Severity[f.severity.upper()]
        return exports.Finding(
            f.rule, severity, f.table, f.column, f.message, f.failed, f.checked, list(f.samples)
        )

    held = SimpleNamespace()

    class Validator:
        @_failing
        def open(config, tables, window):
            held.model = plugin(json.loads(config), tables, window)
            selections = [exports.Selection(table, list(columns), list(order)) for table, columns, order in held.model.selections]
            declared = {table.name: {f.name: f for f in table.fields} for table in tables}
            held.fields = [[declared[s.table][name] for name in s.columns] for s in selections]
            return selections

        @_failing
        def observe(batch):
            held.model.observe(batch.table, Batch(batch, held.fields[batch.table]))

        @_failing
        def finish():
            findings, metrics = held.model.finish()
            shown = [exports.Metric(m.name, float(m.value), m.unit, m.at) for m in metrics]
            return exports.Report([told(finding) for finding in findings], shown)

    return _about(plugin), Validator
