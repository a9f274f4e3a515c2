"""Files: content-addressed snapshots, datastores as folders, and logs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec

from lazulite.ports.blobs import Blobs, Reader
from lazulite.ports.space import Space, Swept
from lazulite.ports.uploads import Uploads


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One file of a tree."""

    path: str  # relative, '/'-separated, no '..'
    digest: str  # BLAKE3, hex
    size: int  # bytes
    executable: bool = False


class Snapshots(Protocol):
    """Content-addressed trees. An object or tree, once saved, never changes.

    The digest of a tree is the BLAKE3 of its sorted entries (path, digest, executable), so equal
    trees have equal digests wherever they were made. `save` raises InvalidInput if an object is
    missing or a path unsafe. `entries` and `open` raise NotFound for what is not here. `ingest`
    follows no symlink that leaves the folder. `materialise` makes a folder by reflink, else by copy
    for small files and hard link for large ones; the target must not exist; a crash leaves no
    half-made target. `sweep` frees, or with `dry` only counts, trees that are not to be kept, and
    objects of no tree, a week after the last use.
    """

    def missing(self, digests: Iterable[str]) -> set[str]: ...

    def put(self, digest: str, size: int, stream: Reader) -> None: ...

    def save(self, entries: list[Entry]) -> str: ...

    def entries(self, tree: str) -> list[Entry]: ...

    def ingest(self, folder: Path) -> str: ...

    def open(self, digest: str) -> BinaryIO: ...

    def materialise(self, tree: str, target: Path) -> None: ...

    def sweep(self, keep: set[str], *, dry: bool) -> list[Swept]: ...


class DataFiles(Protocol):
    """The folders behind datastores and what lies in them.

    `root` gives the folder of a local datastore. `locate` resolves a path under it and refuses
    (InvalidInput) what would leave it, symlinks included. `digest` is the content identity of a
    file or a folder (the same as Snapshots' tree digest for a folder), cached by size, mtime and
    inode so that asking again for an unchanged tree costs one walk.

    `tail` gives a log's last lines, "" where there is no log. `follow` yields a log from a byte on,
    while it grows, until `is_done` says that nobody writes to it any more and all was read.
    `blobs` is the same folders for Azure Blob Storage's clients, `uploads` what comes in parts,
    `space` what all of it takes on the disk.
    """

    @property
    def blobs(self) -> Blobs: ...

    @property
    def uploads(self) -> Uploads: ...

    @property
    def space(self) -> Space: ...

    def root(self, workspace: int, datastore: str) -> Path: ...

    def locate(self, workspace: int, datastore: str, path: str) -> Path: ...

    def digest(self, path: Path) -> str: ...

    def tail(self, path: Path, lines: int = 20) -> str: ...

    def follow(
        self, path: Path, offset: int, is_done: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[bytes]: ...
