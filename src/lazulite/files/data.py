"""The folders behind local datastores."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from lazulite.domain.errors import InvalidInput
from lazulite.domain.ids import check_name, clean_path
from lazulite.files import logs
from lazulite.files.blobs import FolderBlobs
from lazulite.files.digests import Digests
from lazulite.files.disk import explained, make_private
from lazulite.files.paths import safe_relative
from lazulite.files.space import FolderSpace
from lazulite.files.uploads import FolderUploads
from lazulite.files.walk import is_inside
from lazulite.ports.blobs import Blobs
from lazulite.ports.space import Space
from lazulite.ports.uploads import Uploads


class LocalFiles:
    """The port `DataFiles`: `{stores}/{workspace}/{datastore}/{path}`."""

    def __init__(self, stores: Path, digests: Digests) -> None:
        """Keep datastores in `stores`, which is made when first needed."""
        self._stores = stores
        self._digests = digests
        self._blobs = FolderBlobs(stores)
        self._uploads = FolderUploads(stores, self._blobs)
        self._space = FolderSpace(stores, digests)

    @property
    def blobs(self) -> Blobs:
        return self._blobs

    @property
    def uploads(self) -> Uploads:
        return self._uploads

    @property
    def space(self) -> Space:
        return self._space

    def root(self, workspace: int, datastore: str) -> Path:
        folder = self._stores / str(int(workspace)) / check_name(datastore, "datastore")
        if not folder.is_dir():
            with explained(f"datastore '{datastore}'"):
                make_private(str(folder))
        return folder

    def locate(self, workspace: int, datastore: str, path: str) -> Path:
        root = os.path.realpath(self.root(workspace, datastore))
        relative = "/".join(part for part in clean_path(path).split("/") if part not in {"", "."})
        if not relative:
            return Path(root)
        with explained(f"path {path[:200]!r}"):
            real = os.path.realpath(f"{root}/{safe_relative(relative)}")
        if not is_inside(root, real):
            raise InvalidInput(
                f"path {path[:200]!r} leaves datastore '{datastore}' through a symlink; "
                "copy the file into the datastore",
                path="path",
            )
        return Path(real)

    def digest(self, path: Path) -> str:
        with explained(f"path {str(path)!r}"):
            return self._digests.of(path)

    def tail(self, path: Path, lines: int = 20) -> str:
        return logs.tail(path, lines)

    def follow(
        self, path: Path, offset: int, is_done: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[bytes]:
        return logs.follow(path, offset, is_done)
