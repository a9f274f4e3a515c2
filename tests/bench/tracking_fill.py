"""The same runs in both databases, written past the servers: 50 000 by MLflow's REST take hours."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lazulite.domain.ids import DEFAULT_WORKSPACE
from lazulite.domain.job import Job, JobKind, JobStatus, Timeline
from lazulite.domain.run import Batch, Point
from lazulite.ports.store import Tx
from lazulite.store.database import open_store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
START = int(NOW.timestamp() * 1000)
_PART = 500  # runs of a transaction
_RUN_COLUMNS = (
    "run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, "
    "end_time, source_version, lifecycle_stage, artifact_uri, experiment_id"
)


def experiment(size: int) -> str:
    """Return the name of the experiment with so many runs."""
    return f"bench of {size}"


def fill_ours(home: Path, sizes: Sequence[int]) -> None:
    """Write the runs into the database of a home whose server is down."""
    with closing(open_store(f"sqlite:///{home / 'lazulite.db'}")) as store:
        for size in sizes:
            for first in range(0, size, _PART):
                store.write(lambda tx, first=first, size=size: _part(tx, first, size))


def _part(tx: Tx, first: int, size: int) -> None:
    workspace = tx.workspaces.get(DEFAULT_WORKSPACE).id
    for number in range(first, min(first + _PART, size)):
        acc, lr, team = _values(number)
        job = Job(
            workspace=workspace,
            name=f"r{size}-{number:06d}",
            kind=JobKind.RUN,
            experiment=experiment(size),
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


def _values(number: int) -> tuple[float, str, str]:
    chance = random.Random(number)
    return chance.random(), str(chance.choice([0.1, 0.01, 0.001])), f"t{number % 10}"


def fill_mlflow(path: Path, within: dict[int, int]) -> None:
    """Write the runs into MLflow's database.

    Args:
        path: of its SQLite file.
        within: experiment id by number of runs.
    """
    with closing(sqlite3.connect(path, timeout=60)) as db, db:
        for size, of in within.items():
            for name, (columns, values) in _tables(size, of).items():
                marks = ",".join("?" * len(values[0]))
                db.executemany(f"INSERT INTO {name} ({columns}) VALUES ({marks})", values)


def _tables(size: int, of: int) -> dict[str, tuple[str, list[tuple[Any, ...]]]]:
    rows = [(f"r{size:07d}{n:024d}", *_values(n)) for n in range(size)]
    return {
        "runs": (_RUN_COLUMNS, [_run(run, n, of) for n, (run, *_) in enumerate(rows)]),
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


def _run(run: str, number: int, of: int) -> tuple[Any, ...]:
    at = START + number
    first = run, f"run {number}", "LOCAL", "", "", "bench", "FINISHED", at, at, "", "active"
    return *first, f"mlflow-artifacts:/{of}/{run}/artifacts", of
