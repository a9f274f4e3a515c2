"""Blobs as plain files of a datastore's folder."""

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

from lazulite.files import about
from lazulite.files.clone import copy_bytes
from lazulite.files.containers import Containers, absent
from lazulite.files.digests import digest_of
from lazulite.files.disk import (
    CHUNK,
    explained,
    make_private,
    open_regular,
    place,
    staged,
    write_all,
)
from lazulite.files.listing import Listing, listed
from lazulite.files.paths import safe_relative
from lazulite.ports.blobs import (
    Blob,
    BlobHeaders,
    BlobName,
    BlobNotFound,
    BlobPage,
    BlobQuery,
    Condition,
    ContainerExists,
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
        self._containers = Containers(stores)
        self._lock = threading.Lock()  # held while a condition is checked and the change made

    def has(self, workspace: int, container: str) -> bool:
        return os.path.isdir(self._containers.folder(workspace, container))

    def create(self, workspace: int, container: str) -> None:
        folder = self._containers.folder(workspace, container)
        if os.path.isdir(folder):
            raise ContainerExists(f"container '{container}' exists already")
        with explained(f"container '{container}'"):
            make_private(folder)

    def head(self, name: BlobName) -> Blob:
        try:
            status = os.stat(self._containers.find(name))
        except (FileNotFoundError, NotADirectoryError):
            raise absent(name) from None
        if not stat.S_ISREG(status.st_mode):
            raise absent(name)
        return self._blob(name, status)

    def open(self, name: BlobName) -> tuple[Blob, BinaryIO]:
        with explained(f"blob {name.path!r}"):
            path = self._containers.find(name)
            try:
                stream = open_regular(path)
            except (FileNotFoundError, NotADirectoryError):
                raise absent(name) from None
            try:
                return self._blob(name, os.fstat(stream.fileno())), stream
            except BaseException:
                stream.close()
                raise

    def put(self, name: BlobName, stream: Reader, upload: Upload) -> Blob:
        with explained(f"blob {name.path!r}"):
            target = self._containers.target(name)
            upload.condition(self._look(name))
            with staged(self._containers.beside(name, "incoming")) as out:
                _receive(stream, out, upload.md5)
                blob = self._commit(name, out, target, upload)
        self._forget_blocks(name)
        return blob

    def put_block(self, name: BlobName, block: str, stream: Reader, md5: str | None) -> None:
        with explained(f"blob {name.path!r}"):
            self._containers.target(name)
            folder = self._containers.blocks(name)
            if not os.path.isdir(folder):
                self._forget_old(name)
            with staged(folder) as out:
                _receive(stream, out, md5)
                place(str(out.name), _block(folder, block))

    def commit(self, name: BlobName, blocks: list[str], upload: Upload) -> Blob:
        with explained(f"blob {name.path!r}"):
            target = self._containers.target(name)
            upload.condition(self._look(name))
            parts = [_block(self._containers.blocks(name), block) for block in blocks]
            lost = [b for b, part in zip(blocks, parts, strict=True) if not os.path.exists(part)]
            if lost:
                raise InvalidBlocks(
                    f"blob {name.path!r}: block {lost[0][:80]!r} and {len(lost) - 1} more were not "
                    "uploaded; upload the blob again"
                )
            with staged(self._containers.beside(name, "incoming")) as out:
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
            blob = self.head(name)
            condition(blob)
            status = os.stat(self._containers.find(name))
            about.write(self._containers.about(name), status, change(blob.headers))
            return self._blob(name, status)

    def delete(self, name: BlobName, condition: Condition) -> None:
        with explained(f"blob {name.path!r}"), self._lock:
            condition(self.head(name))
            os.unlink(self._containers.target(name))
            about.forget(self._containers.about(name))

    def page(self, workspace: int, container: str, query: BlobQuery) -> BlobPage:
        root = self._containers.root(workspace, container)
        folder, _, start = query.prefix.rpartition("/")
        above = [part for part in folder.split("/") if part]
        prefix = f"{safe_relative('/'.join(above))}/{start}" if above else start
        wanted = Listing(root, prefix, query.after, query.folders)
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
            upload.condition(self._look(name))
            place(str(out.name), target)
            status = os.stat(target)
            about.write(self._containers.about(name), status, upload.headers)
        return self._blob(name, status)

    def _look(self, name: BlobName) -> Blob | None:
        with suppress(BlobNotFound):
            return self.head(name)
        return None

    def _blob(self, name: BlobName, status: os.stat_result) -> Blob:
        headers = about.read(self._containers.about(name), status)
        return Blob(
            path=name.path,
            size=status.st_size,
            modified=datetime.fromtimestamp(status.st_mtime, UTC),
            etag=about.etag(status, headers),
            headers=headers,
        )

    def _forget_blocks(self, name: BlobName) -> None:
        shutil.rmtree(self._containers.blocks(name), ignore_errors=True)

    def _forget_old(self, name: BlobName) -> None:
        """Remove what was being uploaded a week ago; asked when an upload of blocks begins."""
        for kind in ("blocks", "incoming"):
            folder = self._containers.beside(name, kind)
            with suppress(FileNotFoundError), os.scandir(folder) as entries:
                for old in [e for e in entries if e.stat().st_mtime < time.time() - _WEEK]:
                    if old.is_dir():
                        shutil.rmtree(old.path, ignore_errors=True)
                    else:
                        os.unlink(old.path)


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
