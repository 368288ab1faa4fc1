"""Prints the table of draws again, as the helpers for Python make them: `python3 print.py FOLDER-OF-KEYED < vectors.txt`."""

import struct
import sys

sys.path.insert(0, sys.argv[1])
from keyed import process, stream, Steps  # noqa: E402

for line in sys.stdin:
    line = line.rstrip("\n")
    if line.startswith("#"):
        print(line)
        continue
    seed, name, entity, step = line.split("\t")[:4]
    key = int(seed), process(name), int(entity)
    draws = stream(*key, int(step))
    made = [f"{Steps(*key).bits(int(step)):016x}", f"{draws.bits():016x}", f"{draws.bits():016x}"]
    made += [str(draws.below(1000)), str(draws.below(1 << 40)), struct.pack(">d", draws.unit()).hex()]
    print("\t".join([seed, name, entity, step, *made]))
