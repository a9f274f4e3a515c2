"""Use cases of a run's artifacts: files on the workspace's artifact store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from lazulite.domain.access import Principal
from lazulite.domain.errors import InvalidInput, NotFound
from lazulite.domain.ids import (
    ARTIFACT_STORE,
    BLOB_STORE,
    StoragePath,
    WorkspaceId,
    check_name,
    clean_path,
    parse_storage,
)
from lazulite.ports.blobs import Blob, BlobName, BlobPage, BlobQuery, always
from lazulite.services import models, runs, traces, tracking, versions
from lazulite.services.artifact_paths import (
    ArtifactPath,
    is_shared,
    logged_model_folder,
    run_folder,
    trace_folder,
    upload_folder,
)
from lazulite.services.context import Services

MAX_LISTED = 100_000  # files of one folder
_PAGE = 5000


class Listing(NamedTuple):
    """A file or folder, by its name in the folder that was listed."""

    name: str
    size: int | None  # bytes; None for a folder


@dataclass(frozen=True, slots=True)
class Place:
    """Where artifacts are, once it is known that their owner exists."""

    workspace: int  # row id
    datastore: str
    root: str  # the owner's folder on it
    path: str  # `root`, or something below it

    @property
    def blob(self) -> BlobName:
        """The file of that place."""
        return BlobName(self.workspace, self.datastore, self.path)

    @property
    def is_shared(self) -> bool:
        """Whether equal files of such places may be one."""
        return is_shared(self.datastore, self.path)


def readable(services: Services, ids: WorkspaceId, where: ArtifactPath) -> Place:
    """Return where artifacts to read are.

    Raises:
        NotFound: there is no such run, model or version.
        InvalidInput: the path leaves it.
    """
    if where.kind == "version":
        return _of_version(services, ids, where)
    if where.kind == "model":
        model = models.get(services, ids, where.owner)[0]
        folder = logged_model_folder(model.model)
        return _place(services, Place(model.workspace, ARTIFACT_STORE, folder, where.path))
    if where.kind == "trace":
        row = traces.get(services, ids, where.owner).id
        workspace = services.store.read(lambda tx: tx.workspaces.get(ids).id)
        return _place(services, Place(workspace, ARTIFACT_STORE, trace_folder(row), where.path))
    if where.kind == "upload":
        workspace = services.store.read(lambda tx: tx.workspaces.get(ids).id)
        folder = upload_folder(check_name(where.owner, "upload"))
        return _place(services, Place(workspace, BLOB_STORE, folder, where.path))
    workspace, run = tracking.head(services, ids, where.owner)
    folder = run_folder(run.name)
    return _place(services, Place(workspace, ARTIFACT_STORE, folder, where.path))


def writable(
    services: Services, ids: WorkspaceId, where: ArtifactPath, principal: Principal
) -> Place:
    """Return where artifacts to write are.

    Raises:
        NotFound: there is no such run or model.
        Denied: it is another job's.
        InvalidInput: the run is deleted, the path leaves it, or it is a registered version's.
    """
    if where.kind == "version":
        raise InvalidInput("a registered version never changes: log a new model", path="path")
    if where.kind == "run":
        tracking.writable(services, ids, where.owner, principal)
    if where.kind == "trace":
        traces.check_own(services, ids, where.owner, principal)
    if where.kind == "model":
        tracking.check_model(services, ids, where.owner, principal)
    return readable(services, ids, where)


def no_such(where: ArtifactPath) -> NotFound:
    """Return the error that says that there is no such file."""
    return NotFound(f"{where.kind} '{where.owner}' has no artifact '{where.path[:300]}'")


def listing(services: Services, place: Place) -> list[Listing]:
    """Return what is in a folder, by name; nothing for a file or for what is not there."""
    folder = place.path.rstrip("/") + "/"
    found = [_listed(one, folder) for one in _walk(services, place, folder, folders=True)]
    return sorted(found)


def files(services: Services, place: Place) -> Iterator[Blob]:
    """Yield all files in a folder and below it, by name; at most `MAX_LISTED`."""
    folder = place.path.rstrip("/") + "/"
    found = _walk(services, place, folder, folders=False)
    return (one for one in found if isinstance(one, Blob))


def page(services: Services, place: Place, after: str) -> BlobPage:
    """Return one page of all files in a folder and below it, by name."""
    query = BlobQuery(prefix=place.path.rstrip("/") + "/", after=after, limit=_PAGE)
    return _page(services, place, query)


def below(services: Services, place: Place, path: str) -> Place:
    """Return a place below one that is its owner's root.

    Raises:
        InvalidInput: the path leaves it.
    """
    return _place(services, replace(place, path=path))


def usage(services: Services, ids: WorkspaceId, where: ArtifactPath) -> tuple[int, int]:
    """Return how many files there are, and their bytes; nothing where nothing is (any more)."""
    try:
        place = readable(services, ids, where)
    except NotFound:
        return 0, 0
    sizes = [one.size for one in files(services, place)]
    return len(sizes), sum(sizes)


def delete(services: Services, place: Place) -> int:
    """Delete a file, or a folder with all in it.

    Returns:
        How many files there were.

    Raises:
        NotFound: there is nothing.
    """
    names = [place.path, *(one.path for one in files(services, place))]
    gone = 0
    for name in names:
        try:
            _check_inside(services, place, name)
            services.files.blobs.delete(BlobName(place.workspace, place.datastore, name), always)
        except (NotFound, InvalidInput):  # gone, or behind a symlink that leaves the run
            continue
        gone += 1
    if not gone:
        raise NotFound("there is no such artifact: look at what `artifacts/list` says")
    return gone


def _walk(services: Services, place: Place, prefix: str, *, folders: bool) -> Iterator[Blob | str]:
    after, left = "", MAX_LISTED
    while left > 0:
        query = BlobQuery(prefix=prefix, folders=folders, after=after, limit=_PAGE)
        found = _page(services, place, query)
        yield from found.items
        left -= len(found.items)
        if found.next is None:
            return
        after = found.next


def _page(services: Services, place: Place, query: BlobQuery) -> BlobPage:
    services.files.root(place.workspace, place.datastore)  # makes it, if nothing was ever put there
    return services.files.blobs.page(place.workspace, place.datastore, query)


def _listed(found: Blob | str, folder: str) -> Listing:
    if isinstance(found, str):
        return Listing(found.removeprefix(folder).rstrip("/"), None)
    return Listing(found.path.removeprefix(folder), found.size)


def _of_version(services: Services, ids: WorkspaceId, where: ArtifactPath) -> Place:
    name, _, version = where.owner.rpartition(":")
    asset = versions.get(services, ids, name, version)[1]
    workspace = services.store.read(lambda tx: tx.workspaces.get(ids).id)
    uri, _ = runs.resolve_uri(services, ids, str(asset.body["modelUri"]))
    storage = parse_storage(uri)
    if not isinstance(storage, StoragePath):
        raise NotFound(f"the files of model '{where.owner}' are at {uri[:200]!r}, not here")
    root = storage.path.rstrip("/")
    return _place(services, Place(workspace, storage.datastore, root, where.path))


def _place(services: Services, place: Place) -> Place:
    """Return a place whose path is whole, checked."""
    inside = [part for part in clean_path(place.path).split("/") if part]
    whole = replace(place, path="/".join([place.root, *inside]))
    _check_inside(services, whole, whole.path)
    return whole


def _check_inside(services: Services, place: Place, path: str) -> None:
    """Refuse a path that a symlink leads out of its owner: to another run, say."""
    root = services.files.locate(place.workspace, place.datastore, place.root)
    if not services.files.locate(place.workspace, place.datastore, path).is_relative_to(root):
        raise InvalidInput(f"artifact {path[:200]!r} leaves its run through a symlink", path="path")
