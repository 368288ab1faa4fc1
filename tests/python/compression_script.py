"""The peer of the benchmark: compression metrics as a script with numpy and pandas makes them, column by column.

It does what section 6.1 of the example system's document describes: lists made in Python loops where the document
has such loops, arrays where it has arrays, one CSV file at the end. It makes 29 columns.

Usage: compression_script.py ROWS FILE
"""

import sys
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

ROUND_TRIP = {"dc": (2, 0.3), "metro": (3, 2.5), "wan": (5, 8)}
BANDWIDTH = {"dc": (1000, 10000), "metro": (100, 1000), "wan": (10, 200)}


def metrics(rows: int) -> pd.DataFrame:
    random = np.random
    random.seed(42)
    links = random.choice(["dc", "metro", "wan"], rows, p=[0.4, 0.3, 0.3])
    table = {
        "timestamp": [datetime.now() - timedelta(hours=row) for row in range(rows)],
        "region": random.choice(["us-east-1", "us-west-2", "eu-west-1"], rows),
        "az": random.choice(["a", "b", "c"], rows),
        "link_type": links,
        "node_id": [f"node-{random.randint(1000)}" for _ in range(rows)],
        "peer_id": [f"peer-{random.randint(1000)}" for _ in range(rows)],
        "rtt_ms": [random.gamma(*ROUND_TRIP[link]) for link in links],
    }
    table["jitter_ms"] = table["rtt_ms"] * random.uniform(0.1, 0.3, rows)
    table["available_bandwidth_mbps"] = [random.uniform(*BANDWIDTH[link]) for link in links]
    table["packet_loss_rate"] = random.exponential(0.001, rows)
    size = table["data_size_bytes"] = random.lognormal(15, 2, rows).astype(int)
    table["data_type"] = random.choice(["vm_memory", "vm_disk", "database"], rows)
    table["entropy"] = random.beta(3, 2, rows)
    score = table["compressibility_score"] = 1 - table["entropy"]
    table["cpu_usage"] = random.beta(2, 5, rows)
    table["memory_available_mb"] = random.uniform(2048, 16384, rows).astype(int)
    table["active_transfers"] = random.poisson(3, rows)
    megabytes = size / 1e6
    table["hde_compression_ratio"] = 1 + score * random.uniform(5, 40, rows)
    table["hde_delta_hit_rate"] = score * random.uniform(60, 95, rows)
    table["hde_compression_time_ms"] = megabytes * random.uniform(10, 30, rows)
    table["hde_compressed_size_bytes"] = (size / table["hde_compression_ratio"]).astype(int)
    table["amst_streams"] = random.choice([2, 4, 8], rows)
    table["amst_transfer_rate_mbps"] = table["available_bandwidth_mbps"] * random.uniform(0.7, 0.95, rows)
    table["amst_compression_time_ms"] = megabytes * random.uniform(5, 15, rows)
    table["amst_compressed_size_bytes"] = (size / random.uniform(1.5, 5, rows)).astype(int)
    table["baseline_compression_ratio"] = random.uniform(2, 8, rows)
    table["baseline_compression_time_ms"] = megabytes * random.uniform(3, 10, rows)
    table["baseline_compressed_size_bytes"] = (size / table["baseline_compression_ratio"]).astype(int)
    table["current_compression"] = random.choice(["hde", "amst", "baseline"], rows, p=[0.5, 0.3, 0.2])
    return pd.DataFrame(table)


if __name__ == "__main__":
    metrics(int(sys.argv[1])).to_csv(sys.argv[2], index=False)
