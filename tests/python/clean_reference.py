"""The example system's cleaning with pandas, to hold the recipe `transfer-compression/document` against.

    python clean_reference.py dirty.csv clean.csv

Reads exported transfers, drops rows that are there twice, then, for one column after the other, rows outside of the quartiles by more than
one and a half times their distance (a missing value is outside), fills missing numbers with the median of what is left, and reads
times as times. Prints how many rows each step left, as JSON.
"""

import argparse
import json

import pandas as pd

RANGED = ["rtt_ms", "available_bandwidth_mbps", "data_size_bytes"]


def within_quartiles(values: pd.Series) -> pd.Series:
    """Which values lie within the fences of their own quartiles (pandas interpolates between neighbours)."""
    low, high = values.quantile(0.25), values.quantile(0.75)
    reach = 1.5 * (high - low)
    return values.between(low - reach, high + reach)


def clean(rows: pd.DataFrame) -> tuple[pd.DataFrame, dict]:
    """The rows that survive, and how many each step left."""
    left = {"read": len(rows)}
    rows = rows.drop_duplicates()
    left["duplicates"] = len(rows)
    for column in RANGED:
        rows = rows[within_quartiles(rows[column])]
        left[column] = len(rows)
    medians = rows.median(numeric_only=True)
    rows = rows.fillna(medians)
    rows["timestamp"] = pd.to_datetime(rows["timestamp"])
    return rows, left


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dirty")
    parser.add_argument("clean")
    arguments = parser.parse_args()
    rows, left = clean(pd.read_csv(arguments.dirty))
    rows.to_csv(arguments.clean, index=False)
    print(json.dumps(left))


if __name__ == "__main__":
    main()
