"""Datastores as rows, their secrets in a table of their own. Names compare without case."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from lazulite.domain.errors import NotFound
from lazulite.domain.workspace import Datastore
from lazulite.ports.store import Listed, Page
from lazulite.store.columns import Row, encode, insert, micros, moment
from lazulite.store.tables import datastore_secrets, datastores

_c = datastores.c
_ALL = sa.select(datastores).where(_c.workspace == sa.bindparam("workspace"))
_GET = _ALL.where(_c.key == sa.bindparam("key"))
_SECRETS = (
    sa.select(_c.id, datastore_secrets.c.secrets)
    .select_from(datastores.outerjoin(datastore_secrets))
    .where(_c.workspace == sa.bindparam("workspace"), _c.key == sa.bindparam("key"))
)
_DELETE = sa.delete(datastores).where(
    _c.workspace == sa.bindparam("workspace"), _c.key == sa.bindparam("key")
)
_REPLACED = ("kind", "body", "modified_at")


class SqlDatastores:
    """`ports.store.Datastores` in one transaction of either database."""

    __slots__ = ("_db",)

    def __init__(self, db: sa.Connection) -> None:
        self._db = db

    def put(self, workspace: int, datastore: Datastore) -> Datastore:
        """Create or replace; `secrets` None keeps the stored ones, `{}` drops them."""
        change = insert(self._db, datastores)
        change = change.on_conflict_do_update(
            index_elements=["workspace", "key"],
            set_={column: change.excluded[column] for column in _REPLACED},
        ).returning(*_c)
        row = self._db.execute(change, _row_of(workspace, datastore)).one()
        if datastore.secrets is not None:
            self._keep(row.id, datastore.secrets)
        return _datastore_of(row)

    def get(self, workspace: int, name: str) -> Datastore:
        """Return the datastore of that name, without its secrets."""
        row = self._db.execute(_GET, {"workspace": workspace, "key": name.casefold()}).first()
        if row is None:
            raise _unknown(name)
        return _datastore_of(row)

    def secrets(self, workspace: int, name: str) -> dict[str, Any] | None:
        """Return the secrets of a datastore; None when it has none."""
        key = {"workspace": workspace, "key": name.casefold()}
        row = self._db.execute(_SECRETS, key).first()
        if row is None:
            raise _unknown(name)
        found: dict[str, Any] | None = msgspec.json.decode(row.secrets) if row.secrets else None
        return found

    def page(self, workspace: int, page: Page) -> Listed[Datastore]:
        """Return one page, by name."""
        query = _ALL.order_by(_c.key).limit(page.limit + 1)
        if page.after is not None:
            query = query.where(_c.key > page.after)
        rows = self._db.execute(query, {"workspace": workspace}).all()
        shown = rows[: page.limit]
        more = shown[-1].key if len(rows) > len(shown) and shown else None
        return Listed([_datastore_of(row) for row in shown], more)

    def delete(self, workspace: int, name: str) -> None:
        """Delete the datastore of that name with its secrets."""
        key = {"workspace": workspace, "key": name.casefold()}
        if self._db.execute(_DELETE, key).rowcount == 0:
            raise _unknown(name)

    def _keep(self, datastore: int, secrets: dict[str, Any]) -> None:
        table = datastore_secrets
        self._db.execute(sa.delete(table).where(table.c.datastore == datastore))
        if secrets:
            row = {"datastore": datastore, "secrets": encode(secrets)}
            self._db.execute(sa.insert(table), row)


def _unknown(name: str) -> NotFound:
    return NotFound(
        f"datastore '{name}' does not exist in this workspace: create it, or check the name"
    )


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
