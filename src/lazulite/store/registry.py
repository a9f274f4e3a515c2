"""Names of the registry as rows; the versions are in `assets`."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from lazulite.domain.asset import AssetKind
from lazulite.domain.errors import Conflict, NotFound
from lazulite.domain.model import RegisteredModel
from lazulite.store.columns import Row, encode, insert, micros, moment
from lazulite.store.model_tables import registered_models
from lazulite.store.tables import assets

_c, _a = registered_models.c, assets.c
_IN = _c.workspace == sa.bindparam("workspace")
_GET = sa.select(registered_models).where(_IN, _c.name == sa.bindparam("name"))
_EVERY = sa.select(registered_models).where(_IN).order_by(_c.name)
_VERSIONED = (
    sa.select(_a.name, sa.func.min(_a.created_at), sa.func.max(_a.modified_at))
    .where(_a.workspace == sa.bindparam("workspace"), _a.kind == AssetKind.MODEL.value)
    .group_by(_a.name)
)


class SqlRegistry:
    """`ports.models.Registry` in one transaction of either database."""

    __slots__ = ("_db",)

    def __init__(self, db: sa.Connection) -> None:
        self._db = db

    def put(self, model: RegisteredModel) -> None:
        """Create or replace a name."""
        row: dict[str, Any] = {
            "workspace": model.workspace,
            "name": model.name,
            "description": model.description,
            "tags": encode(model.tags) if model.tags else None,
            "aliases": encode(model.aliases) if model.aliases else None,
            "created_at": micros(model.created_at),
            "modified_at": micros(model.modified_at),
            "last_number": model.last,
        }
        kept = ("workspace", "name", "created_at")
        made = insert(self._db, registered_models).values(row)
        change = made.on_conflict_do_update(
            index_elements=[_c.workspace, _c.name],
            set_={column: value for column, value in row.items() if column not in kept},
        )
        self._db.execute(change)

    def get(self, workspace: int, name: str) -> RegisteredModel:
        """Return a name that is registered, or has versions."""
        who = {"workspace": workspace, "name": name}
        row = self._db.execute(_GET, who).first()
        if row is not None:
            return _model_of(row)
        versioned = self._db.execute(_VERSIONED.where(_a.name == name), who).first()
        if versioned is None:
            raise NotFound(f"Registered Model with name={name[:300]} not found")
        return _plain(workspace, versioned)

    def all(self, workspace: int) -> list[RegisteredModel]:
        """Return every name that is registered, or has versions."""
        which = {"workspace": workspace}
        found = {row.name: _model_of(row) for row in self._db.execute(_EVERY, which)}
        for row in self._db.execute(_VERSIONED, which):
            found.setdefault(row[0], _plain(workspace, row))
        return [found[name] for name in sorted(found)]

    def rename(self, workspace: int, name: str, new: str) -> None:
        """Rename a name and its versions."""
        try:
            self.get(workspace, new)
        except NotFound:
            pass
        else:
            raise Conflict(f"Registered Model (name={new[:300]}) already exists")
        mine = _a.workspace == workspace, _a.kind == AssetKind.MODEL.value, _a.name == name
        self._db.execute(sa.update(assets).where(*mine).values(name=new))
        own = _c.workspace == workspace, _c.name == name
        self._db.execute(sa.update(registered_models).where(*own).values(name=new))

    def delete(self, workspace: int, name: str) -> None:
        """Delete a name with its versions."""
        mine = _a.workspace == workspace, _a.kind == AssetKind.MODEL.value, _a.name == name
        self._db.execute(sa.delete(assets).where(*mine))
        own = _c.workspace == workspace, _c.name == name
        self._db.execute(sa.delete(registered_models).where(*own))


def _model_of(row: Row) -> RegisteredModel:
    return RegisteredModel(
        workspace=row.workspace,
        name=row.name,
        description=row.description,
        tags=msgspec.json.decode(row.tags) if row.tags else {},
        aliases=msgspec.json.decode(row.aliases) if row.aliases else {},
        created_at=moment(row.created_at),
        modified_at=moment(row.modified_at),
        last=row.last_number,
    )


def _plain(workspace: int, row: Row) -> RegisteredModel:
    return RegisteredModel(
        workspace=workspace, name=row[0], created_at=moment(row[1]), modified_at=moment(row[2])
    )
