"""Use cases of workspaces: make, look, change, delete with everything in them."""

from __future__ import annotations

import shutil

import msgspec

from lazulite.domain.access import OWNER, Principal
from lazulite.domain.errors import Conflict, NotFound
from lazulite.domain.ids import (
    ARTIFACT_STORE,
    BLOB_STORE,
    DEFAULT_WORKSPACE,
    FILE_STORE,
    LOCAL_LOCATION,
    WORKING_STORE,
    WorkspaceId,
    check_name,
)
from lazulite.domain.workspace import Compute, Datastore, Workspace
from lazulite.formats.azure.compute import THIS_MACHINE
from lazulite.formats.azure.datastore import is_local, local_body
from lazulite.formats.azure.workspace import WorkspaceDraft
from lazulite.ports.store import Listed, Page, Tx
from lazulite.services.context import Services

LOCAL_STORES = (BLOB_STORE, ARTIFACT_STORE, FILE_STORE, WORKING_STORE)
DEFAULT_COMPUTE = "local"  # a job without compute runs there
_EVERYTHING = Page(limit=10_000)


def ensure_default(services: Services) -> Workspace:
    """Return the default workspace; make it if there is none."""
    return create(services, DEFAULT_WORKSPACE, WorkspaceDraft(), OWNER)[0]


def create(
    services: Services, ids: WorkspaceId, draft: WorkspaceDraft, principal: Principal
) -> tuple[Workspace, bool]:
    """Make a workspace with its datastores and its default compute, or change the one there is.

    Returns:
        The workspace, and whether it is new.

    Raises:
        InvalidInput: one of its names is not valid.
    """
    for what, name in zip(("subscription", "resource group", "workspace"), ids, strict=True):
        check_name(name, what)

    def work(tx: Tx) -> tuple[Workspace, bool]:
        try:
            return _change(services, tx, tx.workspaces.get(ids), draft), False
        except NotFound:
            return _add(services, tx, ids, draft, principal), True

    return services.store.write(work)


def get(services: Services, ids: WorkspaceId) -> Workspace:
    """Return a workspace.

    Raises:
        NotFound: there is none of these names.
    """
    return services.store.read(lambda tx: tx.workspaces.get(ids))


def page(
    services: Services, subscription: str, group: str | None, which: Page
) -> Listed[Workspace]:
    """Return one page of the workspaces of a subscription, or of one of its groups."""
    return services.store.read(lambda tx: tx.workspaces.page(subscription, group, which))


def update(services: Services, ids: WorkspaceId, draft: WorkspaceDraft) -> Workspace:
    """Change what the draft says and leave the rest.

    Raises:
        NotFound: there is no such workspace.
    """
    return services.store.write(lambda tx: _change(services, tx, tx.workspaces.get(ids), draft))


def delete(services: Services, ids: WorkspaceId) -> bool:
    """Delete a workspace with everything in it, the files of its datastores too.

    The default workspace is made anew at once, empty, for every client counts on it.

    Returns:
        Whether there was one.

    Raises:
        Conflict: it has jobs that are not final.
    """

    def work(tx: Tx) -> tuple[int, list[str]]:
        try:
            workspace = tx.workspaces.get(ids)
        except NotFound:
            return 0, []
        if count := tx.jobs.unfinished(workspace.id):
            raise Conflict(
                f"workspace '{ids.name}' has {count} unfinished jobs: cancel them or wait for them"
            )
        stores = tx.datastores.page(workspace.id, _EVERYTHING).items
        names = [store.name for store in stores if is_local(store)]
        tx.workspaces.delete(workspace.id)
        return workspace.id, names

    row, names = services.store.write(work)
    for name in names:
        folder = services.files.root(row, name)
        shutil.rmtree(folder, ignore_errors=True)  # what stays can be reached by nobody
    if row and services.runs is not None:
        shutil.rmtree(services.runs / str(row), ignore_errors=True)
    if ids.key == DEFAULT_WORKSPACE.key:
        ensure_default(services)
    return row > 0


def _add(
    services: Services, tx: Tx, ids: WorkspaceId, draft: WorkspaceDraft, principal: Principal
) -> Workspace:
    now, author = services.clock.now(), principal.name
    workspace = tx.workspaces.add(
        Workspace(
            ids=ids,
            location=draft.location or LOCAL_LOCATION,
            display_name=draft.display_name or ids.name,
            description=draft.description or "",
            tags=draft.tags or {},
            body=draft.body,
            created_at=now,
            created_by=author,
            modified_at=now,
        )
    )
    for name in LOCAL_STORES:
        store = Datastore(
            name=name,
            kind="AzureBlob",
            body=local_body(),
            created_at=now,
            created_by=author,
            modified_at=now,
        )
        tx.datastores.put(workspace.id, store)
    compute = Compute(
        name=DEFAULT_COMPUTE,
        kind="AmlCompute",
        location=workspace.location,
        body={"computeType": "AmlCompute", "properties": {"vmSize": THIS_MACHINE}},
        created_at=now,
        created_by=author,
        modified_at=now,
    )
    tx.computes.put(workspace.id, compute)
    return workspace


def _change(services: Services, tx: Tx, old: Workspace, draft: WorkspaceDraft) -> Workspace:
    new = msgspec.structs.replace(
        old,
        display_name=old.display_name if draft.display_name is None else draft.display_name,
        description=old.description if draft.description is None else draft.description,
        tags=old.tags if draft.tags is None else draft.tags,
        body={**old.body, **draft.body},
    )
    if new == old:
        return old
    new = msgspec.structs.replace(new, modified_at=services.clock.now())
    tx.workspaces.update(new)
    return new
