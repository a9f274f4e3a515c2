"""Say hello, and write it down."""

import argparse
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--name", required=True)
parser.add_argument("--greeting", type=Path, required=True)
args = parser.parse_args()

text = f"Hello, {args.name}!"
print(text)
args.greeting.mkdir(parents=True, exist_ok=True)
(args.greeting / "greeting.txt").write_text(text + "\n")
