"""Split the diabetes data that comes with scikit-learn into a training and a test table."""

import argparse
from pathlib import Path

from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

parser = argparse.ArgumentParser()
parser.add_argument("--test-share", type=float, required=True)
parser.add_argument("--seed", type=int, required=True)
parser.add_argument("--train", type=Path, required=True)
parser.add_argument("--test", type=Path, required=True)
args = parser.parse_args()

patients = load_diabetes(as_frame=True, scaled=False).frame
patients = patients.rename(columns={"target": "progression"})
train, test = train_test_split(patients, test_size=args.test_share, random_state=args.seed)

for name, table, folder in (("train", train, args.train), ("test", test, args.test)):
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / f"{name}.csv", index=False)
    print(f"{name}: {len(table)} patients, {table.shape[1] - 1} measurements each")
