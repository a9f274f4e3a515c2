"""Where a container, its blobs, and what belongs to them are on the disk.

Beside the datastores of a workspace lies `.blobs/{container}/`: `about/` with the headers that do
not fit into a file, `blocks/` and `incoming/` with what is being uploaded.
"""

from __future__ import annotations

import os
from pathlib import Path

from lazulite.domain.errors import InvalidInput
from lazulite.domain.ids import check_name
from lazulite.files.digests import digest_of
from lazulite.files.paths import safe_relative
from lazulite.files.walk import is_inside
from lazulite.ports.blobs import BlobName, BlobNotFound, ContainerNotFound


class Containers:
    """Turns names into paths; the only place that decides what is inside a container."""

    def __init__(self, stores: Path) -> None:
        """Place containers at `{stores}/{workspace}/{container}`."""
        self._stores = str(stores)

    def folder(self, workspace: int, container: str) -> str:
        """Return the folder of a container, which need not exist."""
        return f"{self._stores}/{int(workspace)}/{check_name(container, 'container')}"

    def root(self, workspace: int, container: str) -> str:
        """Return the real path of a container.

        Raises:
            ContainerNotFound: there is none.
        """
        folder = self.folder(workspace, container)
        if not os.path.isdir(folder):
            raise ContainerNotFound(
                f"container '{container}' does not exist; create it or the datastore it is of"
            )
        return os.path.realpath(folder)

    def find(self, name: BlobName) -> str:
        """Return the real path of a blob, all symlinks followed.

        Raises:
            BlobNotFound: it would be outside the container.
            InvalidInput: no blob can have this path.
        """
        root = self.root(name.workspace, name.container)
        real = os.path.realpath(f"{root}/{safe_relative(name.path)}")
        if not is_inside(root, real):
            raise absent(name)
        return real

    def target(self, name: BlobName) -> str:
        """Return where a blob is written: its folder's symlinks are followed, its own is not.

        Raises:
            InvalidInput: no blob can have this path, or it would be outside the container.
        """
        root = self.root(name.workspace, name.container)
        folder, _, last = f"{root}/{safe_relative(name.path)}".rpartition("/")
        real = os.path.realpath(folder)
        if not is_inside(root, real):
            raise InvalidInput(
                f"path {name.path[:200]!r} leaves container '{name.container}' through a symlink; "
                "upload to another folder",
                path="path",
            )
        return f"{real}/{last}"

    def beside(self, name: BlobName, kind: str) -> str:
        """Return the folder for one kind of what belongs to the blobs of a container."""
        check_name(name.container, "container")
        return f"{self._stores}/{int(name.workspace)}/.blobs/{name.container}/{kind}"

    def about(self, name: BlobName) -> str:
        """Return the file of a blob's headers."""
        key = digest_of(safe_relative(name.path).encode())
        return f"{self.beside(name, 'about')}/{key[:2]}/{key[2:]}"

    def blocks(self, name: BlobName) -> str:
        """Return the folder of the blocks that were uploaded for a blob."""
        return f"{self.beside(name, 'blocks')}/{digest_of(safe_relative(name.path).encode())}"


def absent(name: BlobName) -> BlobNotFound:
    """Return the error that says that there is no such blob."""
    return BlobNotFound(f"blob {name.path!r} does not exist in container '{name.container}'")
