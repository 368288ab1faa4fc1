"""Accepts a trained selector, or not: reads the report that train.py wrote, and ends with 1 where the selector is not good enough.

    python accept.py report.json --regret-ratio 0.5
"""

import argparse
import json
import sys

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("report", help="what train.py wrote with --report")
parser.add_argument("--regret-ratio", type=float, default=0.5, help="most regret, in relation to the best constant's")
arguments = parser.parse_args()

with open(arguments.report, encoding="utf-8") as file:
    report = json.load(file)
ratio = report["regret_ratio"]
print(f"regret ratio {ratio:.3f}, at most {arguments.regret_ratio} is accepted")
sys.exit(0 if ratio <= arguments.regret_ratio else 1)
