"""Uploads in parts: each is a folder of files, one a part or one of all, and at its end a mark."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import msgspec

from lazulite.domain.errors import InvalidInput
from lazulite.files import about, inplace, leftovers
from lazulite.files.blobs import FolderBlobs
from lazulite.files.containers import Containers
from lazulite.files.digests import digest_of
from lazulite.files.disk import explained, make_private, place, staged, write_whole
from lazulite.files.sums import Sums
from lazulite.files.writing import write_stream
from lazulite.ports.blobs import Blob, BlobHeaders, InvalidBlocks, Reader, Upload
from lazulite.ports.uploads import MAX_PARTS, Layout, Part, UploadName, UploadNotFound

_DONE = "done"  # holds the digest of what `complete` was told
_PLAIN = BlobHeaders()
_ENCODE = msgspec.msgpack.Encoder().encode


class FolderUploads:
    """The port `Uploads` beside the containers. Safe to share between threads and processes."""

    def __init__(self, stores: Path, blobs: FolderBlobs) -> None:
        """Keep parts beside the containers in `stores`; put the blobs into `blobs`."""
        self._containers = Containers(stores)
        self._blobs = blobs

    def begin(self, name: UploadName, layout: Layout | None = None) -> list[Part]:
        with explained(f"upload of {name.blob.path!r}"):
            self._containers.target(name.blob)  # a path that cannot be is refused before its parts
            folder = self._folder(name)
            if not os.path.isdir(folder):
                for old in leftovers.leftovers(self._containers.beside(name.blob, "uploads")):
                    leftovers.remove(old)
                make_private(folder)
            with self._held(name):
                leftovers.remove(f"{folder}/{_DONE}")
                if layout is not None:
                    inplace.lay(folder, layout)
                return _parts(folder)

    def put(
        self, name: UploadName, number: int, stream: Reader, digests: Mapping[str, str]
    ) -> Part:
        if not 1 <= number <= MAX_PARTS:
            raise InvalidInput(
                f"part {number} cannot be: parts have the numbers 1 to {MAX_PARTS}",
                path="part_number",
            )
        with explained(f"upload of {name.blob.path!r}"):
            with self._held(name) as folder:
                _check_open(name, folder)
                layout = inplace.layout_of(folder)
            if layout is not None:
                hold = partial(self._held, name)
                return _part(number, inplace.put(hold, number, stream, digests, layout))
            with staged(self._containers.beside(name.blob, "incoming")) as out:
                write_stream(stream, out, Sums(digests))
                with self._held(name) as folder:
                    _check_open(name, folder)
                    path = f"{folder}/{number}"
                    place(str(out.name), path)
                    return _part(number, os.stat(path))

    def parts(self, name: UploadName) -> list[Part]:
        with explained(f"upload of {name.blob.path!r}"), self._held(name) as folder:
            _check_open(name, folder)
            return _parts(folder)

    def complete(
        self, name: UploadName, parts: Sequence[tuple[int, str]], upload: Upload
    ) -> Blob | None:
        wanted = sorted((number, etag.strip('"')) for number, etag in parts)
        said = digest_of(_ENCODE(wanted)).encode()
        with explained(f"upload of {name.blob.path!r}"), self._held(name) as folder:
            if _mark(folder) == said:
                return None
            _check_open(name, folder)
            found = _check_parts(name, wanted, _parts(folder))
            layout = inplace.layout_of(folder)
            if layout is None:
                paths = [f"{folder}/{number}" for number, _ in wanted]
                blob = self._blobs.assemble(name.blob, paths, upload)
            else:
                whole = inplace.trim(folder, found, layout)
                checked = {**layout.digests, **upload.digests}
                blob = self._blobs.adopt(
                    name.blob, whole, msgspec.structs.replace(upload, digests=checked)
                )
            write_whole(Path(folder, _DONE), said)
            _clear(folder)
            return blob

    def abort(self, name: UploadName) -> None:
        with explained(f"upload of {name.blob.path!r}"), self._held(name) as folder:
            _check_open(name, folder)
            leftovers.remove(folder)

    def _folder(self, name: UploadName) -> str:
        key = digest_of(f"{name.blob.path}\0{name.id}".encode())
        return f"{self._containers.beside(name.blob, 'uploads')}/{key}"

    @contextmanager
    def _held(self, name: UploadName) -> Iterator[str]:
        """Hold an upload, which must be there, against everybody else who acts on it."""
        folder = self._folder(name)
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise _unknown(name) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if not os.path.isdir(folder):  # it was aborted while we waited
                raise _unknown(name)
            yield folder
        finally:
            os.close(descriptor)


def _unknown(name: UploadName) -> UploadNotFound:
    return UploadNotFound(
        f"there is no upload '{name.id[:80]}' of {name.blob.path!r}: it was aborted, or forgotten "
        "after a week; create a new one"
    )


def _check_open(name: UploadName, folder: str) -> None:
    if _mark(folder) is not None:
        raise UploadNotFound(
            f"upload '{name.id[:80]}' of {name.blob.path!r} was completed already; to take it "
            "back delete the artifact, to change it create a new upload"
        )


def _mark(folder: str) -> bytes | None:
    with suppress(FileNotFoundError):
        return Path(folder, _DONE).read_bytes()
    return None


def _parts(folder: str) -> list[Part]:
    with os.scandir(folder) as entries:
        return sorted(
            _part(int(entry.name), entry.stat()) for entry in entries if entry.name.isdecimal()
        )


def _clear(folder: str) -> None:
    """Remove all but the mark."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name != _DONE:
                leftovers.remove(entry.path)


def _part(number: int, status: os.stat_result) -> Part:
    return Part(number, status.st_size, about.etag(status, _PLAIN))


def _check_parts(
    name: UploadName, wanted: Sequence[tuple[int, str]], found: list[Part]
) -> list[Part]:
    """Return the parts of a blob; refuse to make it of others than those that came.

    Raises:
        InvalidBlocks: none, a number twice or left out, one that did not come or came again.
    """
    known = {part.number: part.etag.strip('"') for part in found}
    expected = list(range(1, len(wanted) + 1))
    if not wanted or [number for number, _ in wanted] != expected:
        numbers = ", ".join(str(number) for number, _ in wanted[:20]) or "none"
        raise InvalidBlocks(
            f"the parts of {name.blob.path!r} must be 1, 2, 3 and so on, each once, not {numbers}",
            path="parts",
        )
    for number, etag in wanted:
        if number not in known:
            raise InvalidBlocks(f"part {number} was not uploaded; send it", path="parts")
        if known[number] != etag:
            raise InvalidBlocks(
                f"part {number} has ETag {known[number]}, not {etag[:80]}: it was sent again; "
                "complete with the ETag of the last reply",
                path="parts",
            )
    return found[: len(wanted)]
