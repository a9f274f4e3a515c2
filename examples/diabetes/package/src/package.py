"""Put the best model, its metrics and its requirements into one folder, ready to be registered."""

import argparse
import json
import shutil
from importlib.metadata import version
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--metrics", type=Path, required=True)
parser.add_argument("--models", type=Path, nargs="+", required=True)
parser.add_argument("--package", type=Path, required=True)
args = parser.parse_args()

best = json.loads((args.metrics / "metrics.json").read_text())["best"]
kinds = {json.loads((m / "model.json").read_text())["kind"]: m for m in args.models}

shutil.copytree(kinds[best], args.package, dirs_exist_ok=True)
shutil.copy(args.metrics / "metrics.json", args.package)
needs = [f"{name}=={version(name)}" for name in ("scikit-learn", "pandas", "joblib")]
(args.package / "requirements.txt").write_text("\n".join(needs) + "\n")
print(f"packaged {best}: {', '.join(sorted(p.name for p in args.package.iterdir()))}")
