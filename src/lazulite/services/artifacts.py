"""Use cases of a run's artifacts: files on the workspace's artifact store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from lazulite.domain.access import Principal
from lazulite.domain.errors import InvalidInput, NotFound
from lazulite.domain.ids import ARTIFACT_STORE, WorkspaceId, clean_path
from lazulite.ports.blobs import Blob, BlobName, BlobQuery, always
from lazulite.services import tracking
from lazulite.services.context import Services
from lazulite.services.runs import artifact_folder

MAX_LISTED = 100_000  # files of one folder
_PAGE = 5000


class ArtifactPath(NamedTuple):
    """A place among the artifacts of a run."""

    run: str
    path: str  # relative; empty for the whole


class Listing(NamedTuple):
    """A file or folder, by its name in the folder that was listed."""

    name: str
    size: int | None  # bytes; None for a folder


@dataclass(frozen=True, slots=True)
class Place:
    """Where artifacts are, once it is known that their run exists."""

    workspace: int  # row id
    run: str  # the run's id
    path: str  # on the artifact store

    @property
    def blob(self) -> BlobName:
        """The file of that place."""
        return BlobName(self.workspace, ARTIFACT_STORE, self.path)


def parse_path(path: str) -> ArtifactPath:
    """Read `{experiment}/{run}/artifacts/{path}`, what follows `mlflow-artifacts:/`.

    Raises:
        InvalidInput: it is not such a path, or leaves the run.
    """
    parts = clean_path(path).split("/", 3)
    if len(parts) < 3 or parts[2] != "artifacts" or not parts[1]:
        raise InvalidInput(
            f"Invalid artifact path {path[:200]!r}: use EXPERIMENT/RUN/artifacts/PATH", path="path"
        )
    return ArtifactPath(parts[1], parts[3] if len(parts) > 3 else "")


def readable(services: Services, ids: WorkspaceId, where: ArtifactPath) -> Place:
    """Return where artifacts to read are.

    Raises:
        NotFound: there is no such run.
        InvalidInput: the path leaves the run.
    """
    workspace, run = tracking.head(services, ids, where.run)
    return _place(services, workspace, run.name, where.path)


def writable(
    services: Services, ids: WorkspaceId, where: ArtifactPath, principal: Principal
) -> Place:
    """Return where artifacts to write are.

    Raises:
        NotFound: there is no such run.
        Denied: it is another job's.
        InvalidInput: the run is deleted, or the path leaves it.
    """
    workspace, run = tracking.writable(services, ids, where.run, principal)
    return _place(services, workspace, run.name, where.path)


def listing(services: Services, place: Place) -> list[Listing]:
    """Return what is in a folder, by name; nothing for a file or for what is not there."""
    folder = place.path.rstrip("/") + "/"
    found = [_listed(one, folder) for one in _walk(services, place.workspace, folder, folders=True)]
    return sorted(found)


def delete(services: Services, place: Place) -> int:
    """Delete a file, or a folder with all in it.

    Returns:
        How many files there were.

    Raises:
        NotFound: there is nothing.
    """
    names = [place.path, *_files(services, place)]
    gone = 0
    for name in names:
        try:
            _check_inside(services, place.workspace, place.run, name)
            services.files.blobs.delete(BlobName(place.workspace, ARTIFACT_STORE, name), always)
        except (NotFound, InvalidInput):  # gone, or behind a symlink that leaves the run
            continue
        gone += 1
    if not gone:
        raise NotFound("there is no such artifact: look at what `artifacts/list` says")
    return gone


def _files(services: Services, place: Place) -> list[str]:
    folder = place.path.rstrip("/") + "/"
    found = _walk(services, place.workspace, folder, folders=False)
    return [one.path for one in found if isinstance(one, Blob)]


def _walk(
    services: Services, workspace: int, prefix: str, *, folders: bool
) -> Iterator[Blob | str]:
    after, left = "", MAX_LISTED
    services.files.root(workspace, ARTIFACT_STORE)  # makes it, if nothing was ever put there
    while left > 0:
        query = BlobQuery(prefix=prefix, folders=folders, after=after, limit=_PAGE)
        page = services.files.blobs.page(workspace, ARTIFACT_STORE, query)
        yield from page.items
        left -= len(page.items)
        if page.next is None:
            return
        after = page.next


def _listed(found: Blob | str, folder: str) -> Listing:
    if isinstance(found, str):
        return Listing(found.removeprefix(folder).rstrip("/"), None)
    return Listing(found.path.removeprefix(folder), found.size)


def _place(services: Services, workspace: int, run: str, path: str) -> Place:
    inside = [part for part in clean_path(path).split("/") if part]
    whole = "/".join([artifact_folder(run), *inside])
    _check_inside(services, workspace, run, whole)
    return Place(workspace, run, whole)


def _check_inside(services: Services, workspace: int, run: str, path: str) -> None:
    """Refuse a path that a symlink leads out of the run: to another run, say."""
    root = services.files.locate(workspace, ARTIFACT_STORE, artifact_folder(run))
    if not services.files.locate(workspace, ARTIFACT_STORE, path).is_relative_to(root):
        raise InvalidInput(f"artifact {path[:200]!r} leaves its run through a symlink", path="path")
