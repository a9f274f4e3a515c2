"""Computes as rows."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from lazulite.domain.workspace import Compute
from lazulite.ports.store import Listed, Page
from lazulite.store.columns import Row, encode, micros, moment
from lazulite.store.named import Named
from lazulite.store.tables import computes

_COMPUTES = Named(
    computes,
    "compute",
    replaced=("kind", "location", "body", "tags", "slots", "stopped", "modified_at"),
)


class SqlComputes:
    """`ports.store.Computes` in one transaction of either database."""

    __slots__ = ("_db",)

    def __init__(self, db: sa.Connection) -> None:
        self._db = db

    def put(self, workspace: int, compute: Compute) -> Compute:
        """Create or replace; a replaced one keeps its row, its spelling and its creation."""
        return _compute_of(_COMPUTES.put(self._db, _row_of(workspace, compute)))

    def get(self, workspace: int, name: str) -> Compute:
        """Return the compute of that name."""
        return _compute_of(_COMPUTES.get(self._db, workspace, name))

    def page(self, workspace: int, page: Page) -> Listed[Compute]:
        """Return one page, by name."""
        found = _COMPUTES.page(self._db, workspace, page)
        return Listed([_compute_of(row) for row in found.items], found.next)

    def delete(self, workspace: int, name: str) -> None:
        """Delete the compute of that name."""
        _COMPUTES.delete(self._db, workspace, name)


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
