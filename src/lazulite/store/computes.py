"""Computes as rows. Names compare without case, as Azure's do."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from lazulite.domain.errors import NotFound
from lazulite.domain.workspace import Compute
from lazulite.ports.store import Listed, Page
from lazulite.store.columns import Row, encode, insert, micros, moment
from lazulite.store.tables import computes

_c = computes.c
_ALL = sa.select(computes).where(_c.workspace == sa.bindparam("workspace"))
_GET = _ALL.where(_c.key == sa.bindparam("key"))
_DELETE = sa.delete(computes).where(
    _c.workspace == sa.bindparam("workspace"), _c.key == sa.bindparam("key")
)
_REPLACED = ("kind", "location", "body", "tags", "slots", "stopped", "modified_at")


class SqlComputes:
    """`ports.store.Computes` in one transaction of either database."""

    __slots__ = ("_db",)

    def __init__(self, db: sa.Connection) -> None:
        self._db = db

    def put(self, workspace: int, compute: Compute) -> Compute:
        """Create or replace; a replaced one keeps its row, its spelling and its creation."""
        change = insert(self._db, computes)
        change = change.on_conflict_do_update(
            index_elements=["workspace", "key"],
            set_={column: change.excluded[column] for column in _REPLACED},
        ).returning(*_c)
        return _compute_of(self._db.execute(change, _row_of(workspace, compute)).one())

    def get(self, workspace: int, name: str) -> Compute:
        """Return the compute of that name."""
        row = self._db.execute(_GET, {"workspace": workspace, "key": name.casefold()}).first()
        if row is None:
            raise _unknown(name)
        return _compute_of(row)

    def page(self, workspace: int, page: Page) -> Listed[Compute]:
        """Return one page, by name."""
        query = _ALL.order_by(_c.key).limit(page.limit + 1)
        if page.after is not None:
            query = query.where(_c.key > page.after)
        rows = self._db.execute(query, {"workspace": workspace}).all()
        shown = rows[: page.limit]
        more = shown[-1].key if len(rows) > len(shown) and shown else None
        return Listed([_compute_of(row) for row in shown], more)

    def delete(self, workspace: int, name: str) -> None:
        """Delete the compute of that name."""
        key = {"workspace": workspace, "key": name.casefold()}
        if self._db.execute(_DELETE, key).rowcount == 0:
            raise _unknown(name)


def _unknown(name: str) -> NotFound:
    return NotFound(
        f"compute '{name}' does not exist in this workspace: create it, or check the name"
    )


def _row_of(workspace: int, compute: Compute) -> dict[str, Any]:
    return {
        "workspace": workspace,
        "key": compute.name.casefold(),
        "name": compute.name,
        "kind": compute.kind,
        "location": compute.location,
        "body": encode(compute.body) if compute.body else None,
        "tags": encode(compute.tags) if compute.tags else None,
        "slots": compute.slots,
        "stopped": compute.stopped,
        "created_at": micros(compute.created_at),
        "created_by": compute.created_by,
        "modified_at": micros(compute.modified_at),
    }


def _compute_of(row: Row) -> Compute:
    return Compute(
        id=row.id,
        name=row.name,
        kind=row.kind,
        location=row.location,
        body=msgspec.json.decode(row.body) if row.body else {},
        tags=msgspec.json.decode(row.tags) if row.tags else {},
        slots=row.slots,
        stopped=row.stopped,
        created_at=moment(row.created_at),
        created_by=row.created_by,
        modified_at=moment(row.modified_at),
    )
