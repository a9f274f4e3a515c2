"""The space that files take, and what can be freed of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec


class Inode(NamedTuple):
    """Where the bytes of a file are; equal for those that are one file."""

    disk: int
    number: int


class Usage(NamedTuple):
    """A file that takes space."""

    inode: Inode
    size: int  # bytes
    links: int  # names that it has


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of what nothing used any more."""

    what: str
    files: int
    size: int  # bytes that it took

    def __add__(self, other: Swept) -> Swept:
        """Return both together."""
        return Swept(what=self.what, files=self.files + other.files, size=self.size + other.size)


class Space(Protocol):
    """What files take, and freeing it. Symlinks are neither followed nor counted.

    `usage` is that of all files in some folders, which need not exist. `pooled` are the files that
    have one name more than they have users. `remove` deletes a folder of a datastore with all that
    is kept about its files; `settle` then gives up the pooled files that nobody uses any more.
    `folders` are the names in one. `sweep` frees, or with `dry` only counts, what nothing uses
    whatever the database says: abandoned uploads, pooled files, digests that nobody asked for.
    All are safe while others upload, and may be repeated.
    """

    def usage(self, folders: Iterable[Path]) -> Iterator[Usage]: ...

    def pooled(self, workspace: int) -> set[Inode]: ...

    def remove(self, workspace: int, datastore: str, path: str) -> None: ...

    def settle(self, workspace: int) -> None: ...

    def folders(self, workspace: int, datastore: str, path: str) -> list[str]: ...

    def sweep(self, workspace: int, *, dry: bool) -> list[Swept]: ...
