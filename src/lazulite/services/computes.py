"""Use cases of compute targets."""

from __future__ import annotations

import msgspec

from lazulite.domain.access import Principal
from lazulite.domain.errors import Conflict, InvalidInput, NotFound
from lazulite.domain.ids import WorkspaceId, check_name
from lazulite.domain.workspace import Compute
from lazulite.formats.azure.compute import ComputeDraft, rescaled
from lazulite.ports.store import Listed, Page, Tx
from lazulite.services.context import Services
from lazulite.services.workspaces import DEFAULT_COMPUTE


def put(
    services: Services, ids: WorkspaceId, name: str, draft: ComputeDraft, principal: Principal
) -> tuple[Compute, bool]:
    """Create or replace a compute.

    Returns:
        The compute, and whether it is new.

    Raises:
        InvalidInput: the name is not valid.
        Conflict: there is one of this name and another type.
    """
    check_name(name, "compute")
    now = services.clock.now()

    def work(tx: Tx) -> tuple[Compute, bool]:
        workspace = tx.workspaces.get(ids)
        old = _find(tx, workspace.id, name)
        if old and old.kind != draft.kind:
            raise Conflict(
                f"compute '{name}' is a {old.kind} and cannot become a {draft.kind}: "
                "delete it first, or use another name"
            )
        new = Compute(
            name=old.name if old else name,
            kind=draft.kind,
            location=draft.location or workspace.location,
            body=draft.body,
            tags=draft.tags,
            slots=draft.slots,
            stopped=old.stopped if old else False,
            created_at=old.created_at if old else now,
            created_by=old.created_by if old else principal.name,
            modified_at=now,
        )
        return tx.computes.put(workspace.id, new), old is None

    return services.store.write(work)


def get(services: Services, ids: WorkspaceId, name: str) -> Compute:
    """Return a compute.

    Raises:
        NotFound: there is none of this name.
    """
    return services.store.read(lambda tx: tx.computes.get(tx.workspaces.get(ids).id, name))


def page(services: Services, ids: WorkspaceId, which: Page) -> Listed[Compute]:
    """Return one page of computes."""
    return services.store.read(lambda tx: tx.computes.page(tx.workspaces.get(ids).id, which))


def scale(services: Services, ids: WorkspaceId, name: str, settings: dict[str, object]) -> Compute:
    """Change the scale settings of a compute.

    Raises:
        NotFound: there is none of this name.
        InvalidInput: it has no nodes to scale, or the settings are wrong.
    """

    def work(tx: Tx) -> Compute:
        workspace = tx.workspaces.get(ids).id
        old = tx.computes.get(workspace, name)
        if old.kind != "AmlCompute":
            raise InvalidInput(f"compute '{name}' is a {old.kind}: only an AmlCompute scales")
        body, slots = rescaled(old.body, settings)
        new = msgspec.structs.replace(old, body=body, slots=slots, modified_at=services.clock.now())
        return tx.computes.put(workspace, new)

    return services.store.write(work)


def set_stopped(services: Services, ids: WorkspaceId, name: str, *, stopped: bool) -> Compute:
    """Start or stop a compute: a stopped one starts no job.

    Raises:
        NotFound: there is none of this name.
    """

    def work(tx: Tx) -> Compute:
        workspace = tx.workspaces.get(ids).id
        old = tx.computes.get(workspace, name)
        new = msgspec.structs.replace(old, stopped=stopped, modified_at=services.clock.now())
        return tx.computes.put(workspace, new)

    return services.store.write(work)


def delete(services: Services, ids: WorkspaceId, name: str) -> bool:
    """Delete a compute.

    Returns:
        Whether there was one.

    Raises:
        Conflict: it is the default compute.
    """

    def work(tx: Tx) -> bool:
        workspace = tx.workspaces.get(ids).id
        if _find(tx, workspace, name) is None:
            return False
        if name == DEFAULT_COMPUTE:
            raise Conflict(f"compute '{name}' runs jobs that name no compute: it must stay")
        tx.computes.delete(workspace, name)
        return True

    return services.store.write(work)


def _find(tx: Tx, workspace: int, name: str) -> Compute | None:
    try:
        return tx.computes.get(workspace, name)
    except NotFound:
        return None
