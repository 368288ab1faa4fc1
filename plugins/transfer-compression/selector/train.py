"""Trains a selector of compression algorithms from exported transfers, and holds it against the oracle.

What it learns from is what production can log: for each transfer its circumstances, the one algorithm that was selected, and how
long the transfer took. It never learns from what the other algorithms would have made of a row: those figures (a dataset of
`executed = "all"` has them) serve the oracle alone, on rows that were held out.

    python train.py compression_metrics.parquet --held-out 0.3

prints one JSON object; the README beside the generator explains its keys.
"""

import argparse
import json
import os
import pickle

# Threads that wait for each other spin, which costs more than they save on a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, VotingRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

ALGORITHMS = ["hde", "amst", "baseline"]
# The generator's constants, as its README states them.
ROUND_TRIPS = {"hde": 2, "amst": 2, "baseline": 1}
LOSS_COST, LOSS_COST_PER_MS = 10.0, 50.0


def features(rows: pd.DataFrame) -> pd.DataFrame:
    """What is known before an algorithm is selected."""
    size, rtt, loss = rows["data_size_bytes"], rows["rtt_ms"], rows["packet_loss_rate"]
    return pd.DataFrame(
        {
            "log_size": np.log(size),
            "log_bandwidth": np.log(rows["available_bandwidth_mbps"]),
            "rtt_ms": rtt,
            "log_rtt": np.log(rtt + 0.05),
            "log_rtt_per_megabyte": np.log((rtt + 0.05) / size),
            "packet_loss_rate": loss,
            "log_loss_by_rtt": np.log1p(loss * rtt * 100),
            "compressibility_score": rows["compressibility_score"],
            "log_compressibility": np.log(rows["compressibility_score"] + 0.05),
            "cpu_usage": rows["cpu_usage"],
            "memory_available_mb": rows["memory_available_mb"],
            "active_transfers": rows["active_transfers"],
            **{f"is_{kind}": rows["data_type"] == kind for kind in ["vm_memory", "vm_disk", "database"]},
            **{f"is_{link}": rows["link_type"] == link for link in ["dc", "metro", "wan"]},
        }
    ).astype(float)


def total_times(rows: pd.DataFrame) -> pd.DataFrame:
    """Milliseconds that each algorithm takes for a row, by the generator's arithmetic: what the oracle knows."""
    rtt = rows["rtt_ms"]
    cost = rows["packet_loss_rate"] * (LOSS_COST + LOSS_COST_PER_MS * rtt)
    single = rows["available_bandwidth_mbps"] / (1 + cost)
    rates = {"hde": single, "amst": rows["amst_transfer_rate_mbps"] / (1 + cost / rows["amst_streams"]), "baseline": single}
    return pd.DataFrame(
        {
            name: rows[f"{name}_compression_time_ms"]
            + rows[f"{name}_compressed_size_bytes"] * 0.008 / rates[name]
            + ROUND_TRIPS[name] * rtt
            for name in ALGORITHMS
        }
    )


def boosted(seed: int, rounds: int) -> HistGradientBoostingRegressor:
    return HistGradientBoostingRegressor(max_iter=rounds, learning_rate=0.08, min_samples_leaf=15, random_state=seed)


def regressor(seed: int) -> VotingRegressor:
    """Trees for the turns, and a smooth polynomial for where an algorithm was hardly ever tried."""
    smooth = make_pipeline(StandardScaler(), PolynomialFeatures(2), StandardScaler(), Ridge(10))
    return VotingRegressor([("trees", boosted(seed, 150)), ("smooth", smooth)])


def log_ms_per_megabyte(rows: pd.DataFrame) -> pd.Series:
    """The logarithm of the time that a megabyte took. A large transfer says as much of it as a small one."""
    return np.log((rows["actual_transfer_time_ms"] + 0.1) / (rows["data_size_bytes"] / 1e6))


def train_selector(rows: pd.DataFrame, seed: int) -> dict:
    """For each algorithm a model of how long a megabyte takes with it, from the rows that used it."""
    models = {}
    for name in ALGORITHMS:
        own = rows[rows["current_compression"] == name]
        models[name] = regressor(seed).fit(features(own), log_ms_per_megabyte(own))
    return models


def choose(models: dict, rows: pd.DataFrame) -> np.ndarray:
    """The algorithm that each transfer would take least time with, as the models see it."""
    known = features(rows)
    times = np.column_stack([models[name].predict(known) for name in ALGORITHMS])
    return times.argmin(axis=1)


def auc(rows: pd.DataFrame, held_out: pd.DataFrame, seed: int) -> float:
    """How well circumstances tell which algorithm was selected: 0.5 is chance."""
    model = HistGradientBoostingClassifier(max_iter=40, random_state=seed)
    model.fit(features(rows), rows["current_compression"])
    shares = model.predict_proba(features(held_out))
    return float(roc_auc_score(held_out["current_compression"], shares, multi_class="ovr", labels=model.classes_))


def explained(rows: pd.DataFrame, held_out: pd.DataFrame, seed: int, with_label: bool) -> float:
    """Variance of that logarithm that is explained, with or without a look at the selected algorithm."""

    def known(of: pd.DataFrame) -> pd.DataFrame:
        columns = features(of)
        if with_label:
            for name in ALGORITHMS:
                columns[f"by_{name}"] = (of["current_compression"] == name).astype(float)
        return columns

    model = boosted(seed, 80).fit(known(rows), log_ms_per_megabyte(rows))
    return float(model.score(known(held_out), log_ms_per_megabyte(held_out)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parquet", help="the exported table compression_metrics")
    parser.add_argument("--held-out", type=float, default=0.3, help="share of the rows that are kept from training")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--model", help="where the trained selector goes, as a pickle")
    parser.add_argument("--report", help="where the report goes, beside standard output")
    arguments = parser.parse_args()

    rows = pd.read_parquet(arguments.parquet)
    train, held_out = train_test_split(rows, test_size=arguments.held_out, random_state=arguments.seed)
    times = total_times(held_out).to_numpy()
    best = times.min(axis=1)

    def regret(chosen: np.ndarray) -> float:
        return float((times[np.arange(len(times)), chosen] - best).mean())

    # The best constant is taken where it is known best: on the held-out rows themselves.
    constants = {name: regret(np.full(len(times), i)) for i, name in enumerate(ALGORITHMS)}
    constant = min(constants, key=constants.get)
    models = train_selector(train, arguments.seed)
    selector = regret(choose(models, held_out))
    current = held_out["current_compression"].map({name: i for i, name in enumerate(ALGORITHMS)}).to_numpy()
    without = explained(train, held_out, arguments.seed, with_label=False)
    report = {
        "rows": len(rows),
        "held_out_rows": len(held_out),
        "mean_best_ms": float(best.mean()),
        "best_constant": constant,
        "regret_constant_ms": constants[constant],
        "regret_selector_ms": selector,
        "regret_ratio": selector / constants[constant],
        "regret_current_ms": regret(current),
        "label_auc": auc(train, held_out, arguments.seed),
        "explained_by_circumstances": without,
        "explained_more_with_label": explained(train, held_out, arguments.seed, with_label=True) - without,
    }
    text = json.dumps(report, indent=2)
    print(text)
    if arguments.model:
        with open(arguments.model, "wb") as file:
            pickle.dump(models, file)
    if arguments.report:
        with open(arguments.report, "w", encoding="utf-8") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    main()
