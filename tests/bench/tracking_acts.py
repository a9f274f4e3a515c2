"""What is done to a server that tracks: one function per row of the table. They print nothing."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from tests.bench.tracking_fill import START
from tests.bench.tracking_peers import Peer

API = "/api/2.0/mlflow"
POINTS = 100_000  # of the long curve
ARTIFACT = 200 << 20  # bytes
_SLOW = 2.0  # seconds after which an act is not repeated


@dataclass(slots=True)
class Subject:
    """A server, a run on it, and the database that it writes to."""

    peer: Peer
    database: Path
    experiment: str
    run: str = ""
    steps: Iterator[int] = field(default_factory=count)
    batches: list[bytes] = field(default_factory=list)  # of points, ready to be sent

    def __post_init__(self) -> None:
        self.run = create_run(self)


Act = Callable[[Subject], object]


def timed(act: Act, subject: Subject, rounds: int) -> list[float]:
    """Return the seconds of each round, after one to warm up; a slow act is measured once."""
    first = once(act, subject)
    if first > _SLOW:
        return [first]
    return [once(act, subject) for _ in range(rounds)]


def once(act: Act, subject: Subject) -> float:
    began = time.perf_counter()
    act(subject)
    return time.perf_counter() - began


def create_run(on: Subject) -> str:
    body = {"experiment_id": on.experiment, "start_time": START, "user_id": "b"}
    made = on.peer.call("POST", f"{API}/runs/create", body)
    return str(made["run"]["info"]["run_id"])


def log_metric(on: Subject) -> None:
    point = {"key": "m", "value": 0.5, "timestamp": START, "step": next(on.steps)}
    on.peer.call("POST", f"{API}/runs/log-metric", {"run_id": on.run, **point})


def log_batch(on: Subject) -> None:
    """Send a batch that was made before: to make it is the same work for every server."""
    on.peer.send("POST", f"{API}/runs/log-batch", on.batches.pop())


def make_batches(on: Subject, number: int) -> None:
    on.batches += [_batch(on, "b") for _ in range(number)]


def _batch(on: Subject, key: str) -> bytes:
    metrics = [
        {"key": key, "value": 0.5 * at, "timestamp": START + at, "step": next(on.steps)}
        for at in range(1000)
    ]
    return json.dumps({"run_id": on.run, "metrics": metrics}).encode()


def tiny_run(on: Subject) -> None:
    """Do the 29 calls of a small training."""
    on.peer.call("GET", f"{API}/experiments/get?experiment_id={on.experiment}")
    run = create_run(on)
    for number in range(5):
        body = {"run_id": run, "key": f"p{number}", "value": str(number)}
        on.peer.call("POST", f"{API}/runs/log-parameter", body)
    for number in range(20):
        point = {"key": "loss", "value": 1 / (number + 1), "timestamp": START, "step": number}
        on.peer.call("POST", f"{API}/runs/log-metric", {"run_id": run, **point})
    on.peer.call("POST", f"{API}/runs/set-tag", {"run_id": run, "key": "k", "value": "v"})
    end = {"run_id": run, "status": "FINISHED", "end_time": START + 1}
    on.peer.call("POST", f"{API}/runs/update", end)


def search(size: int, limit: int, text: str = "", *orders: str) -> Act:
    """Return a search of the experiment with so many runs."""

    def act(on: Subject) -> None:
        within = [on.peer.experiments[size]]
        body = {"experiment_ids": within, "filter": text, "order_by": orders, "max_results": limit}
        found = on.peer.send("POST", f"{API}/runs/search", json.dumps(body).encode())
        assert found.count(b'"run_uuid"') >= min(limit, size) // 100

    return act


def searches(size: int) -> dict[str, Act]:
    """Return the searches of an experiment with so many runs."""
    name = f"{size:,}".replace(",", " ")
    loose = "params.kind = 'tree' AND params.depth LIKE '%1%'"
    return {
        f"search {name}: by a metric, first 1 000": search(
            size, 1000, "metrics.acc > 0.1", "metrics.acc DESC"
        ),
        f"search {name}: same, two texts besides": search(size, 1000, loose, "metrics.acc DESC"),
        f"search {name}: by params and tags": search(
            size, 1000, "params.lr = '0.1' AND tags.team = 't3'"
        ),
        f"search {name}: newest 100": search(size, 100),
    }


def long_curve(on: Subject) -> float:
    """Log the long curve; return the bytes that the database grew by a point."""
    before = database_size(on.database)
    for _ in range(POINTS // 1000):
        on.peer.send("POST", f"{API}/runs/log-batch", _batch(on, "long"))
    return (database_size(on.database) - before) / POINTS


def history_whole(on: Subject) -> None:
    points, token = 0, ""
    while True:
        path = f"{API}/metrics/get-history?run_id={on.run}&metric_key=long&max_results=25000"
        found = on.peer.call("GET", path + (f"&page_token={token}" if token else ""))
        points += len(found.get("metrics", []))
        token = found.get("next_page_token", "")
        if not token:
            break
    assert points == POINTS


def history_sampled(on: Subject) -> None:
    curve = "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval"
    on.peer.send("GET", f"{curve}?run_ids={on.run}&metric_key=long&max_results=320", None)


def upload(file: Path) -> Act:
    """Return an upload of a file as an artifact."""

    def act(on: Subject) -> None:
        with file.open("rb") as content:
            on.peer.send("PUT", _artifact(on), content, "application/octet-stream")

    return act


def download(on: Subject) -> None:
    assert on.peer.drain(_artifact(on)) == ARTIFACT


def _artifact(on: Subject) -> str:
    root = "/api/2.0/mlflow-artifacts/artifacts"
    return f"{root}/{on.experiment}/{on.run}/artifacts/big.bin"


def make_file(folder: Path) -> Path:
    """Write the file that goes up and down."""
    file = folder / "big.bin"
    with file.open("wb") as out:
        for _ in range(ARTIFACT >> 20):
            out.write(os.urandom(1 << 20))
    return file


def database_size(path: Path) -> int:
    """Return the bytes of the pages that a SQLite database uses."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60)) as db:
        ask = ("page_count", "freelist_count", "page_size")
        pages, free, size = (db.execute(f"PRAGMA {one}").fetchone()[0] for one in ask)
        return int((pages - free) * size)


def raw_batches(path: Path, rounds: int) -> list[float]:
    """Return the seconds that SQLite takes for 1 000 rows of `metrics` in one transaction."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as db:
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute("PRAGMA foreign_keys=ON")
        run = db.execute("SELECT max(id) FROM jobs").fetchone()[0]
        return [_raw_batch(db, run, part) for part in range(rounds)]


def _raw_batch(db: sqlite3.Connection, run: int, part: int) -> float:
    rows: list[tuple[Any, ...]] = [(run, 999_999, part * 1000 + at, at, 0.5) for at in range(1000)]
    began = time.perf_counter()
    db.execute("BEGIN IMMEDIATE")
    db.executemany("INSERT INTO metrics VALUES (?,?,?,?,?)", rows)
    db.execute("COMMIT")
    return time.perf_counter() - began
