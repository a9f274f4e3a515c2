"""Use cases of snapshots: what a client has to send, and trees put where jobs read data."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lazulite.domain.errors import Conflict, InvalidInput, NotFound, Unsupported
from lazulite.domain.ids import WorkspaceId
from lazulite.formats.azure.datastore import is_local
from lazulite.ports.files import Entry
from lazulite.ports.store import Tx
from lazulite.services.context import Services


class SnapshotDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tree that a client has, and where its files shall appear."""

    entries: list[Entry]
    datastore: str | None = None  # None: keep it as a snapshot only
    path: str | None = None  # folder on the datastore; given with one


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a draft; repeat it when what is missing was put."""

    digest: str | None  # of the tree; None while objects are missing
    missing: list[str]  # digests of objects


def save(services: Services, ids: WorkspaceId, draft: SnapshotDraft) -> Saved:
    """Save a tree if all its objects are here, and put its files on a datastore if asked.

    Safe to repeat: a folder that holds the files already is left as it is.

    Raises:
        NotFound: the workspace or the datastore does not exist.
        InvalidInput: an entry or the path is unsafe, or only one of datastore and path is given.
        Unsupported: the datastore is someone else's storage.
        Conflict: the folder exists and holds something else.
    """
    place = _place(services, ids, draft)
    absent = services.snapshots.missing({entry.digest for entry in draft.entries})
    if absent:
        return Saved(digest=None, missing=sorted(absent))
    tree = services.snapshots.save(draft.entries)
    if place is not None:
        _materialise(services, tree, draft.entries, place)
    return Saved(digest=tree, missing=[])


def _place(services: Services, ids: WorkspaceId, draft: SnapshotDraft) -> Path | None:
    if (draft.datastore is None) != (not draft.path):
        raise InvalidInput("give 'datastore' and 'path' together, or neither", path="path")

    def work(tx: Tx) -> tuple[int, bool]:
        row = tx.workspaces.get(ids).id
        local = not draft.datastore or is_local(tx.datastores.get(row, draft.datastore))
        return row, local

    row, local = services.store.read(work)
    if draft.datastore is None or not draft.path:
        return None
    if not local:
        raise Unsupported(
            f"datastore '{draft.datastore}' is not on this server; upload with its own client",
            path="datastore",
        )
    return services.files.locate(row, draft.datastore, draft.path)


def _materialise(services: Services, tree: str, entries: list[Entry], place: Path) -> None:
    try:
        services.snapshots.materialise(tree, place)
    except Conflict:
        if not _holds(services, tree, entries, place):
            raise


def _holds(services: Services, tree: str, entries: list[Entry], place: Path) -> bool:
    """Say whether a folder holds a tree, whatever else it holds; one walk when nothing else."""
    if services.files.digest(place) == tree:
        return True
    try:
        return all(services.files.digest(place / one.path) == one.digest for one in entries)
    except NotFound:
        return False
