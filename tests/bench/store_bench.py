"""Speed of the store beside raw sqlite3, in one run: `python -m tests.bench.store_bench [URL]`.

Microseconds of wall time per row or call, the best of some rounds; CPU time of all threads beside
it, since the engine's budget is CPU (3 ms a step). The URL may name an empty PostgreSQL schema.
"""

from __future__ import annotations

import gc
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

from lazulite.domain.ids import DEFAULT_WORKSPACE
from lazulite.domain.job import Job, JobKind, JobStatus, OutputValue, Timeline
from lazulite.domain.workspace import Workspace
from lazulite.ports.store import JobFilter, Page, Store
from lazulite.store.database import open_store

ROUNDS = 5
ROWS = 1000
CALLS = 200
TOKEN = "t" * 32
NOW = datetime(2026, 1, 1, tzinfo=UTC)
DEFINITION = b'{"type":"command","command":"python step.py --x ${{inputs.x}}","component":"c"}'
COLUMNS = 38  # of the table `jobs`
numbers = count()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        url = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{home / 'lazulite.db'}"
        store = open_store(url)
        try:
            bench = Bench(store)
            rows = [*raw(home / "raw.db"), *bench.measure()]
        finally:
            store.close()
    print(f"{'what':<58}{'us wall':>10}{'us CPU':>10}")
    for what, wall, cpu in rows:
        print(f"{what:<58}{wall:>10.1f}{cpu:>10.1f}")


Measured = tuple[str, float, float]


def best(what: str, act: Callable[[], object], per: int = 1) -> Measured:
    """Return the least time of an act in microseconds, divided by `per`."""
    walls, cpus = [], []
    for _ in range(ROUNDS):
        gc.collect()
        cpu, wall = time.process_time(), time.perf_counter()
        act()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return what, min(walls) * 1e6 / per, min(cpus) * 1e6 / per


def calls(what: str, act: Callable[[], object]) -> Measured:
    """Return the time of one call of an act."""

    def repeat() -> None:
        for _ in range(CALLS):
            act()

    return best(what, repeat, CALLS)


