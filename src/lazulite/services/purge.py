"""Use case of freeing disk: what is in the bin goes for good, and what nothing uses any more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from lazulite.domain.asset import AssetKind, Stage
from lazulite.domain.errors import Conflict, NotFound
from lazulite.domain.ids import ARTIFACT_STORE, StoragePath, WorkspaceId, parse_storage
from lazulite.domain.run import RunRecord, View
from lazulite.domain.search import Search
from lazulite.domain.workspace import Workspace
from lazulite.ports.space import Inode, Swept, Usage
from lazulite.ports.store import Page, Tx
from lazulite.services import jobs
from lazulite.services.artifact_paths import logged_model_folder, run_folder
from lazulite.services.context import Services

MOST = 1000  # runs of one call
_EVERY = Page(limit=10_000)
_STAGES = (Stage.ACTIVE, Stage.ARCHIVED)
_MODELS = logged_model_folder("").rstrip("/")


class Purged(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the bin, and what became of it."""

    id: str
    name: str
    files: int
    size: int  # bytes that are freed with it; of one that stays, what its files take
    kept: str | None = None  # why it stays; None = it goes


class _Found(msgspec.Struct, frozen=True):
    """A run of the bin, with what goes if it goes."""

    run: RunRecord
    runs: list[str]  # it, and all below it
    models: list[str]  # that these logged
    kept: str | None  # why it stays


class _Ledger:
    """Counts the bytes that are freed when names of files go: where the last name goes."""

    def __init__(self, pooled: set[Inode]) -> None:
        self._pooled = pooled
        self._left: dict[Inode, int] = {}  # names, of files that have several
        self._gone: set[Path] = set()

    def fresh(self, folders: Iterable[Path]) -> list[Path]:
        """Return the folders that did not go before."""
        return [folder for folder in folders if folder not in self._gone]

    def free(self, folders: Iterable[Path], files: Iterable[Usage]) -> tuple[int, int]:
        """Return how many files go with folders, and the bytes that are freed."""
        count = size = 0
        for file in files:
            count += 1
            users = file.links - (file.inode in self._pooled)
            if users > 1 or file.inode in self._left:
                self._left[file.inode] = self._left.get(file.inode, users) - 1
            size += 0 if self._left.get(file.inode) else file.size
        self._gone.update(folders)
        return count, size


def purge(services: Services, ids: WorkspaceId, before: int, *, dry: bool) -> list[Purged]:
    """Delete for good what is in the bin, at most `MOST` runs, oldest last.

    What is below a run goes with it, and so do the models that these logged. A run stays when a
    version in the registry has files of any of them.

    Args:
        services: the ports.
        ids: the workspace.
        before: only runs that were created before this time, in milliseconds since 1970.
        dry: delete nothing, only say what would go.
    """

    def work(tx: Tx) -> tuple[Workspace, list[_Found]]:
        workspace = tx.workspaces.get(ids)
        chosen = list(islice(_binned(tx, workspace.id, before), MOST))
        return workspace, _with_models(tx, workspace.id, chosen)

    workspace, found = services.store.read(work)
    ledger = _Ledger(services.files.space.pooled(workspace.id))
    gone = [_one(services, workspace, one, ledger, dry=dry) for one in found]
    if gone and not dry:
        services.files.space.settle(workspace.id)
    return gone


def sweep(services: Services, ids: WorkspaceId, *, dry: bool) -> list[Swept]:
    """Free what nothing uses any more, or with `dry` say what there is of it.

    These are files of models that were deleted, uploads that nobody finished, code that neither a
    version nor a job names. What is younger than a week is spared where somebody could be about to
    use it.
    """

    def work(tx: Tx) -> tuple[int, set[str], set[str]]:
        workspace = tx.workspaces.get(ids).id
        used = tx.models.ids(workspace)
        used |= {folder.rpartition("/")[2] for folder in _registered(tx, workspace)}
        return workspace, used, tx.assets.snapshots()

    space = services.files.space
    workspace, used, code = services.store.read(work)
    there = space.folders(workspace, ARTIFACT_STORE, _MODELS)
    orphans = [logged_model_folder(one) for one in there if one.startswith("m-")]
    orphans = [one for one in orphans if one.rpartition("/")[2] not in used]
    folders = [services.files.locate(workspace, ARTIFACT_STORE, one) for one in orphans]
    count, size = _Ledger(space.pooled(workspace)).free(folders, space.usage(folders))
    found = [Swept(what="files of deleted models", files=count, size=size)]
    found += space.sweep(workspace, dry=dry)
    found += services.snapshots.sweep(code, dry=dry)
    if not dry:
        for one in orphans:
            space.remove(workspace, ARTIFACT_STORE, one)
        space.settle(workspace)
    return [one for one in found if one.files]


