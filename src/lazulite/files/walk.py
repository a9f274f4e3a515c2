"""Lists the files of a folder with what tells whether they changed. It reads no content."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from lazulite.domain.errors import InvalidInput
from lazulite.files.disk import TEMPORARY
from lazulite.files.paths import safe_relative


class Found(NamedTuple):
    """One regular file."""

    path: str  # relative to the folder, '/'-separated
    size: int  # bytes
    modified: int  # ns
    inode: int
    executable: bool


def walk(folder: str) -> Iterator[Found]:
    """Yield every regular file below `folder`, in no particular order.

    A symlink is followed while its target stays inside the folder. What has no content (a socket,
    a pipe, a device, a symlink to nothing) is left out, and so is what this package is making.

    Raises:
        InvalidInput: a symlink leaves the folder or makes a cycle, or a name is not valid.
        OSError: a folder cannot be read.
    """
    root = os.path.realpath(folder)
    yield from _walk(root, root, "", (root,))


def _walk(root: str, real: str, prefix: str, ancestors: tuple[str, ...]) -> Iterator[Found]:
    with os.scandir(real) as entries:
        for entry in entries:
            if entry.name.startswith(TEMPORARY):
                continue
            path = prefix + entry.name
            target: str | None = entry.path
            if entry.is_symlink():
                target = _target(root, path, entry.path)
            if target is None:
                continue
            if entry.is_dir():
                if target in ancestors:
                    raise InvalidInput(
                        f"symlink {path!r} points to a folder that holds it; remove it", path=path
                    )
                yield from _walk(root, target, f"{path}/", (*ancestors, target))
            elif entry.is_file():
                yield found(safe_relative(path), entry.stat())


def found(path: str, status: os.stat_result) -> Found:
    """Describe the regular file `path` by what the system says of it."""
    return Found(
        path,
        status.st_size,
        status.st_mtime_ns,
        status.st_ino,
        bool(status.st_mode & stat.S_IXUSR),
    )


def is_inside(root: str, real: str) -> bool:
    """Say whether the real path `real` is `root` or below it; both free of symlinks."""
    return real == root or real.startswith(root.rstrip("/") + "/")


def _target(root: str, path: str, link: str) -> str | None:
    real = os.path.realpath(link)
    if not os.path.exists(real):
        return None
    if not is_inside(root, real):
        raise InvalidInput(
            f"symlink {path!r} points out of the folder, to {real!r}; copy the file in its place",
            path=path,
        )
    return real
