"""What the local compute adds to a step: `python -m tests.bench.compute_bench`.

Every figure stands beside bare `subprocess` of the same script, in turns, in one run.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lazulite.compute.local import LocalCompute
from lazulite.ports.compute import Launch

STEP = "import json, sys\nprint(json.dumps({'step': len(sys.argv)}))\n"
ROUNDS = 150
FAN_OUT = 500
SLOTS = 2
TURNS = 10
COMMAND = [sys.executable, "step.py"]


class Bench:
    """One folder, one environment, both ways to run the step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        self.compute = LocalCompute()
        (folder / "step.py").write_text(STEP, encoding="utf-8")

    def bare(self, number: int) -> None:
        log = self.folder / f"bare-{number}.log"
        with log.open("ab") as out:
            subprocess.run(
                COMMAND, cwd=self.folder, env=self.env, stdout=out, stderr=out, check=True
            )

    def local(self, number: int) -> None:
        ended = threading.Event()
        run = self.folder / f"run-{time.monotonic_ns()}-{number}"
        launch = Launch(
            key=run.name,
            attempt=1,
            fence="1",
            command=" ".join(COMMAND),
            cwd=self.folder,
            env=self.env,
            log=run / "std_log.txt",
            records=run,
        )
        self.compute.launch(launch)
        self.compute.watch(launch, ended.set)
        if not ended.wait(30):
            raise TimeoutError(run.name)


@contextlib.contextmanager
def _cpu(into: list[float]) -> Iterator[None]:
    before = sum(os.times()[:4])
    yield
    into.append(sum(os.times()[:4]) - before)


def _alternate(bench: Bench) -> dict[str, tuple[list[float], float]]:
    """Run both in blocks of ten, so that what else the machine does falls on both alike."""
    wall: dict[str, list[float]] = {"bare": [], "local": []}
    cpu: dict[str, list[float]] = {"bare": [], "local": []}
    for _ in range(ROUNDS // 10):
        for name, step in (("bare", bench.bare), ("local", bench.local)):
            with _cpu(cpu[name]):
                for number in range(10):
                    start = time.perf_counter()
                    step(number)
                    wall[name].append(time.perf_counter() - start)
    return {name: (wall[name], sum(cpu[name]) / len(wall[name])) for name in wall}


def _fan_out(bench: Bench) -> dict[str, tuple[float, float]]:
    """Run all steps over the slots, both ways in turns: seconds and CPU seconds of each."""
    spent: dict[str, list[tuple[float, float]]] = {"bare": [], "local": []}
    with ThreadPoolExecutor(SLOTS) as pool:
        for _ in range(TURNS):
            for name, step in (("bare", bench.bare), ("local", bench.local)):
                cpu: list[float] = []
                start = time.perf_counter()
                with _cpu(cpu):
                    list(pool.map(step, range(FAN_OUT // TURNS)))
                spent[name].append((time.perf_counter() - start, cpu[0]))
    return {
        name: (sum(w for w, _ in each), sum(c for _, c in each)) for name, each in spent.items()
    }


def main() -> None:
    """Measure and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        for number in range(5):
            bench.bare(number)
            bench.local(number)
        print(f"{'one step':34} {'p50 ms':>8} {'p95 ms':>8} {'CPU ms':>8}")
        single = _alternate(bench)
        for name, (wall, cpu) in single.items():
            p95 = statistics.quantiles(wall, n=20)[-1]
            print(f"{name:34} {_ms(statistics.median(wall))} {_ms(p95)} {_ms(cpu)}")
        (bare, bare_cpu), (local, local_cpu) = single["bare"], single["local"]
        extra, extra_cpu = statistics.median(local) - statistics.median(bare), local_cpu - bare_cpu
        print(f"{'local - bare (goal 4.0, CPU 2.5)':34} {_ms(extra)} {'':8} {_ms(extra_cpu)}")
        print(f"\n{f'{FAN_OUT} steps over {SLOTS} slots':34} {'s':>8} {'ms/step':>8} {'CPU s':>8}")
        for name, (seconds, cpu) in _fan_out(bench).items():
            print(f"{name:34} {seconds:8.2f} {_ms(seconds / FAN_OUT)} {cpu:8.2f}")
        bench.compute.close()


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:8.2f}"


if __name__ == "__main__":
    main()
