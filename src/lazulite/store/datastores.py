"""Datastores as rows, their secrets in a table of their own. Names compare without case."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from lazulite.domain.workspace import Datastore
from lazulite.ports.store import Listed, Page
from lazulite.store.columns import Row, encode, micros, moment
from lazulite.store.named import Named
from lazulite.store.tables import datastore_secrets, datastores

_DATASTORES = Named(datastores, "datastore", replaced=("kind", "body", "modified_at"))
_SECRETS = (
    sa.select(datastores.c.id, datastore_secrets.c.secrets)
    .select_from(datastores.outerjoin(datastore_secrets))
    .where(_DATASTORES.has_name)
)


class SqlDatastores:
    """`ports.store.Datastores` in one transaction of either database."""

    __slots__ = ("_db",)

    def __init__(self, db: sa.Connection) -> None:
        self._db = db

    def put(self, workspace: int, datastore: Datastore) -> Datastore:
        """Create or replace; `secrets` None keeps the stored ones, `{}` drops them."""
        row = _DATASTORES.put(self._db, _row_of(workspace, datastore))
        if datastore.secrets is not None:
            self._keep(row.id, datastore.secrets)
        return _datastore_of(row)

    def get(self, workspace: int, name: str) -> Datastore:
        """Return the datastore of that name, without its secrets."""
        return _datastore_of(_DATASTORES.get(self._db, workspace, name))

    def secrets(self, workspace: int, name: str) -> dict[str, Any] | None:
        """Return the secrets of a datastore; None when it has none."""
        row = _DATASTORES.get(self._db, workspace, name, _SECRETS)
        found: dict[str, Any] | None = msgspec.json.decode(row.secrets) if row.secrets else None
        return found

    def page(self, workspace: int, page: Page) -> Listed[Datastore]:
        """Return one page, by name."""
        found = _DATASTORES.page(self._db, workspace, page)
        return Listed([_datastore_of(row) for row in found.items], found.next)

    def delete(self, workspace: int, name: str) -> None:
        """Delete the datastore of that name with its secrets."""
        _DATASTORES.delete(self._db, workspace, name)

    def _keep(self, datastore: int, secrets: dict[str, Any]) -> None:
        table = datastore_secrets
        self._db.execute(sa.delete(table).where(table.c.datastore == datastore))
        if secrets:
            row = {"datastore": datastore, "secrets": encode(secrets)}
            self._db.execute(sa.insert(table), row)


def _row_of(workspace: int, datastore: Datastore) -> dict[str, Any]:
    return {
        "workspace": workspace,
        "key": datastore.name.casefold(),
        "name": datastore.name,
        "kind": datastore.kind,
        "body": encode(datastore.body) if datastore.body else None,
        "created_at": micros(datastore.created_at),
        "created_by": datastore.created_by,
        "modified_at": micros(datastore.modified_at),
    }


def _datastore_of(row: Row) -> Datastore:
    return Datastore(
        id=row.id,
        name=row.name,
        kind=row.kind,
        body=msgspec.json.decode(row.body) if row.body else {},
        created_at=moment(row.created_at),
        created_by=row.created_by,
        modified_at=moment(row.modified_at),
    )
