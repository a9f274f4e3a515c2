"""The measurements, one function per part of the table. Each returns rows; none prints."""

from __future__ import annotations

import itertools
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import psutil

from tests.bench import pipelines
from tests.bench.table import Row, cores, megabytes
from tests.e2e.server import Server

PHASES = ("created", "preparing", "queued", "starting", "running", "finalizing", "ended")


@dataclass(slots=True, kw_only=True)
class Bench:
    """What all measurements share: one server, a folder for what they write, and a Python."""

    server: Server
    folder: Path
    rounds: int
    python: str = sys.executable  # of the cached environment, once it is built
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    phases: dict[str, list[float]] = field(default_factory=dict)  # seconds of each step, by phase

    def submit(self, path: Path, **values: str | int) -> str:
        """Submit with these inputs and return the job's name."""
        sets = [word for k, v in values.items() for word in ("--set", f"inputs.{k}={v}")]
        words = ["job", "create", "-f", str(path), *sets, "--query", "name", "-o", "tsv"]
        return self.server.cli(*words).stdout.strip()

    def run(self, path: Path, **values: str | int) -> str:
        """Submit, wait for the end, and return the job's name."""
        name = self.submit(path, **values)
        found = self.server.wait(name, timeout=600)
        if found["status"] != "Completed":
            raise RuntimeError(f"{path}: {name} is {found['status']}: {found['lazulite']['error']}")
        return name


def elapsed(call: Callable[[], object]) -> float:
    """Return the seconds that `call` took."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def duration(server: Server, name: str) -> float:
    """Return the seconds from a job's creation to its end, by the server's record."""
    timeline = server.job(name)["lazulite"]["timeline"]
    return _moment(timeline["ended"]) - _moment(timeline["created"])


def start_of_python(bench: Bench) -> float:
    """Return the median seconds of `python -c pass`."""
    words = [sys.executable, "-c", "pass"]
    return statistics.median(
        elapsed(lambda: subprocess.run(words, check=True, env=bench.server.environ))
        for _ in range(2 * bench.rounds + 3)
    )


def ready(bench: Bench) -> list[Row]:
    """Time the server from nothing and from an existing home; weigh it idle."""
    fresh, again, weights = [], [], []
    for k in range(bench.rounds):
        server = Server(bench.folder / f"home{k}")
        try:
            fresh.append(server.start())
            server.stop()
            again.append(server.start())
            time.sleep(1)  # let it come to rest
            weights.append(_weight(server))
            server.stop()
        finally:
            server.clean_up()
    python = start_of_python(bench)
    return [
        Row(what="server ready, new home", samples=fresh, goal=2, beside=python, peer="python"),
        Row(what="server ready, old home", samples=again, goal=2, beside=python, peer="python"),
        Row(what="server idle memory", samples=weights, goal=150e6, form=megabytes),
    ]


def warm_up(bench: Bench) -> None:
    """Build the environment of all that is measured, and learn which Python it is."""
    path = pipelines.first_line(bench.folder / "warm")
    bench.python = _first_line(bench, bench.server, path)[1]


def first_lines(bench: Bench) -> list[Row]:
    """Time `lazulite job create` to the first line of user code, server up and down."""
    path = pipelines.first_line(bench.folder / "first")
    python = start_of_python(bench)
    up = [_first_line(bench, bench.server, path)[0] for _ in range(2 * bench.rounds + 1)]
    down, starts = [], []
    server = Server(bench.server.home.with_name("down"))
    try:
        server.start()
        _first_line(bench, server, path)
        for _ in range(bench.rounds):
            server.stop()
            starts.append(server.start())
            server.stop()
            down.append(_first_line(bench, server, path)[0])
            server.cli("down")
    finally:
        server.clean_up()
    start = statistics.median(starts)
    beyond = [max(0.0, one - start) for one in down]
    return [
        Row(what="job create to first line", samples=up, goal=0.1, beside=python, peer="python"),
        Row(what="same with no server running", samples=down, beside=start, peer="server"),
        Row(what="  beyond the server's start", samples=beyond, goal=0.5),
    ]


def commands(bench: Bench) -> list[Row]:
    """Time the command line beside `python -c pass`."""
    python = start_of_python(bench)

    def times(*words: str) -> list[float]:
        return [elapsed(lambda: bench.server.cli(*words)) for _ in range(2 * bench.rounds + 1)]

    peer = {"beside": python, "peer": "python"}
    return [
        Row(what="lazulite --help", samples=times("--help"), goal=0.15, **peer),
        Row(what="lazulite job list", samples=times("job", "list"), goal=0.3, **peer),
    ]


def chain(bench: Bench, length: int = 20) -> list[Row]:
    """Time a chain of trivial steps, per step, beside the same script by bare subprocess."""
    path = pipelines.chain(bench.folder / "chain", length)
    bench.run(path, round=next(bench.numbers))
    steps, bare = [], []
    for _ in range(bench.rounds):
        bare.append(_bare(bench, path.parent / "src" / "step.py", length, slots=1) / length)
        name = bench.run(path, round=next(bench.numbers))
        steps.append(duration(bench.server, name) / length)
        _keep_phases(bench, name)
    peer = {"beside": statistics.median(bare), "peer": "bare"}
    return [
        Row(what=f"chain of {length}, per step", samples=steps, goal=0.025, times=25 / 15, **peer)
    ]


def fan_out(bench: Bench, width: int = 500) -> list[Row]:
    """Time many steps at once on two slots, and their join, beside bare subprocess."""
    path = pipelines.fan_out(bench.folder / "fan", width)
    whole, bare = [], []
    for _ in range(bench.rounds):
        bare.append(_bare(bench, path.parent / "src" / "step.py", width + 1, slots=2))
        name = bench.run(path, round=next(bench.numbers))
        whole.append(duration(bench.server, name))
    peer = {"beside": statistics.median(bare), "peer": "bare"}
    return [
        Row(
            what=f"fan-out of {width} and join, 2 slots",
            samples=whole,
            goal=3.5,
            times=3.5 / 2.7,
            **peer,
        )
    ]


def again(bench: Bench, length: int = 20, width: int = 999) -> list[Row]:
    """Time unchanged runs: every step is reused."""
    rows = []
    for path, goal in (
        (pipelines.chain(bench.folder / "again_chain", length), 0.1),
        (pipelines.fan_out(bench.folder / "again_fan", width), 1.0),
    ):
        number = next(bench.numbers)
        first = duration(bench.server, bench.run(path, round=number))
        names = [bench.run(path, round=number) for _ in range(bench.rounds)]
        times = [duration(bench.server, name) for name in names]
        nodes = bench.server.children(names[-1])
        ran = [node for node, job in nodes.items() if not job["reusedFrom"]]
        if ran:
            raise RuntimeError(
                f"{path}: {len(ran)} of {len(nodes)} nodes were not reused: {ran[:5]}"
            )
        what = f"unchanged re-run of {len(nodes)} nodes"
        rows.append(Row(what=what, samples=times, goal=goal, beside=first, peer="first run"))
    return rows


def idle(bench: Bench, period: float = 10) -> list[Row]:
    """Weigh what the server's processes use of a core while nothing happens."""
    time.sleep(2)  # let what was measured before come to rest
    before = _used(bench.server)
    time.sleep(period)
    share = (_used(bench.server) - before) / period
    return [
        Row(what=f"engine idle over {period:.0f} s", samples=[share], goal=0.002, form=cores),
        Row(what="server memory after all this", samples=[_weight(bench.server)], form=megabytes),
    ]