def raw(path: Path) -> list[Measured]:
    """What sqlite3 alone needs for rows as wide as ours, with no index but the primary key."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")
    names = ", ".join(f"c{i}" for i in range(COLUMNS))
    db.execute(f"CREATE TABLE jobs (id INTEGER PRIMARY KEY, {names})")
    marks = ", ".join("?" * COLUMNS)

    def insert() -> None:
        db.execute("BEGIN")
        rows = [("some text", *range(COLUMNS - 1)) for _ in range(ROWS)]
        db.executemany(f"INSERT INTO jobs ({names}) VALUES ({marks})", rows)
        db.execute("COMMIT")

    def update() -> None:
        for row in range(1, CALLS + 1):
            db.execute("BEGIN IMMEDIATE")
            db.execute("UPDATE jobs SET c3 = ?, c4 = ? WHERE id = ?", ("x", 1, row))
            db.execute("COMMIT")

    measured = [
        best(f"raw sqlite3: executemany of {ROWS} rows, per row", insert, ROWS),
        best("raw sqlite3: UPDATE of 1 row, own commit", update, CALLS),
    ]
    db.close()
    return measured


class Bench:
    def __init__(self, store: Store) -> None:
        self.store = store
        workspace = Workspace(
            ids=DEFAULT_WORKSPACE, location="local", display_name="bench",
            created_at=NOW, created_by="bench", modified_at=NOW,
        )  # fmt: skip
        self.workspace = store.write(lambda tx: tx.workspaces.add(workspace)).id
        store.write(lambda tx: tx.executions.beat(TOKEN, "here", NOW + timedelta(minutes=1)))

    def job(self, **fields: Any) -> Job:
        return Job(
            workspace=self.workspace, name=f"job-{next(numbers)}", kind=JobKind.COMMAND,
            experiment="bench", display_name="a step", timeline=Timeline(created=NOW),
            created_by="bench", modified_at=NOW, inputs={"x": "1", "y": "some/path"},
            body={"jobType": "Command", "command": "python step.py", "tags": {}}, **fields,
        )  # fmt: skip

    def parent(self) -> Job:
        job = self.store.write(lambda tx: tx.jobs.add(self.job(), DEFINITION))
        self.store.write(lambda tx: tx.executions.claim(TOKEN, [job.id]))
        return job

    def children(self, size: int) -> list[Job]:
        parent = self.parent()
        made = [
            (self.job(parent=parent.id, root=parent.id, node=f"n{i}"), DEFINITION)
            for i in range(size)
        ]
        return self.store.write(lambda tx: tx.executions.spawn(TOKEN, made))

    def measure(self) -> list[Measured]:
        steps = self.children(ROWS)
        ids = [job.id for job in steps]
        prints = [f"{i:064x}" for i in range(ROWS)]
        return [
            calls("read: empty transaction", lambda: self.store.read(lambda tx: None)),
            calls("write: empty transaction", lambda: self.store.write(lambda tx: None)),
            self.spawn(),
            *self.advances(ids, prints),
            best(f"load of {ROWS}, per job", lambda: self.load(ids), ROWS),
            calls("load of 1", lambda: self.load(ids[:1])),
            best(f"twins of {ROWS}, per fingerprint", lambda: self.twins(prints), ROWS),
            calls("twins of 1", lambda: self.twins(prints[:1])),
            calls("job by name", lambda: self.by_name(steps[5])),
            best("page of 100 roots", self.page),
            self.crowd(1),
            self.crowd(32),
        ]

    def spawn(self) -> Measured:
        parents = [self.parent() for _ in range(ROUNDS)]
        batches = [
            [(self.job(parent=p.id, root=p.id, node=f"n{i}"), DEFINITION) for i in range(ROWS)]
            for p in parents
        ]
        return best(
            f"spawn of {ROWS}, per job",
            lambda: self.store.write(lambda tx: tx.executions.spawn(TOKEN, batches.pop())),
            ROWS,
        )

    def advances(self, ids: list[int], prints: list[str]) -> list[Measured]:
        """Advance jobs to running, one by one and together; these end as completed."""
        running = {"status": JobStatus.RUNNING, "running": NOW, "attempt": 1, "modified_at": NOW}
        outputs = {"o": OutputValue(type="uri_folder", uri="azureml://datastores/a/paths/b")}
        ended = {"status": JobStatus.COMPLETED, "ended": NOW, "outputs": outputs, "exit_code": 0}
        ones = iter(self.children(ROUNDS * CALLS))
        all_run = [(i, running) for i in ids]
        measured = [
            calls("advance of 1, own commit", lambda: self.advance([(next(ones).id, running)])),
            best(f"advance of {ROWS}, per job", lambda: self.advance(all_run), ROWS),
        ]
        self.advance([(i, {**ended, "fingerprint": p}) for i, p in zip(ids, prints, strict=True)])
        return measured

    def advance(self, changes: list[tuple[int, dict[str, Any]]]) -> None:
        self.store.write(lambda tx: tx.executions.advance(TOKEN, changes))

    def load(self, ids: list[int]) -> None:
        self.store.read(lambda tx: tx.executions.load(ids))

    def twins(self, prints: list[str]) -> None:
        self.store.read(lambda tx: tx.executions.twins(self.workspace, prints))

    def by_name(self, job: Job) -> None:
        self.store.read(lambda tx: tx.jobs.get(self.workspace, job.name))

    def page(self) -> None:
        self.store.read(lambda tx: tx.jobs.page(self.workspace, JobFilter(), Page()))

    def crowd(self, size: int) -> Measured:
        """Writers that each wait for their own commit."""
        jobs = self.children(size * 40 * ROUNDS)

        def one(share: list[Job]) -> None:
            for job in share:
                self.advance([(job.id, {"status": JobStatus.QUEUED, "queued": NOW})])

        def all_at_once() -> None:
            now = [jobs.pop() for _ in range(size * 40)]
            threads = [Thread(target=one, args=(now[i::size],)) for i in range(size)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        return best(f"advance of 1 by {size} threads at once, per write", all_at_once, size * 40)


if __name__ == "__main__":
    main()