def _binned(tx: Tx, workspace: int, before: int) -> Iterator[RunRecord]:
    """Yield the runs in the bin that were created before a time, newest first."""
    after: str | None = None
    while True:
        page = tx.runs.search(workspace, None, Search(limit=MOST, after=after), View.DELETED)
        yield from (run for run in page.items if run.head.created < before)
        after = page.next
        if after is None:
            return


def _with_models(tx: Tx, workspace: int, chosen: Sequence[RunRecord]) -> list[_Found]:
    """Return runs with what goes if they go, and why they stay if they do."""
    registered = _registered(tx, workspace)
    below = {run.head.name: [run.head.name, *_below(tx, run.head.id)] for run in chosen}
    logged: dict[str | None, list[str]] = {}
    for model in tx.models.made_by(workspace, sorted({name for b in below.values() for name in b})):
        logged.setdefault(model.source_run, []).append(model.model)
    found = []
    for run in chosen:
        names = below[run.head.name]
        models = [model for name in names for model in logged.get(name, [])]
        user = _user(names, models, registered)
        kept = f"model '{user}' is registered from it" if user else None
        found.append(_Found(run, names, models, kept))
    return found


def _below(tx: Tx, row: int) -> Iterable[str]:
    for job in tx.jobs.children(row):
        yield job.name
        yield from _below(tx, job.id)


def _user(names: Sequence[str], models: Sequence[str], registered: dict[str, str]) -> str | None:
    folders = [*map(run_folder, names), *map(logged_model_folder, models)]
    return next((registered[folder] for folder in folders if folder in registered), None)


def _one(
    services: Services, workspace: Workspace, found: _Found, ledger: _Ledger, *, dry: bool
) -> Purged:
    head, kept = found.run.head, found.kept
    folders = ledger.fresh(_folders(services, workspace.id, found))
    files = services.files.space.usage(folders)
    if kept:
        sizes = [file.size for file in files]
        count, size = len(sizes), sum(sizes)
    else:
        count, size = ledger.free(folders, files)
    if not kept and not dry:
        kept = _delete(services, workspace, found)
    return Purged(id=head.name, name=head.display_name, files=count, size=size, kept=kept)


def _folders(services: Services, workspace: int, found: _Found) -> list[Path]:
    inside = [*map(run_folder, found.runs), *map(logged_model_folder, found.models)]
    folders = [services.files.locate(workspace, ARTIFACT_STORE, one) for one in inside]
    if services.runs is not None:
        folders += [services.runs / str(workspace) / run for run in found.runs]
    return folders


def _delete(services: Services, workspace: Workspace, found: _Found) -> str | None:
    """Delete a run and its models; return why it stays, if it does."""
    try:
        jobs.delete(services, workspace, found.run.head.name)
    except Conflict as conflict:
        return conflict.message
    except NotFound:
        return None  # it went with the run above it, and its models too

    def work(tx: Tx) -> list[str]:
        registered = _registered(tx, workspace.id)  # somebody may have been quick
        made = tx.models.made_by(workspace.id, found.runs)
        going = [one for one in made if logged_model_folder(one.model) not in registered]
        for one in going:
            tx.models.delete(one.id)
        return [one.model for one in going]

    for model in services.store.write(work):
        services.files.space.remove(workspace.id, ARTIFACT_STORE, logged_model_folder(model))
    return None


def _registered(tx: Tx, workspace: int) -> dict[str, str]:
    """Return the folders of runs and logged models that versions in the registry have files in."""
    found = {}
    for model in tx.registry.all(workspace):
        versions = tx.assets.versions(workspace, AssetKind.MODEL, model.name, _STAGES, _EVERY)
        for asset in versions.items:
            storage = parse_storage(str(asset.body["modelUri"]))
            if isinstance(storage, StoragePath) and storage.datastore == ARTIFACT_STORE:
                folder = "/".join(storage.path.split("/")[:2])
                found[folder] = f"{asset.name}:{asset.version}"
    return found
