"""What Python's own library has that a plugin has not, once it is built: `print` is the host's log; clocks, the system's randomness,
files and modules that were not imported raise. Without this, each would end the plugin without a word."""

import _imp
import io
import os
import sys
import time
import unicodedata  # tracebacks import it for lines that are not ASCII


class Lines(io.TextIOBase):
    """What is printed, a line of the host's log for each line of it."""

    def __init__(self, log, level):
        self.log, self.level, self.line = log, level, ""

    def writable(self):
        return True

    def write(self, text):
        *lines, self.line = (self.line + text).split("\n")
        for line in lines:
            self.log(line, self.level)
        return len(text)

    def flush(self):
        if self.line:
            self.log(self.line, self.level)
        self.line = ""


def _missing(what, instead):
    def call(*_, **__):
        raise RuntimeError(f"a plugin has no {what}: {instead}")

    return call


_no_clock = _missing("clock", "simulated times come as arguments, such as window.start")
_no_draws = _missing("randomness of its own", "telemill's Steps, Stream and Noise follow from the run's seed")
_no_files = _missing("files", "read them while it is built, at the top of src/plugin.py")

_running = False


def begin():
    """The host calls: from now on, there is nothing around the plugin."""
    global _running
    _running = True


def _audit(event, arguments):
    """Python tells what it is about to do. Opening a file would end the plugin, even the one that a SyntaxError wants to quote."""
    if not _running:
        return
    if event == "import":
        name = arguments[0]
        if name not in sys.builtin_module_names and not _imp.is_frozen(name):
            raise ImportError(f"{name} was not imported while the plugin was built: import it at the top of src/plugin.py", name=name)
    elif event == "open" or event.startswith(("os.", "socket.", "subprocess.")) and not event.endswith("env"):
        _no_files()


def _take_clocks():
    for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "sleep"):
        setattr(time, name, _no_clock)
    # These take a time as well, behind so many other values.
    for name, before in (("gmtime", 0), ("localtime", 0), ("ctime", 0), ("asctime", 0), ("strftime", 1)):
        known = getattr(time, name)
        given = lambda *values, known=known, before=before: _no_clock() if values[before:] in ((), (None,)) else known(*values)
        setattr(time, name, given)
    datetime = sys.modules.get("datetime")
    if datetime is None:
        return {}
    known = datetime.datetime
    timeless = type("datetime", (known,), {"__module__": "datetime", "now": _no_clock, "utcnow": _no_clock, "today": _no_clock})
    return {known: timeless}


def _take_randomness():
    os.urandom = _no_draws
    random = sys.modules.get("random")
    if random is None:
        return {}
    make, seed = random.Random.__new__, random.Random.seed
    # With a seed of the author's, they are as good as any.
    random.Random.__new__ = lambda cls, x=None, *rest: _no_draws() if x is None else make(cls, x, *rest)
    random.Random.seed = lambda self, a=None, version=2: _no_draws() if a is None else seed(self, a, version)
    random._urandom = _no_draws
    shared = (value for value in vars(random).values() if getattr(value, "__self__", None) is random._inst)
    return {value: _no_draws for value in shared}


def close(log):
    """The last of the build, when everything is imported: takes away what only the build has, under every name that a module has for it."""
    sys.stdout, sys.stderr = Lines(log, "info"), Lines(log, "warn")
    os.stat = os.lstat = _no_files
    taken = _take_clocks() | _take_randomness()
    for module in list(sys.modules.values()):
        for name, value in list(vars(module).items()):
            if callable(value) and getattr(value, "__hash__", None) and value in taken:
                setattr(module, name, taken[value])
    sys.addaudithook(_audit)
