"""Use cases of versioned assets. What a version contains never changes; how it is described may."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from lazulite.domain.access import Principal
from lazulite.domain.asset import Asset, AssetKind, Container, Stage
from lazulite.domain.errors import Conflict, InvalidInput, NotFound
from lazulite.domain.ids import StoragePath, WorkspaceId, check_name
from lazulite.domain.workspace import Workspace
from lazulite.formats.azure.asset import AssetDraft, content, content_digest
from lazulite.formats.azure.code import (
    SHARED_NAME,
    SNAPSHOT_URI,
    content_hash,
    snapshot_of,
    upload_of,
)
from lazulite.formats.azure.inline import lifted, pinned
from lazulite.ports.store import Listed, Page, Tx
from lazulite.services import inline
from lazulite.services.context import Services

LATEST = "latest"


def put(
    services: Services, ids: WorkspaceId, target: Asset, draft: AssetDraft
) -> tuple[Asset, bool]:
    """Create a version, or change what may change of an existing one.

    Args:
        services: the ports.
        ids: the workspace.
        target: kind, name, version and author of the version, from `named`.
        draft: what it should be.

    Returns:
        The version as it is now, and whether it is new.

    Raises:
        InvalidInput: the code's files are not where it says.
        Conflict: the version exists with other content.
    """
    if target.kind is AssetKind.CODE:
        target = _ingested(services, ids, target, draft)
    else:
        target = msgspec.structs.replace(target, digest=content_digest(target.kind, draft.body))
    target = msgspec.structs.replace(
        target,
        body=draft.body,
        anonymous=draft.anonymous,
        stage=draft.stage or Stage.ACTIVE,
    )

    def work(tx: Tx) -> tuple[Asset, bool]:
        workspace = tx.workspaces.get(ids)
        new = _settled(tx, workspace, target)
        old = _find(tx, workspace.id, new.kind, new.name, new.version)
        if old is None:
            _share_code(tx, workspace.id, new)
            return tx.assets.add(workspace.id, new), True
        return _changed(tx, old, new, draft.stage), False

    return services.store.write(work)


def named(
    services: Services, kind: AssetKind, name: str, version: str, principal: Principal
) -> Asset:
    """Return an empty version to `put`.

    Raises:
        InvalidInput: the name or the version is not a valid name.
    """
    now = services.clock.now()
    return Asset(
        kind=kind,
        name=check_name(name, _NOUN[kind]),
        version=check_name(version, f"{_NOUN[kind]} version", path="version"),
        body={},
        created_at=now,
        created_by=principal.name,
        modified_at=now,
    )


def get(services: Services, ids: WorkspaceId, kind: AssetKind, name: str, version: str) -> Asset:
    """Return a version.

    Raises:
        NotFound: there is no such version.
    """
    return services.store.read(
        lambda tx: tx.assets.get(tx.workspaces.get(ids).id, kind, name, version)
    )


def resolve(services: Services, ids: WorkspaceId, kind: AssetKind, name: str, label: str) -> Asset:
    """Return the version a label points to.

    Raises:
        NotFound: there is no such label.
    """
    if label != LATEST:
        raise NotFound(f"{_NOUN[kind]} '{name}' has no label '{label}': use '{LATEST}'")
    return services.store.read(
        lambda tx: tx.assets.resolve(tx.workspaces.get(ids).id, kind, name, label)
    )


def versions(
    services: Services,
    ids: WorkspaceId,
    container: tuple[AssetKind, str],
    stages: Sequence[Stage],
    page: Page,
) -> Listed[Asset]:
    """Return one page of the versions of a name, newest first."""
    kind, name = container
    return services.store.read(
        lambda tx: tx.assets.versions(tx.workspaces.get(ids).id, kind, name, stages, page)
    )


def code_of_hash(services: Services, ids: WorkspaceId, sha256: str) -> Asset | None:
    """Return the code that a client uploaded before with this hash."""
    return services.store.read(
        lambda tx: _find(tx, tx.workspaces.get(ids).id, AssetKind.CODE, SHARED_NAME, sha256)
    )


def containers(
    services: Services, ids: WorkspaceId, kind: AssetKind, stages: Sequence[Stage], page: Page
) -> Listed[Container]:
    """Return one page of the names of a kind."""
    return services.store.read(
        lambda tx: tx.assets.containers(tx.workspaces.get(ids).id, kind, stages, page)
    )


def container(services: Services, ids: WorkspaceId, kind: AssetKind, name: str) -> Container:
    """Return what all versions of a name share.

    Raises:
        NotFound: it has no version.
    """
    return services.store.read(
        lambda tx: tx.assets.container(tx.workspaces.get(ids).id, kind, name)
    )


def set_stage(
    services: Services, ids: WorkspaceId, kind: AssetKind, name: str, stage: Stage
) -> Container:
    """Archive or restore all versions of a name.

    Raises:
        NotFound: it has no version.
    """

    def work(tx: Tx) -> Container:
        workspace = tx.workspaces.get(ids).id
        if tx.assets.container(workspace, kind, name).stage is not stage:
            tx.assets.set_stage(workspace, kind, name, stage)
        return tx.assets.container(workspace, kind, name)

    return services.store.write(work)


def delete(services: Services, ids: WorkspaceId, kind: AssetKind, name: str, version: str) -> bool:
    """Delete a version; True if there was one."""

    def work(tx: Tx) -> bool:
        workspace = tx.workspaces.get(ids).id
        if _find(tx, workspace, kind, name, version) is None:
            return False
        tx.assets.delete(workspace, kind, name, version)
        return True

    return services.store.write(work)


_NOUN = {
    AssetKind.CODE: "code",
    AssetKind.DATA: "data",
    AssetKind.ENVIRONMENT: "environment",
    AssetKind.COMPONENT: "component",
    AssetKind.MODEL: "model",
}


def _find(tx: Tx, workspace: int, kind: AssetKind, name: str, version: str) -> Asset | None:
    try:
        return tx.assets.get(workspace, kind, name, version)
    except NotFound:
        return None


def _settled(tx: Tx, workspace: Workspace, asset: Asset) -> Asset:
    """Return a component as it is kept: see `formats.azure.inline`."""
    if asset.kind is not AssetKind.COMPONENT:
        return asset
    pin = inline.pin(tx, workspace)
    spec, parts = lifted(asset.body.get("componentSpec") or {}, workspace.ids.arm, pin)
    inline.keep(tx, workspace.id, parts, asset.created_by, asset.created_at)
    body = {**asset.body, "componentSpec": pinned(spec, pin)}
    return msgspec.structs.replace(asset, body=body)


def _changed(tx: Tx, old: Asset, new: Asset, stage: Stage | None) -> Asset:
    same = content(old.kind, old.body) == content(new.kind, new.body)
    if not same or (old.kind is AssetKind.CODE and old.digest != new.digest):
        raise Conflict(
            f"{_NOUN[old.kind]} '{old.name}:{old.version}' exists with other content, and a "
            "version never changes: create a new version"
        )
    changed = msgspec.structs.replace(
        old,
        body={**old.body, **new.body, **_fixed(old)},
        stage=stage or old.stage,
        modified_at=new.modified_at,
    )
    if msgspec.structs.replace(changed, modified_at=old.modified_at) != old:
        tx.assets.update(changed)
        return changed
    return old


def _fixed(old: Asset) -> dict[str, object]:
    return {"codeUri": old.body["codeUri"]} if old.kind is AssetKind.CODE else {}


def _ingested(services: Services, ids: WorkspaceId, target: Asset, draft: AssetDraft) -> Asset:
    """Return the target with the digest of its files, taken into the snapshots."""
    workspace = services.store.read(lambda tx: tx.workspaces.get(ids))
    uri = str(draft.body["codeUri"])
    digest = snapshot_of(uri)
    if digest is None:
        digest = _ingest_upload(services, workspace, uri)
    else:
        services.snapshots.entries(digest)  # raises when it is not there
    return msgspec.structs.replace(target, digest=digest)


def _ingest_upload(services: Services, workspace: Workspace, uri: str) -> str:
    place = upload_of(uri, workspace.id)
    if place is None:
        raise InvalidInput(
            f"code {uri[:200]!r} is not in workspace '{workspace.ids.name}': upload it there",
            path="properties.codeUri",
        )
    return services.snapshots.ingest(_folder(services, workspace.id, place))


def _folder(services: Services, workspace: int, place: StoragePath) -> Path:
    found = services.files.locate(workspace, place.datastore, place.path)
    folder = found.parent if found.is_file() else found
    if not folder.is_dir():
        raise InvalidInput(
            f"there are no files at {str(place)!r}: upload the code first",
            path="properties.codeUri",
        )
    return folder


def _share_code(tx: Tx, workspace: int, code: Asset) -> None:
    """Keep code under the hash its client computed, so that the next upload can be saved."""
    sha256 = content_hash(code.body) if code.kind is AssetKind.CODE else None
    if sha256 is None or _find(tx, workspace, AssetKind.CODE, SHARED_NAME, sha256):
        return
    body = {**code.body, "codeUri": f"{SNAPSHOT_URI}{code.digest}"}
    shared = msgspec.structs.replace(
        code, name=SHARED_NAME, version=sha256, body=body, anonymous=True
    )
    tx.assets.add(workspace, shared)
