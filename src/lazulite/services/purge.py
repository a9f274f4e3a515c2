"""Use case of emptying the bin: runs that were deleted go for good, with their files."""

from __future__ import annotations

import msgspec

from lazulite.domain.asset import AssetKind, Stage
from lazulite.domain.errors import Conflict, NotFound
from lazulite.domain.ids import ARTIFACT_STORE, StoragePath, WorkspaceId, parse_storage
from lazulite.domain.run import RunRecord, View
from lazulite.domain.search import Search
from lazulite.domain.workspace import Workspace
from lazulite.ports.store import Page, Tx
from lazulite.services import artifacts, jobs
from lazulite.services.artifact_paths import ArtifactPath, run_folder
from lazulite.services.context import Services

MOST = 1000  # runs of one call
_EVERY = Page(limit=10_000)
_STAGES = (Stage.ACTIVE, Stage.ARCHIVED)


class Purged(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the bin, and what became of it."""

    id: str
    name: str
    files: int
    size: int  # bytes of its files
    kept: str | None = None  # why it stays; None = it goes


def purge(services: Services, ids: WorkspaceId, before: int, *, dry: bool) -> list[Purged]:
    """Delete for good what is in the bin, at most `MOST` runs, oldest last.

    What is below a run goes with it. A run stays when a version in the registry has files of it or
    of a run below it.

    Args:
        services: the ports.
        ids: the workspace.
        before: only runs that were created before this time, in milliseconds since 1970.
        dry: delete nothing, only say what would go.
    """

    def work(tx: Tx) -> tuple[Workspace, list[tuple[RunRecord, str | None]]]:
        workspace = tx.workspaces.get(ids)
        found = tx.runs.search(workspace.id, None, Search(limit=MOST), View.DELETED).items
        registered = _registered(tx, workspace.id)
        chosen = [run for run in found if run.head.created < before]
        return workspace, [
            (run, _user(tx, run.head.id, run.head.name, registered)) for run in chosen
        ]

    workspace, found = services.store.read(work)
    return [_one(services, workspace, run, user, dry=dry) for run, user in found]


def _one(
    services: Services, workspace: Workspace, run: RunRecord, user: str | None, *, dry: bool
) -> Purged:
    name = run.head.name
    files, size = artifacts.usage(services, workspace.ids, ArtifactPath("run", name, ""))
    kept = f"model '{user}' is registered from it" if user else None
    if not kept and not dry:
        try:
            jobs.delete(services, workspace, name)
        except Conflict as conflict:
            kept = conflict.message
        except NotFound:
            pass  # it went with the run above it
    return Purged(id=name, name=run.head.display_name, files=files, size=size, kept=kept)


def _user(tx: Tx, row: int, name: str, registered: dict[str, str]) -> str | None:
    """Return a version that has files of a run, or of one below it."""
    if user := registered.get(run_folder(name)):
        return user
    below = (_user(tx, job.id, job.name, registered) for job in tx.jobs.children(row))
    return next((user for user in below if user), None)


def _registered(tx: Tx, workspace: int) -> dict[str, str]:
    """Return the run folders that versions in the registry have their files in."""
    found = {}
    for model in tx.registry.all(workspace):
        versions = tx.assets.versions(workspace, AssetKind.MODEL, model.name, _STAGES, _EVERY)
        for asset in versions.items:
            storage = parse_storage(str(asset.body["modelUri"]))
            if isinstance(storage, StoragePath) and storage.datastore == ARTIFACT_STORE:
                folder = "/".join(storage.path.split("/")[:2])
                found[folder] = f"{asset.name}:{asset.version}"
    return found
