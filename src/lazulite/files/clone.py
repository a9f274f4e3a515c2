"""Makes a file that has the content of another, the cheapest way the disk offers."""

from __future__ import annotations

import ctypes
import fcntl
import os
import sys
from contextlib import suppress

LINK_ABOVE = 1 << 20  # bytes; larger files are linked where they cannot be cloned
_FICLONE = 0x40049409  # linux/fs.h
_COPY = 1 << 23  # bytes asked of one system call


class Cloner:
    """Clones, copies or links files; remembers which disks cannot clone."""

    def __init__(self) -> None:
        """Know nothing of the disks yet."""
        self._plain: set[int] = set()  # st_dev of disks without reflinks

    def clone(self, source: str, target: str, status: os.stat_result, mode: int) -> None:
        """Make `target` with the content of `source`.

        By reflink, else a copy for small files and those that must be executable while the source
        is not, else a hard link. A hard link has the source's mode, which must be read-only.

        Args:
            source: a file that nobody writes to.
            target: must not exist.
            status: of the source.
            mode: of the target, unless it becomes a hard link.
        """
        device = status.st_dev
        if device not in self._plain:
            if _reflink(source, target, mode):
                return
            self._plain.add(device)
        if status.st_size > LINK_ABOVE and not mode & 0o100:
            with suppress(OSError):  # another disk, too many links, a disk without links
                os.link(source, target)
                return
        _copy(source, target, status.st_size, mode)


def _copy(source: str, target: str, size: int, mode: int) -> None:
    reading = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            copy_bytes(reading, writing, size)
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def copy_bytes(reading: int, writing: int, size: int) -> int:
    """Copy up to `size` bytes between two files at their positions; return how many came."""
    left = size
    while left:
        if sys.platform == "linux" and size > LINK_ABOVE:
            count = os.sendfile(writing, reading, None, min(left, _COPY))
        else:
            data = os.read(reading, min(left, LINK_ABOVE))
            count = len(data)
            while data:
                data = data[os.write(writing, data) :]
        if not count:
            break
        left -= count
    return size - left


def _reflink(source: str, target: str, mode: int) -> bool:
    if sys.platform == "darwin":
        return _clone_on_macos(source, target, mode)
    reading = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            fcntl.ioctl(writing, _FICLONE, reading)
        except OSError:
            os.unlink(target)
            return False
        finally:
            os.close(writing)
    finally:
        os.close(reading)
    return True


def _clone_on_macos(source: str, target: str, mode: int) -> bool:
    clonefile = ctypes.CDLL(None, use_errno=True).clonefile
    if clonefile(os.fsencode(source), os.fsencode(target), 0) != 0:
        return False
    os.chmod(target, mode)
    os.utime(target)
    return True
