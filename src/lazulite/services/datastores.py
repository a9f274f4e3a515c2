"""Use cases of datastores."""

from __future__ import annotations

from typing import Any

import msgspec

from lazulite.domain.access import Principal
from lazulite.domain.errors import Conflict, InvalidInput, NotFound
from lazulite.domain.ids import WorkspaceId, check_name
from lazulite.domain.workspace import Datastore, Workspace
from lazulite.formats.azure.datastore import DatastoreDraft
from lazulite.ports.store import Listed, Page, Tx
from lazulite.services.context import Services
from lazulite.services.workspaces import LOCAL_STORES


def put(
    services: Services, ids: WorkspaceId, name: str, draft: DatastoreDraft, principal: Principal
) -> tuple[Workspace, Datastore, bool]:
    """Create or replace a datastore.

    Returns:
        Its workspace, the datastore, and whether it is new.

    Raises:
        InvalidInput: the name is not valid.
        Conflict: it is one of the four that every workspace has.
    """
    check_name(name, "datastore")
    now = services.clock.now()

    def work(tx: Tx) -> tuple[Workspace, Datastore, bool]:
        workspace = tx.workspaces.get(ids)
        old = _find(tx, workspace.id, name)
        if draft.is_default and workspace.default_datastore != name:
            workspace = msgspec.structs.replace(workspace, default_datastore=name, modified_at=now)
            tx.workspaces.update(workspace)
        if old and name in LOCAL_STORES:
            if not draft.is_default:
                raise Conflict(f"datastore '{name}' belongs to the workspace: it cannot be changed")
            return workspace, old, False
        new = Datastore(
            name=name,
            kind=draft.kind,
            body=draft.body,
            secrets=draft.secrets,
            created_at=old.created_at if old else now,
            created_by=old.created_by if old else principal.name,
            modified_at=now,
        )
        return workspace, tx.datastores.put(workspace.id, new), old is None

    return services.store.write(work)


def get(services: Services, ids: WorkspaceId, name: str) -> tuple[Workspace, Datastore]:
    """Return a datastore, without secrets, and its workspace.

    Raises:
        NotFound: there is none of this name.
    """

    def work(tx: Tx) -> tuple[Workspace, Datastore]:
        workspace = tx.workspaces.get(ids)
        return workspace, tx.datastores.get(workspace.id, name)

    return services.store.read(work)


def default(services: Services, ids: WorkspaceId) -> tuple[Workspace, Datastore]:
    """Return the default datastore and its workspace."""

    def work(tx: Tx) -> tuple[Workspace, Datastore]:
        workspace = tx.workspaces.get(ids)
        return workspace, tx.datastores.get(workspace.id, workspace.default_datastore)

    return services.store.read(work)


def page(services: Services, ids: WorkspaceId, which: Page) -> tuple[Workspace, Listed[Datastore]]:
    """Return one page of datastores and their workspace."""

    def work(tx: Tx) -> tuple[Workspace, Listed[Datastore]]:
        workspace = tx.workspaces.get(ids)
        return workspace, tx.datastores.page(workspace.id, which)

    return services.store.read(work)


def secrets(services: Services, ids: WorkspaceId, name: str) -> dict[str, Any]:
    """Return the secrets of a datastore.

    Raises:
        NotFound: there is none of this name.
        InvalidInput: it has no secrets.
    """

    def work(tx: Tx) -> dict[str, Any]:
        found = tx.datastores.secrets(tx.workspaces.get(ids).id, name)
        if not found:
            raise InvalidInput(
                f"datastore '{name}' has no secrets: it is opened with the caller's own token"
            )
        return found

    return services.store.read(work)


def delete(services: Services, ids: WorkspaceId, name: str) -> bool:
    """Forget a datastore; its files stay.

    Returns:
        Whether there was one.

    Raises:
        Conflict: the workspace needs it.
    """

    def work(tx: Tx) -> bool:
        workspace = tx.workspaces.get(ids)
        if _find(tx, workspace.id, name) is None:
            return False
        if name in LOCAL_STORES or name == workspace.default_datastore:
            raise Conflict(f"datastore '{name}' belongs to the workspace: it cannot be deleted")
        tx.datastores.delete(workspace.id, name)
        return True

    return services.store.write(work)


def _find(tx: Tx, workspace: int, name: str) -> Datastore | None:
    try:
        return tx.datastores.get(workspace, name)
    except NotFound:
        return None
