"""The content identity of files and folders, remembered while the files do not change.

A file is known again by its size, time of modification and inode. What was hashed is kept in memory
and, where hashing it took work, in one small file per folder or file asked for; losing those costs
time only. The digests themselves are BLAKE3.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec
from blake3 import blake3

from lazulite.files.disk import CHUNK, make_private, temporary_beside
from lazulite.files.leftovers import leftovers
from lazulite.files.walk import Found, found, walk
from lazulite.ports.files import Entry

_TREE = b"lazulite tree 1\n"  # so that no tree has the digest of a file
_SMALL = 128 << 10  # bytes; from here on a second thread is worth its start
_KEEP = 100_000  # files remembered in memory, about 30 MB
_WORTH_FILES, _WORTH_BYTES = 100, 1 << 20  # hashing less than this costs less than a file on disk
_RACY = 20_000_000  # ns; a file this young may change again without a new time (ext4: 4 ms)
_MONTH = 30 * 24 * 3600.0  # seconds
_THREADS = min(8, os.cpu_count() or 1)


class Known(msgspec.Struct, frozen=True, array_like=True):
    """What a file was when it was hashed."""

    size: int
    modified: int  # ns
    inode: int
    digest: str


class _Hashed(NamedTuple):
    known: Known
    stable: bool  # it did not change while it was read, and is old enough to be known again


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(dict[str, Known]).decode


def digest_of(data: bytes) -> str:
    """Return the BLAKE3 of `data`, hex."""
    return blake3(data).hexdigest()


def tree_digest(entries: Iterable[Entry]) -> str:
    """Return the digest of a tree: BLAKE3 of its sorted (path, digest, executable)."""
    listed = sorted((entry.path, entry.digest, entry.executable) for entry in entries)
    return digest_of(_TREE + _ENCODE(listed))


class Digests:
    """Digests of files and folders. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        """Remember in `folder`, which is made when first needed."""
        self._folder = folder
        self._memory: OrderedDict[str, dict[str, Known]] = OrderedDict()
        self._held = 0  # files in _memory
        self._lock = threading.Lock()

    def of(self, path: Path) -> str:
        """Return the identity of a file (of its bytes) or a folder (of its tree)."""
        real = os.path.realpath(path)
        if path.is_dir():
            return tree_digest(self.entries(path))
        one = found("", os.stat(real))
        return self._digests(real, [one], real)[0].digest

    def entries(self, folder: Path) -> list[Entry]:
        """Return the files of a folder, sorted by path.

        Raises:
            InvalidInput: see `walk`.
            OSError: something cannot be read.
        """
        real = os.path.realpath(folder)
        files = sorted(walk(real))
        known = self._digests(real, files, real + "/")
        return [
            Entry(file.path, now.digest, now.size, file.executable)
            for file, now in zip(files, known, strict=True)
        ]

    def unused(self) -> Iterator[str]:
        """Yield the files of what nobody asked for in a month."""
        with suppress(FileNotFoundError), os.scandir(self._folder) as folders:
            for folder in folders:
                yield from leftovers(folder.path, _MONTH)

    def _digests(self, key: str, files: list[Found], prefix: str) -> list[Known]:
        """Return what is known of each file after hashing those that are new or changed."""
        before = self._recall(key)
        same = {
            file.path: known for file in files if (known := _still(before.get(file.path), file))
        }
        changed = [file for file in files if file.path not in same]
        if not changed and len(before) == len(same):
            return [same[file.path] for file in files]
        hashed = _hash_all([prefix + file.path for file in changed], changed)
        fresh = {file.path: one for file, one in zip(changed, hashed, strict=True)}
        stable = {path: one.known for path, one in fresh.items() if one.stable}
        work = sum(one.known.size for one in hashed)
        self._remember(
            key, same | stable, on_disk=len(changed) >= _WORTH_FILES or work >= _WORTH_BYTES
        )
        return [same.get(file.path) or fresh[file.path].known for file in files]

    def _recall(self, key: str) -> dict[str, Known]:
        with self._lock:
            if key in self._memory:
                self._memory.move_to_end(key)
                return self._memory[key]
        file = self._file(key)
        try:
            known = _DECODE(file.read_bytes())
            file.touch()  # its date says when it was last of use
        except (OSError, msgspec.DecodeError):
            return {}
        self._hold(key, known)
        return known

    def _remember(self, key: str, known: dict[str, Known], *, on_disk: bool) -> None:
        self._hold(key, known)
        if not on_disk:
            return
        path = self._file(key)
        with suppress(OSError):  # a cache that cannot be written costs time, not the answer
            make_private(str(path.parent))
            temporary = Path(temporary_beside(str(path.parent)))
            temporary.write_bytes(_ENCODE(known))
            temporary.replace(path)

    def _hold(self, key: str, known: dict[str, Known]) -> None:
        with self._lock:
            self._held += len(known) - len(self._memory.pop(key, {}))
            self._memory[key] = known
            while self._held > _KEEP and len(self._memory) > 1:
                self._held -= len(self._memory.popitem(last=False)[1])

    def _file(self, key: str) -> Path:
        name = digest_of(os.fsencode(key))
        return self._folder / name[:2] / name[2:]


def _still(known: Known | None, file: Found) -> Known | None:
    if known is None:
        return None
    same = (known.size, known.modified, known.inode) == (file.size, file.modified, file.inode)
    return known if same else None


def _hash_all(paths: list[str], files: list[Found]) -> list[_Hashed]:
    """Hash files, large ones side by side; small ones cost less than handing them to a thread."""
    large = [index for index, file in enumerate(files) if file.size > _SMALL]
    if len(large) < 2:  # one file is hashed by several threads already
        return [_hash_file(path) for path in paths]
    with ThreadPoolExecutor(_THREADS, "hash") as pool:
        waiting = {index: pool.submit(_hash_file, paths[index]) for index in large}
        return [
            waiting[index].result() if index in waiting else _hash_file(path)
            for index, path in enumerate(paths)
        ]


def _hash_file(path: str) -> _Hashed:
    # Read, never mapped: a file that shrinks meanwhile would kill the process that maps it.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        before = os.fstat(descriptor)
        now = time.time_ns()
        small = before.st_size <= _SMALL
        digest = digest_of(os.read(descriptor, _SMALL)) if small else _hash_large(descriptor)
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    known = Known(after.st_size, after.st_mtime_ns, after.st_ino, digest)
    changed = (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)
    return _Hashed(known, not changed and not 0 <= now - after.st_mtime_ns < _RACY)


def _hash_large(descriptor: int) -> str:
    hasher = blake3(max_threads=_THREADS)
    buffer = bytearray(4 * CHUNK)
    view = memoryview(buffer)
    while count := os.readv(descriptor, [buffer]):
        hasher.update(view[:count])
    return hasher.hexdigest()
