"""Speed of tracking beside `mlflow server` and raw SQLite: `python -m tests.bench.tracking_bench`.

Both servers get the same requests over one keep-alive connection, side by side in one run.
`--runs 50000` sets the size of the searches, `--alone` leaves MLflow out.
"""

from __future__ import annotations

import argparse
import http.client
import importlib.util
import json
import os
import platform
import random
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from lazulite.domain.ids import DEFAULT_WORKSPACE
from lazulite.domain.job import Job, JobKind, JobStatus, Timeline
from lazulite.domain.run import Batch, Point
from lazulite.ports.store import Store, Tx
from lazulite.store.database import open_store
from tests.bench.table import Row, table
from tests.e2e.server import Server

POINTS = 100_000  # of the long curve
EXPERIMENT = "bench"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Peer:
    """A server that speaks MLflow's REST, and one connection to it."""

    def __init__(self, url: str, token: str, pid: int) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.pid = pid

    def call(self, method: str, path: str, body: Any = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        return json.loads(self.send(method, path, content) or b"{}")

    def send(self, method: str, path: str, content: bytes | None) -> bytes:
        self._connection.request(method, path, content, self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {body[:300]!r}")
        return body

    def memory(self) -> int:
        """Bytes of the process and all below it."""
        top = psutil.Process(self.pid)
        return sum(p.memory_info().rss for p in [top, *top.children(recursive=True)])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.tracking_bench")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--alone", action="store_true")
    args = parser.parse_args()
    alone = args.alone or importlib.util.find_spec("mlflow") is None
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {args.runs} runs", end="")
    print(f", load {os.getloadavg()[0]:.1f}{', without MLflow' if alone else ''}", flush=True)
    with tempfile.TemporaryDirectory(prefix="lazulite-bench-") as name:
        folder = Path(name)
        found = _measure_ours(folder, args.runs, args.rounds)
        theirs = {} if alone else _measure_theirs(folder, args.runs, args.rounds)
        raw = _raw(folder, args.rounds)
    rows = [
        Row(
            what=what,
            samples=samples,
            goal=_GOALS.get(what),
            beside=statistics.median(theirs[what]) if what in theirs else None,
            peer="MLflow" if what in theirs else "",
        )
        for what, samples in found.items()
    ]
    batch = statistics.median(found["log_batch of 1 000"])
    print(table(rows))
    print(f"raw executemany of 1 000 rows into the same table: {raw * 1000:.2f} ms; ", end="")
    print(f"log_batch is {raw / batch:.2f}x of it (goal 0.3)")
    return 0 if all(row.passed for row in rows) else 1


_GOALS = {
    "log_metric, one": 0.002,
    "search sorted by a metric, first 1 000": 0.05,
    "curve of 100 000 points in 320": 0.1,
}


def _measure_ours(folder: Path, runs: int, rounds: int) -> dict[str, list[float]]:
    server = Server(folder / "home")
    try:
        server.start()
        server.stop()
        with closing(open_store(f"sqlite:///{server.home / 'lazulite.db'}")) as store:
            _fill(store, runs)
        server.start()
        token = (server.home / "token").read_text().strip()
        assert server.process is not None
        peer = Peer(server.about["http"], token, server.process.pid)
        found = _measure(peer, rounds)
        print(f"Lazulite: {peer.memory() / 1e6:.0f} MB in all its processes", flush=True)
        return found
    finally:
        server.clean_up()


def _fill(store: Store, runs: int) -> None:
    chance = random.Random(1)

    def part(tx: Tx, first: int) -> None:
        workspace = tx.workspaces.get(DEFAULT_WORKSPACE).id
        for number in range(first, min(first + 500, runs)):
            acc, lr, team = _values(chance, number)
            job = Job(
                workspace=workspace,
                name=f"r{number:06d}",
                kind=JobKind.RUN,
                experiment=EXPERIMENT,
                display_name=f"run {number}",
                status=JobStatus.COMPLETED,
                tags={"team": team},
                timeline=Timeline(created=NOW + timedelta(seconds=number)),
                created_by="bench",
                modified_at=NOW,
            )
            head = tx.runs.start(job, None)
            points = [Point(key, acc, 1, 1) for key in ("acc", "loss", "f1")]
            params = [("lr", lr), ("depth", str(number % 20)), ("kind", "tree")]
            tx.runs.log(head, Batch(metrics=points, params=params))

    for first in range(0, runs, 500):
        store.write(lambda tx, first=first: part(tx, first))


def _values(chance: random.Random, number: int) -> tuple[float, str, str]:
    return chance.random(), str(chance.choice([0.1, 0.01, 0.001])), f"t{number % 10}"


def _measure_theirs(folder: Path, runs: int, rounds: int) -> dict[str, list[float]]:
    with _mlflow(folder) as peer:
        made = peer.call("POST", "/api/2.0/mlflow/experiments/create", {"name": EXPERIMENT})
        _fill_theirs(folder / "mlflow.db", int(made["experiment_id"]), runs)
        found = _measure(peer, rounds)
        print(f"MLflow: {peer.memory() / 1e6:.0f} MB in all its processes", flush=True)
        return found


@contextmanager
def _mlflow(folder: Path) -> Iterator[Peer]:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    with (folder / "mlflow.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        _wait(port, process)
        yield Peer(f"http://127.0.0.1:{port}", "", process.pid)
    finally:
        for one in [*psutil.Process(process.pid).children(recursive=True), process]:
            one.kill()
        process.wait()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    began = time.perf_counter()
    while time.perf_counter() - began < 120 and process.poll() is None:
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as probe:
                probe.request("GET", "/health")
                if probe.getresponse().status == 200:
                    print(f"MLflow: ready in {time.perf_counter() - began:.1f} s", flush=True)
                    return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("`mlflow server` did not start")


_RUN_COLUMNS = (
    "run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, "
    "end_time, source_version, lifecycle_stage, artifact_uri, experiment_id"
)


def _fill_theirs(path: Path, experiment: int, runs: int) -> None:
    chance = random.Random(1)
    rows = [(f"r{n:031d}", *_values(chance, n)) for n in range(runs)]
    tables: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
        "runs": (
            _RUN_COLUMNS,
            [
                (
                    *(run, f"run {n}", "LOCAL", "", "", "bench", "FINISHED", 1_767_225_600_000 + n),
                    *(
                        1_767_225_600_000 + n,
                        "",
                        "active",
                        f"mlflow-artifacts:/1/{run}",
                        experiment,
                    ),
                )
                for n, (run, *_) in enumerate(rows)
            ],
        ),
        "latest_metrics": (
            "key, value, timestamp, step, is_nan, run_uuid",
            [(k, acc, 1, 1, 0, run) for run, acc, *_ in rows for k in ("acc", "loss", "f1")],
        ),
        "params": (
            "key, value, run_uuid",
            [
                (key, value, run)
                for n, (run, _, lr, _) in enumerate(rows)
                for key, value in (("lr", lr), ("depth", str(n % 20)), ("kind", "tree"))
            ],
        ),
        "tags": ("key, value, run_uuid", [("team", team, run) for run, *_, team in rows]),
    }
    with closing(sqlite3.connect(path, timeout=60)) as db, db:
        for name, (columns, values) in tables.items():
            marks = ",".join("?" * len(values[0]))
            db.executemany(f"INSERT INTO {name} ({columns}) VALUES ({marks})", values)


def _measure(peer: Peer, rounds: int) -> dict[str, list[float]]:
    api = "/api/2.0/mlflow"
    named = peer.call("GET", f"{api}/experiments/get-by-name?experiment_name={EXPERIMENT}")
    experiment = named["experiment"]["experiment_id"]

    def create() -> str:
        body = {"experiment_id": experiment, "start_time": int(time.time() * 1000), "user_id": "b"}
        made = peer.call("POST", f"{api}/runs/create", body)
        return str(made["run"]["info"]["run_id"])

    run = create()
    steps = iter(range(10**9))

    def one() -> None:
        point = {"key": "m", "value": 0.5, "timestamp": 1_767_225_600_000, "step": next(steps)}
        peer.call("POST", f"{api}/runs/log-metric", {"run_id": run, **point})

    def batch(of: str = "b") -> bytes:
        metrics = [
            {"key": of, "value": 0.5 * at, "timestamp": 1_767_225_600_000 + at, "step": next(steps)}
            for at in range(1000)
        ]
        return json.dumps({"run_id": run, "metrics": metrics}).encode()

    def search(limit: int, text: str = "", *orders: str) -> Callable[[], None]:
        body = {"experiment_ids": [experiment], "filter": text, "order_by": orders}
        content = json.dumps({**body, "max_results": limit}).encode()

        def act() -> None:
            peer.send("POST", f"{api}/runs/search", content)

        return act

    found = {
        "create_run": _timed(create, rounds * 10),
        "log_metric, one": _timed(one, rounds * 20),
        "log_batch of 1 000": [
            _once(partial(peer.send, "POST", f"{api}/runs/log-batch", batch()))
            for _ in range(rounds * 3)
        ],
        "search newest 100": _timed(search(100), rounds),
        "search sorted by a metric, first 1 000": _timed(
            search(1000, "metrics.acc > 0.1", "metrics.acc DESC"), rounds
        ),
        "search by params and tags, first 100": _timed(
            search(100, "params.lr = '0.1' and tags.team = 't3'"), rounds
        ),
    }
    for _ in range(POINTS // 1000):
        peer.send("POST", f"{api}/runs/log-batch", batch("long"))
    curve = "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval"
    path = f"{curve}?run_ids={run}&metric_key=long&max_results=320"
    found["curve of 100 000 points in 320"] = _timed(lambda: peer.send("GET", path, None), rounds)
    return found


def _raw(folder: Path, rounds: int) -> float:
    """Seconds that SQLite itself takes for 1 000 rows of `metrics` in one transaction."""
    with closing(sqlite3.connect(folder / "home" / "lazulite.db", isolation_level=None)) as db:
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute("PRAGMA foreign_keys=ON")
        run = db.execute("SELECT max(id) FROM jobs").fetchone()[0]
        best = []
        for part in range(rounds * 3):
            rows = [(run, 999_999, part * 1000 + at, at, 0.5) for at in range(1000)]
            began = time.perf_counter()
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT INTO metrics VALUES (?,?,?,?,?)", rows)
            db.execute("COMMIT")
            best.append(time.perf_counter() - began)
    return statistics.median(best)


def _timed(act: Callable[[], object], rounds: int) -> list[float]:
    act()
    return [_once(act) for _ in range(rounds)]


def _once(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
