"""Blobs as plain files of a datastore's folder.

Beside the datastores of a workspace lies `.blobs/{container}/`: `about/` with the headers that do
not fit into a file, `blocks/` and `incoming/` with what is being uploaded. A file's headers count
only while the file is the very one they were given for.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import stat
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from lazulite.domain.errors import InvalidInput
from lazulite.domain.ids import check_name, clean_path
from lazulite.files import about
from lazulite.files.clone import copy_bytes
from lazulite.files.digests import digest_of
from lazulite.files.disk import (
    CHUNK,
    explained,
    make_private,
    place,
    staged,
    write_all,
)
from lazulite.files.listing import Listing, listed
from lazulite.files.paths import safe_relative
from lazulite.files.walk import is_inside
from lazulite.ports.blobs import (
    Blob,
    BlobHeaders,
    BlobName,
    BlobNotFound,
    BlobPage,
    BlobQuery,
    Condition,
    ContainerExists,
    ContainerNotFound,
    DigestMismatch,
    InvalidBlocks,
    Reader,
    Upload,
)

_WEEK = 7 * 24 * 3600.0  # seconds; how long Azure keeps blocks that nobody commits


class FolderBlobs:
    """The port `Blobs` over `{stores}/{workspace}/{container}/`. Safe to share between threads."""

    def __init__(self, stores: Path) -> None:
        """Serve the folders in `stores`."""
        self._stores = str(stores)
        self._lock = threading.Lock()  # held while a condition is checked and the change made

    def has(self, workspace: int, container: str) -> bool:
        return os.path.isdir(self._folder(workspace, container))

    def create(self, workspace: int, container: str) -> None:
        folder = self._folder(workspace, container)
        if os.path.isdir(folder):
            raise ContainerExists(f"container '{container}' exists already")
        with explained(f"container '{container}'"):
            make_private(folder)

    def head(self, name: BlobName) -> Blob:
        return self._known(name, self._find(name))

    def open(self, name: BlobName) -> tuple[Blob, BinaryIO]:
        with explained(f"blob {name.path!r}"):
            path = self._find(name)
            try:
                stream = open(path, "rb", buffering=0)  # noqa: SIM115 - the caller's to close
            except (FileNotFoundError, IsADirectoryError):
                raise _absent(name) from None
            try:
                return self._blob(name, os.fstat(stream.fileno())), stream
            except BaseException:
                stream.close()
                raise

    def put(self, name: BlobName, stream: Reader, upload: Upload) -> Blob:
        with explained(f"blob {name.path!r}"):
            target = self._target(name)
            upload.condition(self._look(name, target))
            with staged(self._side(name, "incoming")) as out:
                _receive(stream, out, upload.md5)
                blob = self._commit(name, out, target, upload)
        self._forget_blocks(name)
        return blob

    def put_block(self, name: BlobName, block: str, stream: Reader, md5: str | None) -> None:
        with explained(f"blob {name.path!r}"):
            self._target(name)
            folder = self._blocks(name)
            if not os.path.isdir(folder):
                self._forget_old(name)
            with staged(folder) as out:
                _receive(stream, out, md5)
                place(str(out.name), _block(folder, block))

    def commit(self, name: BlobName, blocks: list[str], upload: Upload) -> Blob:
        with explained(f"blob {name.path!r}"):
            target = self._target(name)
            upload.condition(self._look(name, target))
            parts = [_block(self._blocks(name), block) for block in blocks]
            absent = [at for at, part in enumerate(parts) if not os.path.exists(part)]
            if absent:
                raise InvalidBlocks(
                    f"blob {name.path!r}: block {blocks[absent[0]]!r} and {len(absent) - 1} more "
                    "were not uploaded; upload the blob again"
                )
            with staged(self._side(name, "incoming")) as out:
                for part in parts:
                    with open(part, "rb", buffering=0) as stream:
                        size = os.fstat(stream.fileno()).st_size
                        copy_bytes(stream.fileno(), out.fileno(), size)
                blob = self._commit(name, out, target, upload)
        self._forget_blocks(name)
        return blob

    def describe(
        self, name: BlobName, change: Callable[[BlobHeaders], BlobHeaders], condition: Condition
    ) -> Blob:
        with explained(f"blob {name.path!r}"), self._lock:
            path = self._find(name)
            blob = self._known(name, path)
            condition(blob)
            status = os.stat(path)
            about.write(self._about(name), status, change(blob.headers))
            return self._blob(name, status)

    def delete(self, name: BlobName, condition: Condition) -> None:
        with explained(f"blob {name.path!r}"), self._lock:
            target = self._target(name)
            blob = self._look(name, target)
            if blob is None:
                raise _absent(name)
            condition(blob)
            os.unlink(target)
            about.forget(self._about(name))

    def page(self, workspace: int, container: str, query: BlobQuery) -> BlobPage:
        root = self._root(workspace, container)
        folder, slash, start = clean_path(query.prefix).rpartition("/")
        prefix = "/".join(part for part in folder.split("/") if part) + slash + start
        wanted = Listing(root, prefix.lstrip("/"), query.after, query.folders)
        with explained(f"container '{container}'"):
            found = list(islice(listed(wanted), query.limit + 1))
            items = [
                self._blob(BlobName(workspace, container, path), status) if status else path
                for path, status in found[: query.limit]
            ]
        more = len(found) > query.limit
        return BlobPage(items=items, next=found[query.limit - 1][0] if more else None)

    def _commit(self, name: BlobName, out: BinaryIO, target: str, upload: Upload) -> Blob:
        os.fsync(out.fileno())
        with self._lock:
            upload.condition(self._look(name, target))
            place(str(out.name), target)
            status = os.stat(target)
            about.write(self._about(name), status, upload.headers)
        return self._blob(name, status)

    def _find(self, name: BlobName) -> str:
        """Return the real path of a blob, all symlinks followed.

        Raises:
            BlobNotFound: it would be outside the container.
        """
        root = self._root(name.workspace, name.container)
        real = os.path.realpath(f"{root}/{_checked(name)}")
        if not is_inside(root, real):
            raise _absent(name)
        return real

    def _target(self, name: BlobName) -> str:
        """Return where a blob is written: its folder's symlinks are followed, its own is not."""
        root = self._root(name.workspace, name.container)
        folder, _, last = f"{root}/{_checked(name)}".rpartition("/")
        real = os.path.realpath(folder)
        if not is_inside(root, real):
            raise InvalidInput(
                f"path {name.path[:200]!r} leaves container '{name.container}' through a symlink; "
                "upload to another folder",
                path="path",
            )
        return f"{real}/{last}"

    def _look(self, name: BlobName, target: str) -> Blob | None:
        with suppress(BlobNotFound):
            return self._known(name, target)
        return None

    def _known(self, name: BlobName, path: str) -> Blob:
        try:
            status = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            raise _absent(name) from None
        if not stat.S_ISREG(status.st_mode):
            raise _absent(name)
        return self._blob(name, status)

    def _blob(self, name: BlobName, status: os.stat_result) -> Blob:
        headers = about.read(self._about(name), status)
        return Blob(
            path=name.path,
            size=status.st_size,
            modified=datetime.fromtimestamp(status.st_mtime, UTC),
            etag=about.etag(status, headers),
            headers=headers,
        )

    def _root(self, workspace: int, container: str) -> str:
        folder = self._folder(workspace, container)
        if not os.path.isdir(folder):
            raise ContainerNotFound(
                f"container '{container}' does not exist; create it or the datastore it is of"
            )
        return os.path.realpath(folder)

    def _folder(self, workspace: int, container: str) -> str:
        return f"{self._stores}/{int(workspace)}/{check_name(container, 'container')}"

    def _side(self, name: BlobName, kind: str) -> str:
        return f"{self._stores}/{int(name.workspace)}/.blobs/{name.container}/{kind}"

    def _about(self, name: BlobName) -> str:
        key = digest_of(_checked(name).encode())
        return f"{self._side(name, 'about')}/{key[:2]}/{key[2:]}"

    def _blocks(self, name: BlobName) -> str:
        return f"{self._side(name, 'blocks')}/{digest_of(_checked(name).encode())}"

    def _forget_blocks(self, name: BlobName) -> None:
        shutil.rmtree(self._blocks(name), ignore_errors=True)

    def _forget_old(self, name: BlobName) -> None:
        """Remove what was being uploaded a week ago; asked when an upload of blocks begins."""
        for kind in ("blocks", "incoming"):
            with suppress(FileNotFoundError), os.scandir(self._side(name, kind)) as entries:
                for entry in entries:
                    if entry.stat().st_mtime > time.time() - _WEEK:
                        continue
                    if entry.is_dir():
                        shutil.rmtree(entry.path, ignore_errors=True)
                    else:
                        os.unlink(entry.path)


def _checked(name: BlobName) -> str:
    return safe_relative(clean_path(name.path))


def _absent(name: BlobName) -> BlobNotFound:
    return BlobNotFound(f"blob {name.path!r} does not exist in container '{name.container}'")


def _block(folder: str, block: str) -> str:
    return f"{folder}/{digest_of(block.encode())}"


def _receive(stream: Reader, out: BinaryIO, md5: str | None) -> None:
    """Write a stream to a file; check its MD5 if the sender said one."""
    hasher = hashlib.md5(usedforsecurity=False) if md5 else None
    while data := stream.read(CHUNK):
        write_all(out, data)
        if hasher:
            hasher.update(data)
    if hasher and base64.b64encode(hasher.digest()).decode() != md5:
        raise DigestMismatch("the content that came has another MD5 than was said; send it again")
