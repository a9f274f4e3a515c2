"""Equal files that are one file: hard links of an object that is named by its content.

How many links an object has says who uses it: one is nobody. What shares an object is read-only,
and its date has a fraction of a second that is the digest's own: an object that somebody changed in
place has another, and is not linked to any more.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from lazulite.files.disk import TEMPORARY, make_private, temporary_beside

WORTH = 64 << 10  # bytes; a smaller file costs less than looking for its like
_SECOND = 10**9  # ns
_DAY = 24 * 3600.0  # seconds
_READ_ONLY = 0o400


class Object(NamedTuple):
    """An object of a pool."""

    path: str
    status: os.stat_result


def share(pool: str, staged: str, digest: str) -> bool:
    """Make a staged file and the pool's object of the same content one file.

    Safe at the same time from several threads and processes. Where the disk cannot link, the file
    stays as it is.

    Args:
        pool: folder, on the disk of the staged file for this to have an effect.
        staged: a complete file that nobody else knows of; below `WORTH` it is left alone.
        digest: its BLAKE3 in hex.

    Returns:
        Whether the content was there, and on the disk, already.
    """
    status = os.stat(staged)
    if status.st_size < WORTH:
        return False
    target = f"{pool}/{digest[:2]}/{digest[2:]}"
    if _adopt(target, staged, status.st_size, digest):
        return True
    _flush(staged)  # whoever finds the object takes it to be on the disk
    _donate(target, staged, status.st_mtime_ns, digest)
    return False


def _adopt(target: str, staged: str, size: int, digest: str) -> bool:
    """Put a link of the object, if there is a sound one, in the place of the staged file."""
    link = temporary_beside(os.path.dirname(staged))
    try:
        os.link(target, link)
    except OSError:  # there is none, it has all the links it can have, or it is on another disk
        return False
    if not _is_sound(os.stat(link), size, digest):
        os.unlink(link)
        return False
    os.replace(link, staged)
    return True


def _donate(target: str, staged: str, modified: int, digest: str) -> None:
    """Make the staged file the object; one that is not sound, or full of links, loses its name."""
    stamped = modified // _SECOND * _SECOND + _fraction(digest)
    os.utime(staged, ns=(stamped, stamped))
    os.chmod(staged, _READ_ONLY)
    link = temporary_beside(os.path.dirname(target))
    with suppress(OSError):  # a disk without links keeps the file by itself
        try:
            os.link(staged, link)
        except FileNotFoundError:
            make_private(os.path.dirname(target))
            os.link(staged, link)
        os.replace(link, target)


def _flush(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_sound(status: os.stat_result, size: int, digest: str) -> bool:
    return status.st_size == size and status.st_mtime_ns % _SECOND == _fraction(digest)


def _fraction(digest: str) -> int:
    return int(digest[:12], 16) % _SECOND


def objects(pool: str) -> Iterator[Object]:
    """Yield what is in a pool."""
    with suppress(FileNotFoundError), os.scandir(pool) as folders:
        for folder in folders:
            with os.scandir(folder.path) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):
                        yield Object(entry.path, entry.stat(follow_symlinks=False))


def is_unused(found: Object) -> bool:
    """Say whether nobody but the pool has an object, or a kill left a name that was to be moved."""
    if os.path.basename(found.path).startswith(TEMPORARY):
        return found.status.st_ctime < time.time() - _DAY
    return found.status.st_nlink == 1
