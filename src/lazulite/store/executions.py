"""Jobs as the engine drives them: leases, and writes that only the holder of a lease can make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa

from lazulite.domain.errors import StaleLease
from lazulite.domain.job import FINAL, Job, JobStatus
from lazulite.domain.usage import Host
from lazulite.store.columns import among, encode, insert, micros
from lazulite.store.experiments import experiment_id
from lazulite.store.rows import (
    FREE,
    LIGHT,
    SELECT_LIGHT,
    SELECT_LIGHT_DEFINITION,
    component_key,
    documents_of,
    encode_fields,
    job_of,
    row_of,
)
from lazulite.store.tables import engines, hosts, job_documents, jobs

Change = tuple[int, dict[str, Any]]

_token: sa.BindParameter[str] = sa.bindparam("token")
_LOAD = SELECT_LIGHT_DEFINITION.where(among(jobs.c.id, "jobs"))
_CLAIM_ANY = (
    sa.update(jobs)
    .where(jobs.c.lease_token == FREE)
    .values(lease_token=_token)
    .returning(jobs.c.id)
)
_CLAIM = _CLAIM_ANY.where(among(jobs.c.id, "jobs"))
_BURY = (
    sa.delete(engines)
    .where(
        engines.c.token != _token,
        (engines.c.until < sa.bindparam("now")) | (engines.c.host == sa.bindparam("host")),
    )
    .returning(engines.c.token)
)
_INHERIT = (
    sa.update(jobs)
    .where(among(jobs.c.lease_token, "dead"))
    .values(lease_token=_token)
    .returning(jobs.c.id)
)
_HELD = (
    sa.select(jobs.c.id)
    .where(among(jobs.c.id, "jobs"), jobs.c.lease_token == _token)
    .order_by(jobs.c.id)
    .with_for_update()
)
_SPAWNED = sa.select(jobs.c.id, jobs.c.node).where(
    jobs.c.parent == sa.bindparam("parent"), among(jobs.c.node, "nodes")
)
_HOST = sa.select(hosts.c.id).where(hosts.c.body == sa.bindparam("body"))
_INSERT = sa.insert(jobs)
_INSERT_DOCUMENTS = sa.insert(job_documents)
_EXECUTED = (  # the words of the partial indexes: a parameter would hide them from the planner
    sa.text("fingerprint IS NOT NULL AND reused_from IS NULL"),
    jobs.c.workspace == sa.bindparam("workspace"),
    jobs.c.status == JobStatus.COMPLETED.value,
)
_NEWEST_TWINS = (
    sa.select(sa.func.max(jobs.c.id))
    .where(*_EXECUTED, among(jobs.c.fingerprint, "fingerprints"), jobs.c.archived.is_(sa.false()))
    .group_by(jobs.c.fingerprint)
)
_TWINS = SELECT_LIGHT.where(jobs.c.id.in_(_NEWEST_TWINS))
_EARLIER = (
    SELECT_LIGHT.where(*_EXECUTED, jobs.c.id < sa.bindparam("before"))
    .order_by(jobs.c.id.desc())
    .limit(sa.bindparam("most"))
)
_SAME_NODE = jobs.c.node == sa.bindparam("node")
_SAME_COMPONENT = jobs.c.component == sa.bindparam("component")
_EARLIER_BY = (
    _EARLIER.where(_SAME_NODE, _SAME_COMPONENT),
    _EARLIER.where(_SAME_COMPONENT),
    _EARLIER.where(_SAME_NODE),
)


class SqlExecutions:
    """`ports.store.Executions` in one transaction of either database."""

    __slots__ = ("_db",)

    def __init__(self, db: sa.Connection) -> None:
        self._db = db

    def beat(self, token: str, host: str, until: datetime) -> None:
        """Say that this engine lives, and that its leases are good until then."""
        row = {"token": token, "host": host, "until": micros(until)}
        change = insert(self._db, engines).on_conflict_do_update(
            index_elements=["token"], set_={"host": row["host"], "until": row["until"]}
        )
        self._db.execute(change, row)

    def claim(self, token: str, jobs: Sequence[int] | None = None) -> list[int]:
        """Take the free ones (of these); return the rows that this call took."""
        if jobs is None:
            taken = self._db.execute(_CLAIM_ANY, {"token": token})
        else:
            taken = self._db.execute(_CLAIM, {"token": token, "jobs": list(jobs)})
        return sorted(taken.scalars())

    def takeover(self, token: str, now: datetime, host: str) -> list[int]:
        """Take the rows of engines whose lease ran out, and of older ones of this host."""
        who = {"token": token, "now": micros(now), "host": host}
        dead = list(self._db.execute(_BURY, who).scalars())
        if not dead:
            return []
        return sorted(self._db.execute(_INHERIT, {"token": token, "dead": dead}).scalars())

    def load(self, jobs: Sequence[int]) -> list[tuple[Job, bytes | None]]:
        """Return the jobs that exist, in the order asked, with their definitions; bodies empty."""
        rows = self._db.execute(_LOAD, {"jobs": list(jobs)})
        found = {row[0]: (job_of(row), row[LIGHT]) for row in rows}
        return [found[row_id] for row_id in jobs if row_id in found]

    def spawn(self, token: str, children: Sequence[tuple[Job, bytes | None]]) -> list[Job]:
        """Store the children that are not there yet, held by `token`; return all, as stored."""
        self._require(token, {child.parent or 0 for child, _ in children})
        known = self._spawned(child for child, _ in children)
        fresh = {
            (child.parent, child.node): (child, definition)
            for child, definition in children
            if (child.parent, child.node) not in known
        }
        made = self._insert(token, list(fresh.values()))
        old = [row_id for key, row_id in known.items() if key not in fresh]
        stored = {job.id: job for job, _ in self.load(old)} if old else {}
        return [
            made.get(key) or stored[known[key]]
            for key in ((child.parent, child.node) for child, _ in children)
        ]

    def advance(self, token: str, changes: Sequence[Change]) -> None:
        """Write changed fields of rows that `token` holds; what becomes final drops its lease."""
        if len(changes) == 1:
            self._advance_one(token, *changes[0])
            return
        merged: dict[int, dict[str, Any]] = {}
        for row_id, fields in changes:
            merged.setdefault(row_id, {}).update(fields)
        self._require(token, merged)
        batches: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for row_id, fields in merged.items():
            values, documents = _values(fields)
            batches.setdefault(tuple(values), []).append(
                {"row": row_id, "token": token, **_prefixed(values)}
            )
            self._change_documents(row_id, documents)
        for columns, rows in batches.items():
            if columns:
                self._db.execute(_update(columns), rows)

    def host(self, host: Host) -> Host:
        """Store a machine's state once; return it with its row id."""
        body = encode(msgspec.structs.replace(host, id=0))
        self._db.execute(insert(self._db, hosts).on_conflict_do_nothing(), {"body": body})
        row = self._db.execute(_HOST, {"body": body}).scalar_one()
        return msgspec.structs.replace(host, id=row)

    def twins(self, workspace: int, fingerprints: Sequence[str]) -> dict[str, Job]:
        """Return the newest job that really ran, completed and is listed, per fingerprint."""
        asked = {"workspace": workspace, "fingerprints": list(fingerprints)}
        found = (job_of(row) for row in self._db.execute(_TWINS, asked))
        return {job.fingerprint: job for job in found if job.fingerprint is not None}

    def earlier(
        self, workspace: int, node: str, component: str, before: int, most: int
    ) -> list[Job]:
        """Return earlier jobs to compare with: of the same node and component, either, or none."""
        who = {
            "workspace": workspace,
            "node": node.rpartition(".")[2],
            "component": component_key(component),
            "before": before,
            "most": most,
        }
        for query in _EARLIER_BY:
            if found := self._db.execute(query, who).all():
                return [job_of(row) for row in found]
        return []

    def _require(self, token: str, rows: Iterable[int]) -> None:
        """Lock the rows, or raise StaleLease if `token` does not hold every one of them."""
        wanted = sorted(rows)
        held = set(self._db.execute(_HELD, {"jobs": wanted, "token": token}).scalars())
        if len(held) < len(wanted):
            raise _stale(token, [row_id for row_id in wanted if row_id not in held])

    def _spawned(self, children: Iterable[Job]) -> dict[tuple[int | None, str | None], int]:
        nodes: dict[int | None, list[str | None]] = {}
        for child in children:
            nodes.setdefault(child.parent, []).append(child.node)
        return {
            (parent, row[1]): row[0]
            for parent, names in nodes.items()
            for row in self._db.execute(_SPAWNED, {"parent": parent, "nodes": names})
        }

    def _insert(
        self, token: str, fresh: Sequence[tuple[Job, bytes | None]]
    ) -> dict[tuple[int | None, str | None], Job]:
        if not fresh:
            return {}
        names = {(job.workspace, job.experiment) for job, _ in fresh}
        ids = {key: experiment_id(self._db, *key) for key in sorted(names)}
        rows = [row_of(job, ids[job.workspace, job.experiment], d, token) for job, d in fresh]
        self._db.execute(_INSERT, rows)
        row_ids = self._spawned(job for job, _ in fresh)
        stored = {
            (job.parent, job.node): msgspec.structs.replace(
                job,
                id=row_ids[job.parent, job.node],
                experiment_id=ids[job.workspace, job.experiment],
            )
            for job, _ in fresh
        }
        self._db.execute(
            _INSERT_DOCUMENTS, [documents_of(row_ids[j.parent, j.node], j, d) for j, d in fresh]
        )
        return stored

    def _advance_one(self, token: str, row_id: int, fields: dict[str, Any]) -> None:
        values, documents = _values(fields)
        if not values:
            self._require(token, [row_id])
        else:
            row = {"row": row_id, "token": token, **_prefixed(values)}
            if self._db.execute(_update(tuple(values)), row).rowcount == 0:
                raise _stale(token, [row_id])
        self._change_documents(row_id, documents)

    def _change_documents(self, row_id: int, documents: dict[str, Any]) -> None:
        if documents:
            where = job_documents.c.job == row_id
            self._db.execute(sa.update(job_documents).where(where).values(documents))


def _values(fields: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    values, documents = encode_fields(fields)
    if fields.get("status") in FINAL:
        values["lease_token"] = None
    return values, documents


def _prefixed(values: dict[str, Any]) -> dict[str, Any]:
    return {f"new_{column}": value for column, value in values.items()}


@cache
def _update(columns: tuple[str, ...]) -> sa.Update:
    """Return the guarded UPDATE of these columns; the engine uses a few dozen sets of them."""
    return (
        sa.update(jobs)
        .where(jobs.c.id == sa.bindparam("row"), jobs.c.lease_token == sa.bindparam("token"))
        .values({column: sa.bindparam(f"new_{column}") for column in columns})
    )


def _stale(token: str, rows: Sequence[int]) -> StaleLease:
    few = ", ".join(f"#{row_id}" for row_id in rows[:5])
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return StaleLease(
        f"lease {token[:8]} does not hold job {few}{more}: another engine took over or the job "
        "ended; drop the result",
        jobs=list(rows),
    )