def snapshot(bench: Bench, files: int = 2000) -> list[Row]:
    """Time `job create` with a folder of many files beside copying it, first and again."""
    first, repeat, copies, small = [], [], [], []
    little = pipelines.first_line(bench.folder / "little")
    for k in range(bench.rounds):
        path = pipelines.first_line(bench.folder / f"many{k}", files)
        copy = bench.folder / f"copy{k}"
        copies.append(elapsed(lambda a=path.parent, b=copy: shutil.copytree(a, b)))
        for samples in (first, repeat):
            samples.append(elapsed(lambda p=path: bench.submit(p, mark=bench.folder / "mark")))
        small.append(elapsed(lambda: bench.submit(little, mark=bench.folder / "mark")))
    peer = {"beside": statistics.median(copies), "peer": "copytree"}
    return [
        Row(what=f"job create with {files} new files", samples=first, **peer),
        Row(what=f"job create with {files} known files", samples=repeat, **peer),
        Row(what="job create with 1 known file", samples=small),
    ]


def _first_line(bench: Bench, server: Server, path: Path) -> tuple[float, str]:
    """Run the job; return the seconds from the command to its first line, and its Python."""
    mark = bench.folder / f"mark{next(bench.numbers)}"
    words = ["job", "create", "-f", str(path), "--set", f"inputs.mark={mark}"]
    began = time.time()
    name = server.cli(*words, "--query", "name", "-o", "tsv").stdout.strip()
    if server.process is None:  # the command started one
        server.adopt()
    found = server.wait(name, timeout=600)
    if found["status"] != "Completed":
        raise RuntimeError(f"{name} is {found['status']}: {found['lazulite']['error']}")
    moment, python = mark.read_text().split(maxsplit=1)
    return float(moment) - began, python


def _bare(bench: Bench, script: Path, count: int, slots: int) -> float:
    """Return the seconds that `count` bare processes of the script take on `slots` threads."""
    out = bench.folder / "bare"
    out.mkdir(exist_ok=True)
    words = [bench.python, str(script), str(out), "1"]

    def one(_: int) -> None:
        subprocess.run(words, check=True, env=bench.server.environ)

    with ThreadPoolExecutor(slots) as pool:
        return elapsed(lambda: list(pool.map(one, range(count))))


def _keep_phases(bench: Bench, name: str) -> None:
    """Remember where the seconds of each step went: the time up to each phase's successor."""
    for child in bench.server.children(name).values():
        timeline = bench.server.job(child["name"])["lazulite"]["timeline"]
        passed = [(phase, _moment(timeline[phase])) for phase in PHASES if timeline.get(phase)]
        for (phase, start), (_, end) in itertools.pairwise(passed):
            bench.phases.setdefault(phase, []).append(end - start)


def _processes(server: Server) -> list[psutil.Process]:
    whole = psutil.Process(server.about["pid"])
    return [whole, *whole.children(recursive=True)]


def _weight(server: Server) -> float:
    return float(sum(process.memory_info().rss for process in _processes(server)))


def _used(server: Server) -> float:
    times = [process.cpu_times() for process in _processes(server)]
    return sum(t.user + t.system for t in times)


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
