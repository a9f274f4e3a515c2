"""Snapshots: trees of files kept by their content.

`objects/ab/cdef...` holds a file under its BLAKE3, `trees/ab/cdef...` the list of a tree's files in
msgpack. An object is read-only. It gets a date made from its digest once it is surely on the disk,
which is when the first tree with it is saved: one that was lost in a power cut, or that somebody
changed through a hard link, has another date and is noticed before it is used.

A tree's date of change, and an object's of its state, say when somebody last asked for it: what is
named by nobody goes when that is a week ago.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import msgspec
from blake3 import blake3

from lazulite.domain.errors import Conflict, InvalidInput, NotFound, Unavailable
from lazulite.files.clone import Cloner
from lazulite.files.digests import Digests, tree_digest
from lazulite.files.disk import (
    CHUNK,
    explained,
    staged,
    temporary_beside,
    write_all,
    write_whole,
)
from lazulite.files.leftovers import WEEK
from lazulite.files.paths import safe_relative
from lazulite.ports.blobs import Reader
from lazulite.ports.files import Entry
from lazulite.ports.space import Swept

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_READ_ONLY = 0o400
_DAY = 24 * 3600.0  # seconds
_FLUSHES = 16  # fsyncs at once
_ATTEMPTS = 3  # at reading a file that somebody is writing
_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(list[Entry]).decode


class FolderSnapshots:
    """The port `Snapshots` in a folder. Safe to share between threads and processes."""

    def __init__(self, root: Path, digests: Digests | None = None) -> None:
        """Keep objects/ and trees/ in `root`, which is made when first needed."""
        self._objects = str(root / "objects")
        self._trees = root / "trees"
        self._digests = digests or Digests(root / "digests")
        self._cloner = Cloner()
        self._fresh: set[str] = set()  # put by this process, not yet surely on the disk
        self._lock = threading.Lock()  # of _fresh
        self._read = lru_cache(maxsize=64)(self._read_manifest)

    def missing(self, digests: Iterable[str]) -> set[str]:
        return {digest for digest in digests if not self._is_here(digest)}

    def _is_here(self, digest: str) -> bool:
        try:
            status = os.stat(self._object(digest))
        except FileNotFoundError:
            return False
        if status.st_ctime < time.time() - _DAY:
            os.chmod(self._object(digest), _READ_ONLY)  # it is of use again: `sweep` spares it
        return status.st_mtime_ns == _stamp(digest) or digest in self._fresh

    def put(self, digest: str, size: int, stream: Reader) -> None:
        if self._is_here(digest):
            return
        hasher = blake3()
        left = size
        target = self._object(digest)
        with explained(f"object {digest[:12]}"), staged(os.path.dirname(target), _READ_ONLY) as out:
            while left and (data := stream.read(min(left, CHUNK))):
                hasher.update(data)
                write_all(out, data)
                left -= len(data)
            if left or hasher.hexdigest() != digest:
                raise InvalidInput(
                    f"object {digest[:12]}: what came is not the {size} bytes of this digest; "
                    "send it again",
                    path="digest",
                )
            with self._lock:  # one that is being settled must not be replaced
                if not self._is_here(digest):
                    os.replace(str(out.name), target)
                    self._fresh.add(digest)

    def save(self, entries: list[Entry]) -> str:
        _check_tree(entries)
        if absent := self.missing({entry.digest for entry in entries}):
            name = next(entry.path for entry in entries if entry.digest in absent)
            raise InvalidInput(
                f"{len(absent)} objects are missing, among them that of {name!r}; put them first",
                path="entries",
            )
        ordered = sorted(entries, key=lambda entry: entry.path)
        tree = tree_digest(ordered)
        with explained(f"snapshot {tree[:12]}"):
            self._settle({entry.digest for entry in entries})
            try:
                os.utime(self._manifest(tree))
            except FileNotFoundError:
                write_whole(self._manifest(tree), _ENCODE(ordered))
        return tree

    def _settle(self, digests: set[str]) -> None:
        """Wait until objects that are fresh are on the disk, and date them as such.

        Many at once, and all after they were written: the disk makes one flush of several, which
        is 10 to 30 times faster than a flush after each.
        """
        with self._lock:
            fresh = digests & self._fresh
        if not fresh:
            return
        with ThreadPoolExecutor(min(_FLUSHES, len(fresh)), "settle") as pool:
            list(pool.map(lambda digest: _flush(self._object(digest), digest), fresh))
        with self._lock:
            self._fresh -= fresh

    def entries(self, tree: str) -> list[Entry]:
        return list(self._read(tree))

    def open(self, digest: str) -> BinaryIO:
        try:
            return open(self._object(digest), "rb")
        except FileNotFoundError:
            raise NotFound(f"object {digest[:12]} is not here (any more)") from None

    def ingest(self, folder: Path) -> str:
        with explained(f"folder {folder}"):
            entries = self._digests.entries(folder)
            absent = self.missing({entry.digest for entry in entries})
            for index, entry in enumerate(entries):
                if entry.digest in absent:
                    entries[index] = self._take(folder, entry)
        return self.save(entries)

    def _take(self, folder: Path, entry: Entry) -> Entry:
        """Store one file of a folder; read it again when it changed meanwhile."""
        path = folder / entry.path
        for _ in range(_ATTEMPTS):
            with path.open("rb", buffering=0) as stream:
                try:
                    self.put(entry.digest, entry.size, stream)
                except InvalidInput:
                    now = self._digests.of(path)
                    entry = Entry(entry.path, now, path.stat().st_size, entry.executable)
                else:
                    return entry
        raise InvalidInput(
            f"file {str(path)!r} changes while it is read; try again when nothing writes to it",
            path=entry.path,
        )

    def materialise(self, tree: str, target: Path) -> None:
        entries = self._read(tree)
        final = str(target)
        if os.path.lexists(final):
            raise Conflict(f"folder {final!r} exists already; choose another or remove it")
        parent = os.path.dirname(final)
        with explained(f"folder {final!r}"):
            os.makedirs(parent, exist_ok=True)
            temporary = temporary_beside(parent)
            try:
                self._build(entries, temporary)
                os.rename(temporary, final)
            except BaseException:
                with suppress(OSError):
                    shutil.rmtree(temporary)
                raise

    def _build(self, entries: tuple[Entry, ...], folder: str) -> None:
        os.mkdir(folder)
        made = {""}
        for entry in entries:
            parent = entry.path.rpartition("/")[0]
            if parent not in made:
                os.makedirs(f"{folder}/{parent}", exist_ok=True)
                made.add(parent)
            source = self._object(entry.digest)
            mode = 0o755 if entry.executable else 0o644
            status = self._intact(entry, source)
            self._cloner.clone(source, f"{folder}/{entry.path}", status, mode)

    def _intact(self, entry: Entry, source: str) -> os.stat_result:
        """Return the state of an object after making sure that it is what was stored."""
        try:
            status = os.stat(source)
        except FileNotFoundError:
            status = None
        stamp = _stamp(entry.digest)
        if status and status.st_size == entry.size and status.st_mtime_ns == stamp:
            return status
        if status and self._digests.of(Path(source)) == entry.digest:
            os.utime(source, ns=(stamp, stamp))
            return os.stat(source)
        with suppress(FileNotFoundError):
            os.unlink(source)
        raise Unavailable(
            f"the stored content of {entry.path!r} (object {entry.digest[:12]}) is damaged or "
            "gone; submit its code or data again to restore it",
            path=entry.path,
        )

    def sweep(self, keep: set[str], *, dry: bool) -> list[Swept]:
        """Free trees that are not to be kept and nobody asked for since a week, and their objects.

        An object that came but that no tree has yet is spared as long.
        """
        before = time.time() - WEEK
        trees, objects = _Count("code that nothing names"), _Count("files of such code")
        used: set[str] = set()
        for tree, path, status in _stored(str(self._trees)):
            if tree in keep or status.st_mtime >= before:
                used.update(entry.digest for entry in self._read_manifest(tree))
            else:
                trees.free(path, status, dry=dry)
        self._read.cache_clear()
        for digest, path, status in _stored(self._objects):
            if digest not in used and status.st_ctime < before:
                objects.free(path, status, dry=dry)
        return [trees.swept, objects.swept]

    def _read_manifest(self, tree: str) -> tuple[Entry, ...]:
        try:
            return tuple(_DECODE(self._manifest(tree).read_bytes()))
        except FileNotFoundError:
            raise NotFound(f"snapshot {tree[:12]} does not exist; create it first") from None

    def _object(self, digest: str) -> str:
        _check_digest(digest)
        return f"{self._objects}/{digest[:2]}/{digest[2:]}"

    def _manifest(self, tree: str) -> Path:
        _check_digest(tree)
        return self._trees / tree[:2] / tree[2:]


def _flush(path: str, digest: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
        os.utime(descriptor, ns=(_stamp(digest), _stamp(digest)))
    finally:
        os.close(descriptor)


class _Count:
    """What was freed of one kind."""

    def __init__(self, what: str) -> None:
        self.swept = Swept(what=what, files=0, size=0)

    def free(self, path: str, status: os.stat_result, *, dry: bool) -> None:
        size = status.st_size if status.st_nlink == 1 else 0
        self.swept += Swept(what=self.swept.what, files=1, size=size)
        if not dry:
            with suppress(FileNotFoundError):
                os.unlink(path)


def _stored(root: str) -> Iterator[tuple[str, str, os.stat_result]]:
    """Yield digest, path and state of what is stored in `root`; half-made files are left out."""
    for folder in _scan(root):
        for entry in _scan(folder.path):
            digest = folder.name + entry.name
            if _DIGEST.fullmatch(digest):
                with suppress(FileNotFoundError):
                    yield digest, entry.path, entry.stat(follow_symlinks=False)


def _scan(folder: str) -> Iterator[os.DirEntry[str]]:
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        yield from entries


def _check_digest(digest: str) -> None:
    if not _DIGEST.fullmatch(digest):
        raise InvalidInput(
            f"{digest[:80]!r} is not a BLAKE3 digest: 64 lower-case hex digits", path="digest"
        )


def _stamp(digest: str) -> int:
    """The date of an object in ns: September 2001, and a fraction that is the digest's own."""
    return 10**18 + int(digest[:12], 16) % 10**9


def _check_tree(entries: list[Entry]) -> None:
    """Refuse what cannot be made: unsafe paths, a path twice, a file that is a folder too."""
    files = {safe_relative(entry.path) for entry in entries}
    if len(files) != len(entries):
        raise InvalidInput("a path is in the tree twice; send each file once", path="entries")
    folders = {""}
    for path in files:
        parent = path.rpartition("/")[0]
        while parent not in folders:
            folders.add(parent)
            parent = parent.rpartition("/")[0]
    if both := files & folders:
        raise InvalidInput(f"{min(both)!r} is a file and a folder in one tree", path="entries")
