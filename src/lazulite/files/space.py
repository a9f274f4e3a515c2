"""What files take on the disk, and freeing what nothing uses any more."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

from lazulite.domain.errors import NotFound
from lazulite.files import about, leftovers, pool
from lazulite.files.containers import Containers
from lazulite.files.digests import Digests
from lazulite.files.disk import TEMPORARY
from lazulite.ports.blobs import BlobName
from lazulite.ports.space import Inode, Swept, Usage


class FolderSpace:
    """The port `Space` over `{stores}/{workspace}/` and remembered digests."""

    def __init__(self, stores: Path, digests: Digests) -> None:
        """Free what is in these."""
        self._stores = str(stores)
        self._containers = Containers(stores)
        self._digests = digests

    def usage(self, folders: Iterable[Path]) -> Iterator[Usage]:
        for folder in folders:
            for status in leftovers.files_of(str(folder)):
                yield Usage(_inode(status), status.st_size, status.st_nlink)

    def pooled(self, workspace: int) -> set[Inode]:
        return {_inode(found.status) for found in self._objects(workspace)}

    def remove(self, workspace: int, datastore: str, path: str) -> None:
        name = BlobName(workspace, datastore, path)
        with suppress(NotFound):  # a datastore that has nothing has no folder
            target = self._containers.target(name)
            for file in _names(target, path):
                about.forget(self._containers.about(name._replace(path=file)))
            leftovers.remove(target)

    def settle(self, workspace: int) -> None:
        for path in self._unused(workspace):
            leftovers.remove(path)

    def folders(self, workspace: int, datastore: str, path: str) -> list[str]:
        folder = f"{self._containers.folder(workspace, datastore)}/{path}"
        with suppress(FileNotFoundError), os.scandir(folder) as entries:
            return sorted(one.name for one in entries if one.is_dir(follow_symlinks=False))
        return []

    def sweep(self, workspace: int, *, dry: bool) -> list[Swept]:
        abandoned = (
            leftovers.leftovers(folder)
            for kind in leftovers.KINDS
            for folder in self._beside(workspace, kind)
        )
        return [
            _free("abandoned uploads", chain.from_iterable(abandoned), dry=dry),
            _free("model files without a model", self._unused(workspace), dry=dry),
            _free("digests of data that nobody asks for", self._digests.unused(), dry=dry),
        ]

    def _unused(self, workspace: int) -> Iterator[str]:
        return (found.path for found in self._objects(workspace) if pool.is_unused(found))

    def _objects(self, workspace: int) -> Iterator[pool.Object]:
        for shelf in self._beside(workspace, "pool"):
            yield from pool.objects(shelf)

    def _beside(self, workspace: int, kind: str) -> Iterator[str]:
        for container in _entries(f"{self._stores}/{int(workspace)}/.blobs"):
            yield f"{container.path}/{kind}"


def _inode(status: os.stat_result) -> Inode:
    return Inode(status.st_dev, status.st_ino)


def _names(folder: str, path: str) -> Iterator[str]:
    """Yield the paths of the files in a folder whose own path is `path`."""
    for entry in _entries(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from _names(entry.path, f"{path}/{entry.name}")
        elif not entry.name.startswith(TEMPORARY):
            with suppress(UnicodeEncodeError):  # no blob has such a name
                entry.name.encode()
                yield f"{path}/{entry.name}"


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        yield from entries


def _free(what: str, paths: Iterable[str], *, dry: bool) -> Swept:
    files = size = 0
    for path in paths:
        for status in leftovers.files_of(path):
            files += 1
            size += _taken(status) if status.st_nlink == 1 else 0
        if not dry:
            leftovers.remove(path)
    return Swept(what=what, files=files, size=size)


def _taken(status: os.stat_result) -> int:
    """Return the bytes of a file that are on the disk: some have only a size."""
    return min(status.st_size, status.st_blocks * 512)
