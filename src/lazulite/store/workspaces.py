"""Workspaces as rows. Deleting one deletes everything in it."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from lazulite.domain.errors import Conflict, NotFound
from lazulite.domain.ids import WorkspaceId
from lazulite.domain.workspace import Workspace
from lazulite.ports.store import Listed, Page
from lazulite.store.columns import Row, encode, insert, micros, moment
from lazulite.store.tables import workspaces

_c = workspaces.c
_ALL = sa.select(
    *(_c.id, _c.key, _c.subscription, _c.resource_group, _c.name, _c.location, _c.display_name),
    *(_c.description, _c.default_datastore, _c.tags, _c.body, _c.created_at, _c.created_by),
    _c.modified_at,
)
_GET = _ALL.where(_c.key == sa.bindparam("key"))
_BY_ID = _ALL.where(_c.id == sa.bindparam("workspace"))
_DELETE = sa.delete(workspaces).where(_c.id == sa.bindparam("workspace"))


class SqlWorkspaces:
    """`ports.store.Workspaces` in one transaction of either database."""

    __slots__ = ("_db",)

    def __init__(self, db: sa.Connection) -> None:
        self._db = db

    def add(self, workspace: Workspace) -> Workspace:
        """Store a new workspace."""
        made = insert(self._db, workspaces).on_conflict_do_nothing().returning(_c.id)
        row_id = self._db.execute(made, _row_of(workspace)).scalar()
        if row_id is None:
            raise Conflict(
                f"workspace '{workspace.ids.name}' exists already in resource group "
                f"'{workspace.ids.resource_group}': update it, or take another name"
            )
        return msgspec.structs.replace(workspace, id=row_id)

    def get(self, ids: WorkspaceId) -> Workspace:
        """Return the workspace of these names, however they are spelled."""
        row = self._db.execute(_GET, {"key": ids.key}).first()
        if row is None:
            raise NotFound(
                f"workspace '{ids.name}' does not exist in resource group '{ids.resource_group}' "
                f"of subscription '{ids.subscription}': create it, or check the three names"
            )
        return _workspace_of(row)

    def by_id(self, workspace: int) -> Workspace:
        """Return the workspace of that row."""
        row = self._db.execute(_BY_ID, {"workspace": workspace}).first()
        if row is None:
            raise _gone(workspace)
        return _workspace_of(row)

    def page(self, subscription: str, resource_group: str | None, page: Page) -> Listed[Workspace]:
        """Return one page of the workspaces of a subscription or resource group, by name."""
        scope = subscription if resource_group is None else f"{subscription}/{resource_group}"
        first = f"{scope}/".casefold()
        end = first[:-1] + "0"  # the character after '/'
        query = _ALL.where(_c.key >= first, _c.key < end).order_by(_c.key).limit(page.limit + 1)
        if page.after is not None:
            query = query.where(_c.key > page.after)
        rows = self._db.execute(query).all()
        shown = rows[: page.limit]
        more = shown[-1].key if len(rows) > len(shown) and shown else None
        return Listed([_workspace_of(row) for row in shown], more)

    def update(self, workspace: Workspace) -> None:
        """Replace what is stored of a workspace, but for its names and its creation."""
        kept = ("key", "subscription", "resource_group", "name", "created_at", "created_by")
        values = {k: v for k, v in _row_of(workspace).items() if k not in kept}
        change = sa.update(workspaces).where(_c.id == workspace.id).values(values)
        if self._db.execute(change).rowcount == 0:
            raise _gone(workspace.id)

    def delete(self, workspace: int) -> None:
        """Delete a workspace with everything in it."""
        if self._db.execute(_DELETE, {"workspace": workspace}).rowcount == 0:
            raise _gone(workspace)


def _gone(workspace: int) -> NotFound:
    return NotFound(f"workspace #{workspace} does not exist (any more)", workspace=workspace)


def _row_of(workspace: Workspace) -> dict[str, Any]:
    return {
        "key": workspace.ids.key,
        "subscription": workspace.ids.subscription,
        "resource_group": workspace.ids.resource_group,
        "name": workspace.ids.name,
        "location": workspace.location,
        "display_name": workspace.display_name,
        "description": workspace.description,
        "default_datastore": workspace.default_datastore,
        "tags": encode(workspace.tags) if workspace.tags else None,
        "body": encode(workspace.body) if workspace.body else None,
        "created_at": micros(workspace.created_at),
        "created_by": workspace.created_by,
        "modified_at": micros(workspace.modified_at),
    }


def _workspace_of(row: Row) -> Workspace:
    return Workspace(
        id=row.id,
        ids=WorkspaceId(row.subscription, row.resource_group, row.name),
        location=row.location,
        display_name=row.display_name,
        description=row.description,
        default_datastore=row.default_datastore,
        tags=msgspec.json.decode(row.tags) if row.tags else {},
        body=msgspec.json.decode(row.body) if row.body else {},
        created_at=moment(row.created_at),
        created_by=row.created_by,
        modified_at=moment(row.modified_at),
    )
