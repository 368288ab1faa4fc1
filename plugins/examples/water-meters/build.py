"""Compiles every C file to build/core.wasm; `python build.py test` makes a program that runs the test instead, and runs it."""

import glob
import subprocess
import sys

CC = [sys.executable, "-m", "ziglang", "cc", "-Wall", "-Wextra", "-Itelemill"]
SOURCES = glob.glob("src/*.c") + glob.glob("telemill/*.c")

if sys.argv[1:] == ["test"]:
    # The bindings call the host, which is not there: the test plays its part.
    IMPORTS = ["-Wno-unknown-attributes", "-Wno-ignored-attributes"]
    subprocess.run([*CC, *IMPORTS, "-g", "-o", "build/test", "test/test.c", *SOURCES, "-lm"], check=True)
    sys.exit(subprocess.run(["build/test"]).returncode)

# A small stack keeps the memory of an instance small.
WASM = ["-target", "wasm32-wasi", "-mexec-model=reactor", "-O2", "-s", "-Wl,-z,stack-size=131072"]
subprocess.run([*CC, *WASM, "-o", "build/core.wasm", *SOURCES, "-lm"], check=True)
