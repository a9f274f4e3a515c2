"""Blobs as plain files of a datastore's folder."""

from __future__ import annotations

import os
import shutil
import stat
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from lazulite.files import about, leftovers, pool
from lazulite.files.clone import copy_bytes
from lazulite.files.containers import Containers, absent
from lazulite.files.digests import digest_of
from lazulite.files.disk import (
    explained,
    make_private,
    open_regular,
    place,
    staged,
)
from lazulite.files.listing import Listing, listed
from lazulite.files.paths import safe_relative
from lazulite.files.sums import Sums
from lazulite.files.writing import Writer, begin_writing, pour, write_stream
from lazulite.ports.blobs import (
    Blob,
    BlobHeaders,
    BlobName,
    BlobNotFound,
    BlobPage,
    BlobQuery,
    Condition,
    ContainerExists,
    InvalidBlocks,
    Reader,
    Upload,
)


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
        with explained(f"blob {name.path[:200]!r}"):
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
                sums = Sums(upload.digests, identity=upload.shared)
                write_stream(stream, out, sums)
                blob = self._commit(name, out, target, upload, sums)
        self._forget_blocks(name)
        return blob

    def put_block(
        self, name: BlobName, block: str, stream: Reader, digests: Mapping[str, str]
    ) -> None:
        with explained(f"blob {name.path!r}"):
            self._containers.target(name)
            folder = self._containers.blocks(name)
            if not os.path.isdir(folder):
                self._forget_old(name)
            with staged(folder) as out:
                write_stream(stream, out, Sums(digests))
                place(str(out.name), _block(folder, block))

    def commit(self, name: BlobName, blocks: list[str], upload: Upload) -> Blob:
        with explained(f"blob {name.path!r}"):
            parts = [_block(self._containers.blocks(name), block) for block in blocks]
            lost = [b for b, part in zip(blocks, parts, strict=True) if not os.path.exists(part)]
            if lost:
                upload.condition(self._look(name))
                raise InvalidBlocks(
                    f"blob {name.path!r}: block {lost[0][:80]!r} and {len(lost) - 1} more were not "
                    "uploaded; upload the blob again"
                )
            blob = self.assemble(name, parts, upload)
        self._forget_blocks(name)
        return blob

    def assemble(self, name: BlobName, parts: Sequence[str], upload: Upload) -> Blob:
        """Make a blob of files, one after the other; they stay."""
        target = self._containers.target(name)
        upload.condition(self._look(name))
        with staged(self._containers.beside(name, "incoming")) as out:
            sums = Sums(upload.digests, identity=upload.shared)
            writer, start = Writer(out.fileno()), 0
            for part in parts:
                with open(part, "rb", buffering=0) as stream:
                    if sums.idle:
                        size = os.fstat(stream.fileno()).st_size
                        copy_bytes(stream.fileno(), out.fileno(), size)
                        begin_writing(out.fileno(), start, size)
                        start += size
                    else:
                        pour(stream, writer.write, sums)
            sums.check()
            return self._commit(name, out, target, upload, sums)

    def adopt(self, name: BlobName, path: str, upload: Upload) -> Blob:
        """Make a file, which nobody changes any more, a blob."""
        target = self._containers.target(name)
        upload.condition(self._look(name))
        with open_regular(path) as stream:
            sums = Sums(upload.digests, identity=upload.shared)
            sums.read(stream.fileno())
            sums.check()
            return self._commit(name, stream, target, upload, sums)

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

    def _commit(
        self, name: BlobName, out: BinaryIO, target: str, upload: Upload, sums: Sums
    ) -> Blob:
        shelf = self._containers.beside(name, "pool")
        known = bool(sums.identity) and pool.share(shelf, str(out.name), str(sums.identity))
        if not known:
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
        for kind in leftovers.KINDS:
            for old in leftovers.leftovers(self._containers.beside(name, kind)):
                leftovers.remove(old)


def _block(folder: str, block: str) -> str:
    return f"{folder}/{digest_of(block.encode())}"
