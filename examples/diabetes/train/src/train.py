"""Fit one kind of regression model and save it with what it was fitted on."""

import argparse
import json
from pathlib import Path

import joblib
import pandas as pd
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

parser = argparse.ArgumentParser()
parser.add_argument("--data", type=Path, required=True)
parser.add_argument("--kind", choices=("ridge", "boosting"), required=True)
parser.add_argument("--depth", type=int, default=3)
parser.add_argument("--model", type=Path, required=True)
args = parser.parse_args()

table = pd.read_csv(args.data / "train.csv")
target = table.pop("progression")

if args.kind == "ridge":
    regressor = RidgeCV(alphas=(0.1, 1, 10, 100))
else:
    regressor = GradientBoostingRegressor(
        max_depth=args.depth, learning_rate=0.05, n_estimators=120, subsample=0.8, random_state=0
    )
model = make_pipeline(StandardScaler(), regressor)
folds = cross_val_score(model, table, target, cv=5, scoring="r2")
model.fit(table, target)
print(f"{args.kind}: r2 {folds.mean():.3f} over {len(folds)} folds of {len(table)} patients")

args.model.mkdir(parents=True, exist_ok=True)
joblib.dump(model, args.model / "model.joblib")
about = {"kind": args.kind, "features": list(table.columns), "target": target.name}
(args.model / "model.json").write_text(json.dumps(about, indent=2) + "\n")
