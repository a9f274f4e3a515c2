"""Measure models on the test table and name the best by r2."""

import argparse
import json
from pathlib import Path

import joblib
import pandas as pd
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

parser = argparse.ArgumentParser()
parser.add_argument("--test", type=Path, required=True)
parser.add_argument("--models", type=Path, nargs="+", required=True)
parser.add_argument("--metrics", type=Path, required=True)
args = parser.parse_args()

table = pd.read_csv(args.test / "test.csv")
target = table.pop("progression")

metrics = {}
print(f"{'model':<10} {'r2':>7} {'rmse':>7} {'mae':>7}")
for folder in args.models:
    kind = json.loads((folder / "model.json").read_text())["kind"]
    guess = joblib.load(folder / "model.joblib").predict(table)
    metrics[kind] = {
        "r2": r2_score(target, guess),
        "rmse": root_mean_squared_error(target, guess),
        "mae": mean_absolute_error(target, guess),
    }
    row = metrics[kind]
    print(f"{kind:<10} {row['r2']:>7.3f} {row['rmse']:>7.2f} {row['mae']:>7.2f}")

best = max(metrics, key=lambda kind: metrics[kind]["r2"])
print(f"best: {best}")

args.metrics.mkdir(parents=True, exist_ok=True)
report = {"best": best, "patients": len(table), "models": metrics}
(args.metrics / "metrics.json").write_text(json.dumps(report, indent=2) + "\n")
