"""What uploads leave behind that nobody finishes: found by age, removed when one begins."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import suppress

WEEK = 7 * 24 * 3600.0  # seconds; how long Azure keeps blocks that nobody commits
KINDS = ("blocks", "uploads", "incoming")  # folders beside a container


def leftovers(folder: str, age: float = WEEK) -> Iterator[str]:
    """Yield what is in a folder and was not changed for `age` seconds."""
    before = time.time() - age
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if _changed(entry.stat(follow_symlinks=False)) < before:
                    yield entry.path


def _changed(status: os.stat_result) -> float:
    """Return when something changed: a file of several names is as old as the last of these."""
    is_linked = stat.S_ISREG(status.st_mode) and status.st_nlink > 1
    return status.st_ctime if is_linked else status.st_mtime


def remove(path: str) -> None:
    """Remove a file or a folder, if it is there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError:  # a folder: EISDIR on Linux, EPERM on macOS
        shutil.rmtree(path, ignore_errors=True)


def files_of(path: str) -> Iterator[os.stat_result]:
    """Yield the state of a file, or of every file of a folder; no symlink is followed."""
    with suppress(FileNotFoundError, NotADirectoryError):
        status = os.stat(path, follow_symlinks=False)
        if stat.S_ISREG(status.st_mode):
            yield status
        elif stat.S_ISDIR(status.st_mode):
            with os.scandir(path) as entries:
                for entry in entries:
                    yield from files_of(entry.path)
