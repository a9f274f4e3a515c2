"""Jobs as clients see them. What the engine does to them is in `executions.py`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa

from lazulite.domain.errors import Conflict, NotFound
from lazulite.domain.job import FINAL, Job, JobKind
from lazulite.ports.store import JobFilter, Listed, Page
from lazulite.store.columns import among, insert, row_id_after
from lazulite.store.experiments import experiment_id
from lazulite.store.labels import findable, forget_tags, index_tags
from lazulite.store.rows import (
    FREE,
    SELECT_FULL,
    documents_of,
    encode_fields,
    full_job_of,
    row_of,
)
from lazulite.store.tables import experiments, job_documents, jobs

CLIENT_FIELDS = frozenset(
    {"display_name", "description", "tags", "properties", "archived", "modified_at", "body"}
)

_GET = SELECT_FULL.where(
    jobs.c.workspace == sa.bindparam("workspace"), jobs.c.name == sa.bindparam("name")
)
_BY_ID = SELECT_FULL.where(jobs.c.id == sa.bindparam("job"))
_CHILDREN = SELECT_FULL.where(jobs.c.parent == sa.bindparam("parent")).order_by(jobs.c.id)
_NAMES = sa.select(jobs.c.id, jobs.c.name).where(among(jobs.c.id, "jobs"))
_EXISTS = sa.select(jobs.c.id).where(jobs.c.id == sa.bindparam("job"))
_LABELS = sa.select(jobs.c.experiment, jobs.c.tags, jobs.c.properties).where(
    jobs.c.id == sa.bindparam("job")
)
_UNFINISHED = sa.select(sa.func.count()).where(
    jobs.c.workspace == sa.bindparam("workspace"), jobs.c.lease_token.is_not(None)
)
_NOT_FINAL = [jobs.c.status != status.value for status in sorted(FINAL)]
_CANCEL = (
    sa.update(jobs)
    .where(jobs.c.id == sa.bindparam("job"), *_NOT_FINAL)
    .values(cancel_requested=True)
)
_DELETE = sa.delete(jobs).where(jobs.c.id == sa.bindparam("job"))
_INSERT_DOCUMENTS = sa.insert(job_documents)


class SqlJobs:
    """`ports.store.Jobs` in one transaction of either database."""

    __slots__ = ("_db",)

    def __init__(self, db: sa.Connection) -> None:
        self._db = db

    def add(self, job: Job, definition: bytes | None) -> Job:
        """Store a new job, free for an engine to claim."""
        db = self._db
        experiment = experiment_id(db, job.workspace, job.experiment, job.timeline.created)
        row = row_of(job, experiment, definition, FREE)
        made = insert(db, jobs).on_conflict_do_nothing().returning(jobs.c.id)
        row_id = db.execute(made, row).scalar()
        if row_id is None:
            raise Conflict(
                f"job '{job.name}' exists already in this workspace: give the new one another name"
            )
        db.execute(_INSERT_DOCUMENTS, documents_of(row_id, job, definition))
        index_tags(db, (row_id, experiment), findable(job.tags, job.properties))
        return msgspec.structs.replace(job, id=row_id, experiment_id=experiment)

    def get(self, workspace: int, name: str) -> Job:
        """Return the job of that name."""
        row = self._db.execute(_GET, {"workspace": workspace, "name": name}).first()
        if row is None:
            raise NotFound(f"job '{name}' does not exist in this workspace")
        return full_job_of(row)

    def by_id(self, job: int) -> Job:
        """Return the job of that row."""
        row = self._db.execute(_BY_ID, {"job": job}).first()
        if row is None:
            raise _gone(job)
        return full_job_of(row)

    def page(self, workspace: int, which: JobFilter, page: Page) -> Listed[Job]:
        """Return one page of a list, newest first."""
        query = SELECT_FULL.where(jobs.c.workspace == workspace, *_terms(which))
        before = row_id_after(page.after)
        if before is not None:
            query = query.where(jobs.c.id < before)
        query = query.order_by(jobs.c.id.desc()).limit(page.limit + 1)
        found = [full_job_of(row) for row in self._db.execute(query)]
        items = found[: page.limit]
        return Listed(items, str(items[-1].id) if len(found) > len(items) and items else None)

    def children(self, parent: int) -> list[Job]:
        """Return the jobs of a pipeline, in the order they were spawned."""
        return [full_job_of(row) for row in self._db.execute(_CHILDREN, {"parent": parent})]

    def names(self, jobs: Iterable[int]) -> dict[int, str]:
        """Return the names of those of the rows that exist."""
        rows = self._db.execute(_NAMES, {"jobs": list(jobs)})
        return {row_id: name for row_id, name in rows}  # noqa: C416 - dict() would be untyped

    def edit(self, job: int, **fields: Any) -> None:
        """Change what belongs to clients; of a bare run, which no engine drives, anything."""
        values, documents = encode_fields(fields)
        change = sa.update(jobs).where(jobs.c.id == job)
        if not CLIENT_FIELDS.issuperset(fields):
            change = change.where(jobs.c.kind == JobKind.RUN.value)
        if values and self._db.execute(change.values(values)).rowcount == 0:
            self._explain_refused(job)
        if "tags" in fields or "properties" in fields:
            experiment, *both = self._db.execute(_LABELS, {"job": job}).one()
            tags, properties = (msgspec.json.decode(stored) if stored else {} for stored in both)
            forget_tags(self._db, job)
            index_tags(self._db, (job, experiment), findable(tags, properties))
        if documents:
            self._db.execute(
                sa.update(job_documents).where(job_documents.c.job == job).values(documents)
            )

    def request_cancel(self, job: int) -> bool:
        """Ask that a job be canceled; False when it has ended already."""
        if self._db.execute(_CANCEL, {"job": job}).rowcount:
            return True
        if self._db.execute(_EXISTS, {"job": job}).first() is None:
            raise _gone(job)
        return False

    def delete(self, job: int) -> None:
        """Take a job away, with all below it and all that was logged to it."""
        if self._db.execute(_DELETE, {"job": job}).rowcount == 0:
            raise _gone(job)

    def unfinished(self, workspace: int) -> int:
        """Count the jobs an engine still has to bring to an end."""
        return self._db.execute(_UNFINISHED, {"workspace": workspace}).scalar_one()

    def _explain_refused(self, job: int) -> None:
        if self._db.execute(_EXISTS, {"job": job}).first() is None:
            raise _gone(job)
        raise Conflict("the state of this job belongs to the engine that runs it: cancel it")


def _gone(job: int) -> NotFound:
    return NotFound(f"job #{job} does not exist (any more)", job=job)


def _terms(which: JobFilter) -> list[sa.ColumnElement[bool]]:
    parent = jobs.c.parent.is_(None) if which.parent is None else jobs.c.parent == which.parent
    terms = [parent]
    if which.kinds:
        terms.append(jobs.c.kind.in_(which.kinds))
    if which.archived is not None:
        terms.append(jobs.c.archived == which.archived)
    if which.status:
        terms.append(jobs.c.status.in_([status.value for status in which.status]))
    if which.experiment is not None:
        terms.append(experiments.c.name == which.experiment)
    return terms
