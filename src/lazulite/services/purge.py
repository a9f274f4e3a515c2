"""Use case of freeing disk: what is in the bin goes for good, and what nothing uses any more."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import msgspec

from lazulite.domain.asset import Asset, AssetKind, Stage
from lazulite.domain.errors import Conflict, InvalidInput, NotFound
from lazulite.domain.ids import ARTIFACT_STORE, JobOutputRef, WorkspaceId, parse_storage
from lazulite.domain.job import JobStatus
from lazulite.domain.run import RunRecord, View
from lazulite.domain.search import Search
from lazulite.domain.workspace import Workspace
from lazulite.ports.space import Inode, Swept, Usage
from lazulite.ports.store import Page, Tx
from lazulite.services import jobs
from lazulite.services.artifact_paths import logged_model_folder, run_folder
from lazulite.services.context import Services

MOST = 1000  # runs of one call
_WEEK = 7 * 24 * 3600.0  # seconds
_AT_ONCE = 1000  # versions read at once
_STAGES = (Stage.ACTIVE, Stage.ARCHIVED)
_MODELS = logged_model_folder("").rstrip("/")
_RUNS, _, _RUN = run_folder("").partition("/")


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

    These are files of runs and models that were deleted, uploads that nobody finished, code that
    neither a version nor a job names. What is younger than a week is spared where somebody could be
    about to use it.
    """
    space = services.files.space
    workspace = services.store.read(lambda tx: tx.workspaces.get(ids)).id
    # what is there is asked before who uses it: what comes meanwhile is on neither list
    models = _orphans(services, workspace, _MODELS, "m-", _used_models)
    runs = _orphans(services, workspace, _RUNS, _RUN, _used_runs)
    runs = [one for one in runs if _is_old(services.files.locate(workspace, ARTIFACT_STORE, one))]
    ledger = _Ledger(space.pooled(workspace))
    found = []
    for what, orphans in (("files of deleted models", models), ("files of deleted runs", runs)):
        folders = [services.files.locate(workspace, ARTIFACT_STORE, one) for one in orphans]
        count, size = ledger.free(folders, space.usage(folders))
        found.append(Swept(what=what, files=count, size=size))
    left = _left(services, workspace)
    count, size = ledger.free(left, space.usage(left))
    found.append(Swept(what="working folders of completed jobs", files=count, size=size))
    code = services.store.read(lambda tx: tx.assets.snapshots())
    found += space.sweep(workspace, dry=dry)
    found += services.snapshots.sweep(code, dry=dry)
    if not dry:
        for one in (*models, *runs):
            space.remove(workspace, ARTIFACT_STORE, one)
        for folder in left:
            shutil.rmtree(folder, ignore_errors=True)
        space.settle(workspace)
    return [one for one in found if one.files]


def _left(services: Services, workspace: int) -> list[Path]:
    """Return the working folders that a server was killed before it could remove.

    Those of jobs that did not complete stay: one looks there for the reason.
    """
    if services.runs is None:
        return []
    with suppress(FileNotFoundError):
        there = [
            one
            for one in (services.runs / str(workspace)).iterdir()
            if one.is_dir() and not one.is_symlink() and _is_old(one)
        ]
        return services.store.read(
            lambda tx: [one for one in there if _is_done(tx, workspace, one)]
        )
    return []


def _is_done(tx: Tx, workspace: int, folder: Path) -> bool:
    try:
        return tx.runs.head(workspace, folder.name).status is JobStatus.COMPLETED
    except NotFound:
        return True


def _orphans(
    services: Services,
    workspace: int,
    folder: str,
    prefix: str,
    used: Callable[[Tx, int, list[str]], set[str]],
) -> list[str]:
    """Return the folders in one whose names begin so, and that nothing uses."""
    there = services.files.space.folders(workspace, ARTIFACT_STORE, folder)
    names = [one for one in there if one.startswith(prefix)]
    known = services.store.read(lambda tx: used(tx, workspace, names)) if names else set()
    return [f"{folder}/{one}" for one in names if one not in known]


def _is_old(folder: Path) -> bool:
    with suppress(FileNotFoundError):
        return folder.stat().st_mtime < time.time() - _WEEK
    return False


def _used_models(tx: Tx, workspace: int, _: list[str]) -> set[str]:
    return tx.models.ids(workspace) | {one.rpartition("/")[2] for one in _registered(tx, workspace)}


def _used_runs(tx: Tx, workspace: int, folders: list[str]) -> set[str]:
    used = {one.rpartition("/")[2] for one in _registered(tx, workspace)}
    for folder in folders:
        with suppress(NotFound):
            tx.runs.head(workspace, folder.removeprefix(_RUN))
            used.add(folder)
    return used


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
    below = {
        run.head.name: [
            run.head.name,
            *(job.name for level in jobs.below(tx, run.head.id) for job in level),
        ]
        for run in chosen
    }
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
    """Delete a run and its models; return why it stays, if it does: others may have been quick."""

    def work(tx: Tx) -> tuple[list[str], list[str]]:
        job = tx.jobs.get(workspace.id, found.run.head.name)
        if not job.archived:
            raise Conflict("it was taken out of the bin")
        names = jobs.remove(tx, job)
        models = tx.models.made_by(workspace.id, names)
        user = _user(names, [one.model for one in models], _registered(tx, workspace.id))
        if user:
            raise Conflict(f"model '{user}' is registered from it")
        for one in models:
            tx.models.delete(one.id)
        return names, [one.model for one in models]

    try:
        names, models = services.store.write(work)
    except Conflict as conflict:
        return conflict.message
    except NotFound:
        return None  # it went with the run above it, and its models too
    jobs.remove_files(services, workspace, names)
    for model in models:
        services.files.space.remove(workspace.id, ARTIFACT_STORE, logged_model_folder(model))
    return None


def _registered(tx: Tx, workspace: int) -> dict[str, str]:
    """Return the folders of runs and logged models that versions in the registry have files in."""
    found = {}
    for model in tx.registry.all(workspace):
        for asset in _versions(tx, workspace, model.name):
            folder = _folder(str(asset.body.get("modelUri", "")))
            if folder is not None:
                found[folder] = f"{asset.name}:{asset.version}"
    return found


def _versions(tx: Tx, workspace: int, name: str) -> Iterator[Asset]:
    page = Page(limit=_AT_ONCE)
    while True:
        found = tx.assets.versions(workspace, AssetKind.MODEL, name, _STAGES, page)
        yield from found.items
        if found.next is None:
            return
        page = Page(limit=_AT_ONCE, after=found.next)


def _folder(uri: str) -> str | None:
    """Return the folder of the run or logged model that files of a version are in."""
    if uri.startswith("runs:/"):
        return run_folder(uri.removeprefix("runs:").strip("/").partition("/")[0])
    if uri.startswith("models:/m-"):
        return logged_model_folder(uri.removeprefix("models:/").partition("/")[0])
    try:
        storage = parse_storage(uri)
    except InvalidInput:  # a client may name any address: there are no files at this one
        return None
    if isinstance(storage, JobOutputRef):
        return run_folder(storage.job)
    if storage is None or storage.datastore.casefold() != ARTIFACT_STORE:
        return None
    return "/".join([part for part in storage.path.split("/") if part not in ("", ".")][:2])
