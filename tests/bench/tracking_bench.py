"""Speed of tracking beside `mlflow server` and the limits: `python -m tests.bench.tracking_bench`.

Both servers run side by side and get the same requests over one keep-alive connection, act by act.
The runs to be searched are written into both databases past the servers. `--runs 10000 50000` sets
how many, `--alone` leaves MLflow out. It exits with 1 when a goal was missed.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.bench import tracking_acts as acts
from tests.bench.table import Format, columns, megabytes, seconds
from tests.bench.tracking_acts import Act, Subject
from tests.bench.tracking_fill import experiment, fill_mlflow, fill_ours
from tests.bench.tracking_peers import Peer, bare, lazulite, mlflow, watched
from tests.e2e.server import Server

HEAD = ("what", "Lazulite", "least .. most", "MLflow", "MLflow/ours", "limit", "goal", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row: what we take, what MLflow takes, and what nothing can be faster than."""

    what: str
    ours: Sequence[float]
    theirs: Sequence[float] = ()
    limit: float | None = None
    limit_name: str = ""
    at_most: float | None = None  # goals: a value, how many times faster than MLflow,
    faster: float | None = None
    share: float | None = None  # and which share of the limit's speed
    form: Format = seconds

    @property
    def value(self) -> float:
        return statistics.median(self.ours)

    @property
    def times(self) -> float | None:
        """How many times ours MLflow's is."""
        return statistics.median(self.theirs) / self.value if self.theirs else None

    @property
    def missed(self) -> bool:
        far = self.at_most is not None and self.value > self.at_most
        slow = self.faster is not None and self.times is not None and self.times < self.faster
        low = self.share is not None and self.limit is not None
        return far or slow or (low and self.limit / self.value < self.share)

    @property
    def cells(self) -> tuple[str, ...]:
        goals = [
            f"<= {self.form(self.at_most)}" if self.at_most is not None else "",
            f">= {self.faster:g}x MLflow" if self.faster else "",
            f">= {self.share:g} of the limit" if self.share else "",
        ]
        goal = ", ".join(filter(None, goals))
        spread = f"{self.form(min(self.ours))} .. {self.form(max(self.ours))}"
        return (
            self.what,
            self.form(self.value),
            spread if len(self.ours) > 1 else "",
            self.form(statistics.median(self.theirs)) if self.theirs else "",
            f"{self.times:.1f}x" if self.times is not None else "",
            f"{self.form(self.limit)} {self.limit_name}" if self.limit is not None else "",
            goal,
            "" if not goal else "MISS" if self.missed else "pass",
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.tracking_bench")
    parser.add_argument("--runs", type=int, nargs="+", default=[10_000, 50_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--alone", action="store_true")
    args = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # it would slow every start
    version = "left out"
    if not args.alone:
        found = importlib.util.find_spec("mlflow") is not None
        version = importlib.metadata.version("mlflow") if found else "not installed: left out"
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, MLflow {version}", end="")
    print(f", load {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory(prefix="lazulite-bench-") as name:
        beside = version[0].isdigit()
        lines = measured(Path(name), args.runs, args.rounds, beside=beside)
    print(columns([HEAD, *(line.cells for line in lines)]))
    return 1 if any(line.missed for line in lines) else 0


def measured(folder: Path, sizes: Sequence[int], rounds: int, *, beside: bool) -> list[Line]:
    """Measure everything.

    Args:
        folder: for both homes.
        sizes: numbers of runs that are searched.
        rounds: of each act.
        beside: do the same on `mlflow server`.
    """
    home = folder / "home"
    _say("filling the databases")
    _make_home(home)
    fill_ours(home, sizes)
    with ExitStack() as stack:
        ours = stack.enter_context(lazulite(home))
        peers, files = [ours], [home / "lazulite.db"]
        if beside:
            peers.append(stack.enter_context(mlflow(folder)))
            files.append(folder / "mlflow.db")
        time.sleep(1)  # let them come to rest
        for peer in peers:
            peer.idle = peer.memory()
        if beside:
            made = {size: _create(peers[1], size) for size in sizes}
            fill_mlflow(files[1], made)
        most = stack.enter_context(watched(*(peer.pid for peer in peers)))
        subjects = [_subject(p, f, sizes) for p, f in zip(peers, files, strict=True)]
        floor = stack.enter_context(bare(folder))
        lines = [*_starts(peers), *_writes(subjects, floor, rounds)]
        lines += _curves(subjects, rounds)
        lines += _searches(subjects, sizes, rounds)
        lines += _files(subjects, folder)
        peaks = [float(most[peer.pid]) for peer in peers]
    whole = Line(
        what="most memory through all of it",
        ours=peaks[:1],
        theirs=peaks[1:],
        at_most=200e6,
        form=megabytes,
    )
    return [*lines, whole]


def _make_home(home: Path) -> None:
    server = Server(home)
    try:
        server.start()
        server.stop()
    finally:
        server.clean_up()


def _create(peer: Peer, size: int) -> int:
    path = f"{acts.API}/experiments/create"
    return int(peer.call("POST", path, {"name": experiment(size)})["experiment_id"])


def _subject(peer: Peer, database: Path, sizes: Sequence[int]) -> Subject:
    for size in sizes:
        name = experiment(size).replace(" ", "%20")
        path = f"{acts.API}/experiments/get-by-name?experiment_name={name}"
        peer.experiments[size] = peer.call("GET", path)["experiment"]["experiment_id"]
    made = peer.call("POST", f"{acts.API}/experiments/create", {"name": "bench"})
    return Subject(peer, database, made["experiment_id"])


def _starts(peers: Sequence[Peer]) -> Iterator[Line]:
    ready = [[peer.ready] for peer in peers]
    idle = [[float(peer.idle)] for peer in peers]
    yield Line(what="cold start", ours=ready[0], theirs=_other(ready), at_most=2.0)
    yield Line(what="idle memory", ours=idle[0], theirs=_other(idle), at_most=150e6, form=megabytes)


def _writes(subjects: Sequence[Subject], floor: Peer, rounds: int) -> Iterator[Line]:
    call = _least(floor, rounds * 20)
    for what, act, calls, often, goal in (
        ("create_run", acts.create_run, 1, 10, None),
        ("log_metric, one", acts.log_metric, 1, 20, 0.002),
        ("tiny run (29 calls)", acts.tiny_run, 29, 1, None),
    ):
        taken = _say_and_time(what, act, subjects, rounds * often)
        yield Line(
            what=what,
            ours=taken[0],
            theirs=_other(taken),
            limit=call * calls,
            limit_name="bare ASGI",
            at_most=goal,
        )
    for subject in subjects:
        acts.make_batches(subject, rounds * 3 + 1)
    taken = _say_and_time("log_batch", acts.log_batch, subjects, rounds * 3)
    yield Line(
        what="log_batch of 1 000",
        ours=taken[0],
        theirs=_other(taken),
        limit=statistics.median(acts.raw_batches(subjects[0].database, rounds * 3)),
        limit_name="raw executemany",
        faster=20,
        share=0.3,
    )


def _least(floor: Peer, rounds: int) -> float:
    """Return the seconds of one small request that nobody does anything about."""
    content = b"x" * 120
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        floor.send("POST", "/", content)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def _curves(subjects: Sequence[Subject], rounds: int) -> Iterator[Line]:
    _say("the long curve")
    grown = [[acts.long_curve(subject)] for subject in subjects]
    yield Line(what="bytes of a metric point", ours=grown[0], theirs=_other(grown), form=_bytes)
    whole = _say_and_time("history", acts.history_whole, subjects, rounds)
    yield Line(what="history of 100 000 points, whole", ours=whole[0], theirs=_other(whole))
    few = _say_and_time("history", acts.history_sampled, subjects, rounds)
    yield Line(
        what="history of 100 000 points in 320", ours=few[0], theirs=_other(few), at_most=0.1
    )


def _searches(subjects: Sequence[Subject], sizes: Sequence[int], rounds: int) -> Iterator[Line]:
    for size in sizes:
        for what, act in acts.searches(size).items():
            taken = _say_and_time(what, act, subjects, rounds)
            goal = 0.05 if "by a metric" in what else None
            yield Line(what=what, ours=taken[0], theirs=_other(taken), at_most=goal)


def _files(subjects: Sequence[Subject], folder: Path) -> Iterator[Line]:
    file = acts.make_file(folder)
    for what, act in (("up", acts.upload(file)), ("down", acts.download)):
        taken = _say_and_time(f"artifact {what}", act, subjects, 2)
        yield Line(what=f"artifact of 200 MB, {what}", ours=taken[0], theirs=_other(taken))


def _say_and_time(
    what: str, act: Act, subjects: Sequence[Subject], rounds: int
) -> list[list[float]]:
    _say(what)
    return [acts.timed(act, subject, rounds) for subject in subjects]


def _other(samples: Sequence[list[float]]) -> list[float]:
    return samples[1] if len(samples) > 1 else []


def _bytes(value: float) -> str:
    return f"{value:.0f} B"


def _say(what: str) -> None:
    print(f"measuring: {what} ...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
