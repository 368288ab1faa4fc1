"""What a user of the example system runs: samples of two users, one merge, the statistics. Prints what the server answers as JSON."""

import json
import sys

import requests

SERVER = sys.argv[1]


def sample(second, phase):
    return {
        "timestamp": float(second),
        "cpu_percent": 85.5,
        "memory_percent": 30.2,
        "memory_used_gb": 2.1,
        "disk_read_mb": 5.2,
        "disk_write_mb": 2.1,
        "network_sent_mb": 1.0,
        "network_recv_mb": 0.8,
        "phase": phase,
    }


users_data = [
    {"user_id": "user_001", "metrics": [sample(0, "cpu_bound"), sample(1, "idle")], "label": "normal"},
    {"user_id": "user_002", "metrics": [sample(0, "mixed")], "label": "anomaly"},
]

answers = []
for user_data in users_data:
    response = requests.post(
        f"{SERVER}/api/collect-data",
        json={
            "metrics": user_data["metrics"],
            "user_id": user_data["user_id"],
            "source": "external",
            "label": user_data["label"],
            "merge_to_training": False,
        },
    )
    response.raise_for_status()
    answers.append(response.json())

merges = [requests.post(f"{SERVER}/api/merge-all-data").json() for _ in range(2)]

response = requests.post(
    f"{SERVER}/api/collect-data",
    json={"metrics": [sample(5, "io_bound")], "user_id": "user_001", "merge_to_training": True},
)
response.raise_for_status()
answers.append(response.json())

wrong = requests.post(
    f"{SERVER}/api/collect-data", json={"metrics": [sample(0, "asleep")], "user_id": "user_003"}
)
stats = requests.get(f"{SERVER}/api/user-data-stats").json()
print(json.dumps({"answers": answers, "merges": merges, "wrong": [wrong.status_code, wrong.json()], "stats": stats}))
