"""Jobs as runs: what is logged to them, and looking them up. Searches are in `run_search.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from lazulite.domain.errors import Conflict, NotFound
from lazulite.domain.job import Job
from lazulite.domain.run import Batch, Point, RunHead, RunRecord, View
from lazulite.domain.search import Search
from lazulite.ports.listed import Listed
from lazulite.store.columns import among, encode, insert
from lazulite.store.experiments import experiment_id
from lazulite.store.keys import ensure_keys
from lazulite.store.labels import add_params, forget_tags, index_tags
from lazulite.store.points import add_points, add_points_of
from lazulite.store.records import HEADS, head_of, records
from lazulite.store.rows import FREE, row_of
from lazulite.store.run_search import RunSearch
from lazulite.store.tables import job_documents, jobs

_NAMED = HEADS.where(
    jobs.c.workspace == sa.bindparam("workspace"), jobs.c.name == sa.bindparam("name")
)
_ID_AND_ROOT = sa.select(jobs.c.id, jobs.c.root).where(
    jobs.c.workspace == sa.bindparam("workspace"), jobs.c.name == sa.bindparam("name")
)
_EXPERIMENTS = sa.select(jobs.c.id, jobs.c.experiment).where(among(jobs.c.id, "runs"))
_INSERT_DOCUMENTS = sa.insert(job_documents)
_TAGS = sa.select(jobs.c.tags).where(jobs.c.id == sa.bindparam("run"))
_SET_TAGS = sa.update(jobs).where(jobs.c.id == sa.bindparam("run"))


class SqlRuns:
    """`ports.tracking.Runs` in one transaction of either database."""

    __slots__ = ("_db",)

    def __init__(self, db: sa.Connection) -> None:
        self._db = db

    def start(self, job: Job, parent: str | None) -> RunHead:
        """Store a new bare run."""
        db = self._db
        if parent is not None:
            who = {"workspace": job.workspace, "name": parent}
            if (found := db.execute(_ID_AND_ROOT, who).first()) is not None:
                job = msgspec.structs.replace(job, parent=found[0], root=found[1] or found[0])
        experiment = experiment_id(db, job.workspace, job.experiment, job.timeline.created)
        made = insert(db, jobs).on_conflict_do_nothing().returning(jobs.c.id)
        row = db.execute(made, row_of(job, experiment, None, FREE)).scalar()
        if row is None:
            raise Conflict(f"Run with id={job.name} already exists")
        db.execute(_INSERT_DOCUMENTS, {"job": row, "body": None, "definition": None})
        index_tags(db, (row, experiment), job.tags)
        return self.head(job.workspace, job.name)

    def head(self, workspace: int, name: str) -> RunHead:
        """Return what a run is."""
        row = self._db.execute(_NAMED, {"workspace": workspace, "name": name}).first()
        if row is None:
            raise NotFound(f"Run with id={name[:300]} not found")
        return head_of(row)

    def get(self, workspace: int, name: str) -> RunRecord:
        """Return a run with what was logged to it."""
        return records(self._db, [self.head(workspace, name)])[0]

    def log(self, run: RunHead, batch: Batch) -> None:
        """Write a batch."""
        db, rows = self._db, (run.id, run.experiment)
        if batch.metrics:
            ids = ensure_keys(db, {point.key for point in batch.metrics})
            add_points(db, rows, batch.metrics, ids)
        if batch.params:
            add_params(db, run, batch.params)
        if batch.tags:
            new = dict(batch.tags)
            self._save_tags(run.id, {**self._tags(run.id), **new})
            index_tags(db, rows, new)

    def sample(self, points: Mapping[int, Sequence[Point]]) -> None:
        """Write points of many runs, in a handful of statements."""
        db, names = self._db, {point.key for one in points.values() for point in one}
        found = db.execute(_EXPERIMENTS, {"runs": sorted(points)})
        where: dict[int, int] = {run: experiment for run, experiment in found}  # noqa: C416 - typed
        rows = [((run, where[run]), points[run]) for run in sorted(where)]
        add_points_of(db, rows, ensure_keys(db, names))

    def untag(self, run: RunHead, key: str) -> None:
        """Remove a tag."""
        tags = self._tags(run.id)
        if key not in tags:
            raise NotFound(f"No tag with name: {key[:300]} in run with id {run.name}")
        self._save_tags(run.id, {k: v for k, v in tags.items() if k != key})
        forget_tags(self._db, run.id, [key])

    def search(
        self, workspace: int, experiments: Sequence[int] | None, search: Search, view: View
    ) -> Listed[RunRecord]:
        """Return one page of the runs that a search finds."""
        return RunSearch(self._db, workspace, experiments, view).page(search)

    def purge(self, run: int) -> None:
        """Delete a run; the database takes what belongs to it along."""
        self._db.execute(sa.delete(jobs).where(jobs.c.id == run))

    def _tags(self, run: int) -> dict[str, str]:
        stored: bytes | None = self._db.execute(_TAGS, {"run": run}).scalar()
        found: dict[str, str] = msgspec.json.decode(stored) if stored else {}
        return found

    def _save_tags(self, run: int, tags: dict[str, str]) -> None:
        values: dict[str, Any] = {"tags": encode(tags) if tags else None}
        self._db.execute(_SET_TAGS.values(values), {"run": run})
