"""Measure everything that has a goal, and print one table.

`python -m tests.bench` uses a server of its own in a temporary home. `--only chain fan_out`
measures a part, `--rounds 1` is a quick look. It exits with 1 when a goal was missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
from pathlib import Path

from tests.bench import measures
from tests.bench.table import Row, seconds, table
from tests.e2e.server import running

PARTS = {
    "ready": measures.ready,
    "first_lines": measures.first_lines,
    "commands": measures.commands,
    "chain": measures.chain,
    "fan_out": measures.fan_out,
    "again": measures.again,
    "snapshot": measures.snapshot,
    "idle": measures.idle,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each measurement")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    args = parser.parse_args()

    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.platform()}")
    if (load := os.getloadavg()[0]) > 0.5:
        print(f"the machine is busy (load {load:.1f}): look at the ratios")
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
        print("PYTHONDONTWRITEBYTECODE was set: taken out, for it slows every import", flush=True)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="lazulite-bench-") as name:
        folder = Path(name)
        with running(folder / "home", LAZULITE_SLOTS="2") as server:
            bench = measures.Bench(server=server, folder=folder, rounds=args.rounds)
            measures.warm_up(bench)
            for part, measure in PARTS.items():
                if part in args.only:
                    print(f"measuring {part} ...", file=sys.stderr, flush=True)
                    rows += measure(bench)
            phases = bench.phases
    print(f"\n{table(rows)}")
    if phases:
        print("\nWhere a step of the chain spent its time (median):")
        print(", ".join(f"{k} {seconds(statistics.median(v))}" for k, v in phases.items()))
    return 0 if all(row.passed for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
