"""Computes, datastores, workspaces and versioned assets, by name. Jobs stand apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lazulite.client.session import Session
from lazulite.domain.errors import NotFound
from lazulite.domain.ids import WorkspaceId

CURATED = "azureml"  # the registry of curated environments


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """Which version of an asset; with neither version nor label, all of them or the latest."""

    kind: str  # plural noun of Azure's route
    name: str
    version: str | None = None
    label: str | None = None


def get(session: Session, kind: str, name: str) -> dict[str, Any]:
    """Return a compute or datastore."""
    return dict(session.arm("GET", f"{kind}/{name}"))


def listed(session: Session, kind: str) -> list[dict[str, Any]]:
    """Return all computes or datastores."""
    return list(session.pages(kind))


def delete(session: Session, kind: str, name: str) -> None:
    """Delete a compute or datastore.

    Raises:
        NotFound: there is none; Azure's route does not say so itself.
    """
    get(session, kind, name)
    session.arm("DELETE", f"{kind}/{name}")


def get_version(session: Session, asset: Version) -> dict[str, Any]:
    """Return one version of an asset; the latest if none is named."""
    if asset.version is not None:
        rest = f"versions/{asset.version}"
    else:
        rest = f"labels/{asset.label or 'latest'}"
    return dict(session.arm("GET", f"{asset.kind}/{asset.name}/{rest}"))


def list_versions(session: Session, asset: Version, view: str) -> list[dict[str, Any]]:
    """Return the versions of a name, newest first."""
    return list(session.pages(f"{asset.kind}/{asset.name}/versions", {"listViewType": view}))


def list_containers(session: Session, kind: str, view: str) -> list[dict[str, Any]]:
    """Return the names of a kind."""
    return list(session.pages(kind, {"listViewType": view}))


def set_archived(session: Session, asset: Version, *, archived: bool) -> None:
    """Archive or restore one version, or, if none is named, the whole name."""
    if asset.version is None and asset.label is None:
        rest = f"{asset.kind}/{asset.name}"
        session.arm("GET", rest)  # a name that is not there must not be made
        session.arm("PUT", rest, {"properties": {"isArchived": archived}})
        return
    update_version(session, asset, {"isArchived": archived})


def update_version(session: Session, asset: Version, changes: Mapping[str, Any]) -> Any:
    """Change what may change of a version: description, tags, properties, isArchived."""
    found = get_version(session, asset)
    rest = f"{asset.kind}/{asset.name}/versions/{found['name']}"
    return session.arm("PUT", rest, {"properties": {**found["properties"], **changes}})


def delete_version(session: Session, asset: Version) -> None:
    """Delete one version.

    Raises:
        NotFound: there is none.
    """
    found = get_version(session, asset)
    session.arm("DELETE", f"{asset.kind}/{asset.name}/versions/{found['name']}")


def workspaces(session: Session, *, everywhere: bool = False) -> list[dict[str, Any]]:
    """Return the workspaces of the resource group, or of the whole subscription."""
    if not everywhere:
        reply = session.group("GET", "workspaces")
    else:
        root = f"/subscriptions/{session.workspace.subscription}"
        path = f"{root}/providers/Microsoft.MachineLearningServices/workspaces"
        reply = session.connection.json("GET", path)
    return [*reply.get("value", []), *session.more(reply)]


def elsewhere(session: Session, name: str, group: str | None = None) -> Session:
    """Return the session for another workspace of the same server."""
    ids = session.workspace
    there = WorkspaceId(ids.subscription, group or ids.resource_group, name)
    return session._replace(workspace=there)


def workspace_exists(session: Session) -> bool:
    """Say whether the session's workspace exists."""
    try:
        session.arm("GET", "")
    except NotFound:
        return False
    return True
