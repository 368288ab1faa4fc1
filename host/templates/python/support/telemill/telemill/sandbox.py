"""What Python's own library has that a plugin has not, once it is built: `print` is the host's log, clocks and the system's
randomness raise. Without this, each would end the plugin without a word."""

import io
import os
import sys
import time


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


def lend_streams(log):
    sys.stdout, sys.stderr = Lines(log, "info"), Lines(log, "warn")


def _missing(what, instead):
    def call(*_, **__):
        raise RuntimeError(f"a plugin has no {what}: {instead}")

    return call


if sys.platform == "wasi":
    clock = _missing("clock", "simulated times come as arguments, such as window.start")
    for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "sleep"):
        setattr(time, name, clock)
    for name in ("gmtime", "localtime", "ctime"):
        # These take a time as well.
        of_time = getattr(time, name)
        setattr(time, name, lambda seconds=None, *, of_time=of_time: clock() if seconds is None else of_time(seconds))
    os.urandom = _missing("randomness of its own", "telemill's Steps, Stream and Noise follow from the run's seed")
