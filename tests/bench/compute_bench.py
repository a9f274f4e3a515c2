"""What the local compute adds to a step: `python -m tests.bench.compute_bench`.

Every figure stands beside bare `subprocess` of the same script, in turns, in one run.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
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
        launch = self.prepare(number, " ".join(COMMAND))
        self.compute.launch(launch)
        self.wait(launch)

    def prepare(self, number: int, command: str) -> Launch:
        run = self.folder / f"run-{time.monotonic_ns()}-{number}"
        return Launch(
            key=run.name,
            attempt=1,
            fence="1",
            command=command,
            cwd=self.folder,
            env=self.env,
            log=run / "std_log.txt",
            records=run,
        )

    def wait(self, launch: Launch) -> None:
        ended = threading.Event()
        self.compute.watch(launch, ended.set)
        if not ended.wait(30):
            raise TimeoutError(launch.key)


def _cpu() -> float:
    """Seconds of this process and of those it has reaped."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _measure(act: Callable[[], object]) -> tuple[float, float]:
    start, cpu = time.perf_counter(), _cpu()
    act()
    return time.perf_counter() - start, _cpu() - cpu


def _one_by_one(bench: Bench) -> dict[str, list[tuple[float, float]]]:
    """Run one step each way in turns, so that what else the machine does falls on both alike."""
    spent: dict[str, list[tuple[float, float]]] = {"bare": [], "local": []}
    for number in range(ROUNDS):
        spent["bare"].append(_measure(partial(bench.bare, number)))
        spent["local"].append(_measure(partial(bench.local, number)))
    return spent


def _fan_out(bench: Bench) -> dict[str, tuple[float, float]]:
    """Run all steps over the slots, each way in turns: seconds and CPU seconds of each."""
    total = {"bare": (0.0, 0.0), "local": (0.0, 0.0)}
    numbers = range(FAN_OUT // TURNS)
    with ThreadPoolExecutor(SLOTS) as pool:
        for _ in range(TURNS):
            for name, step in (("bare", bench.bare), ("local", bench.local)):
                wall, cpu = _measure(lambda step=step: list(pool.map(step, numbers)))
                total[name] = (total[name][0] + wall, total[name][1] + cpu)
    return total


def _idle(bench: Bench) -> float:
    """CPU per second of this process while jobs run."""
    launches = [bench.prepare(number, "exec sleep 60") for number in range(SLOTS)]
    for launch in launches:
        bench.compute.launch(launch)
    cpu = time.process_time()
    time.sleep(2)
    used = (time.process_time() - cpu) / 2
    for launch in launches:
        bench.compute.stop(launch, grace=5)
        bench.wait(launch)
    return used


def main() -> None:
    """Measure and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        for number in range(5):
            bench.bare(number)
            bench.local(number)
        print(f"{'one step':36} {'p50 ms':>8} {'p95 ms':>8} {'CPU p50':>8}")
        medians = {}
        for name, spent in _one_by_one(bench).items():
            wall, cpu = ([each[k] for each in spent] for k in (0, 1))
            medians[name] = (statistics.median(wall), statistics.median(cpu))
            p95 = statistics.quantiles(wall, n=20)[-1]
            print(f"{name:36} {_ms(medians[name][0])} {_ms(p95)} {_ms(medians[name][1])}")
        extra, extra_cpu = (medians["local"][k] - medians["bare"][k] for k in (0, 1))
        print(f"{'local - bare (goal <= 4.0, CPU 2.5)':36} {_ms(extra)} {'':8} {_ms(extra_cpu)}")
        print(f"\n{f'{FAN_OUT} steps over {SLOTS} slots':36} {'s':>8} {'ms/step':>8} {'CPU s':>8}")
        for name, (seconds, cpu_seconds) in _fan_out(bench).items():
            print(f"{name:36} {seconds:8.2f} {_ms(seconds / FAN_OUT)} {cpu_seconds:8.2f}")
        print(f"\n{f'watching {SLOTS} jobs: CPU s per s':36} {_idle(bench):8.5f}")
        bench.compute.close()


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:8.2f}"


if __name__ == "__main__":
    main()
