"""The few acts on the disk that must be whole or not at all. It knows no Lazulite concept."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from lazulite.domain.errors import Conflict, InvalidInput, LazuliteError, NotFound, Unavailable

CHUNK = 1 << 20  # bytes moved at once
TEMPORARY = ".lazulite-tmp-"  # names that begin so are half-made and belong to this module
_FULL = "the disk is full; free some space and try again"
_CLASH = "a file and a folder would have the same name; rename one"
_DENIED = "permission denied; look at its mode and owner with `ls -l`"
_REASONS: dict[int, tuple[type[LazuliteError], str]] = {
    errno.ENOSPC: (Unavailable, _FULL),
    errno.EDQUOT: (Unavailable, _FULL),
    errno.EROFS: (Unavailable, "the disk is read-only; make LAZULITE_HOME writable"),
    errno.ENOENT: (NotFound, "it does not exist"),
    errno.EACCES: (InvalidInput, _DENIED),
    errno.EPERM: (InvalidInput, _DENIED),
    errno.ENAMETOOLONG: (InvalidInput, "a name or path is longer than the disk allows"),
    errno.ENOTDIR: (Conflict, _CLASH),
    errno.EISDIR: (Conflict, _CLASH),
    errno.ENOTEMPTY: (Conflict, _CLASH),
    errno.EEXIST: (Conflict, _CLASH),
}


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn the system's error into one of ours, which says what could not be done and why."""
    try:
        yield
    except OSError as error:
        raise _translate(error, what) from error


def _translate(error: OSError, what: str) -> LazuliteError:
    kind, why = _REASONS.get(error.errno or 0, (Unavailable, error.strerror or str(error)))
    where = f" ({error.filename})" if isinstance(error.filename, str) else ""
    return kind(f"{what}: {why}{where}")


def temporary_beside(folder: str) -> str:
    """Return a path in `folder` that nothing else uses."""
    return f"{folder}/{TEMPORARY}{secrets.token_hex(8)}"


def make_private(folder: str) -> None:
    """Make a folder and those above it that are missing, for the user alone."""
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        if not os.path.isdir(folder):
            raise
    except FileNotFoundError:
        make_private(os.path.dirname(folder))
        make_private(folder)


@contextmanager
def staged(folder: str, mode: int = 0o600) -> Iterator[BinaryIO]:
    """Open a new file in `folder` under a name of its own; it goes unless it was moved away."""
    path = temporary_beside(folder)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, mode)
    except FileNotFoundError:
        make_private(folder)
        descriptor = os.open(path, flags, mode)
    try:
        with open(path, "wb", buffering=0, opener=lambda *_: descriptor) as stream:
            yield stream
    finally:
        with suppress(FileNotFoundError):
            os.unlink(path)


def open_regular(path: str) -> BinaryIO:
    """Open a file to read. It waits for nobody, as opening a job's named pipe would.

    Raises:
        FileNotFoundError: there is none, or it is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, "it is no regular file", path)
    return open(path, "rb", buffering=0, opener=lambda *_: descriptor)


@contextmanager
def replacing(target: str, mode: int = 0o600) -> Iterator[BinaryIO]:
    """Write a file that appears under `target` complete and on the disk, or not at all.

    Missing folders are made, private to the user. When the body raises, nothing is left.
    """
    with staged(os.path.dirname(target), mode) as stream:
        yield stream
        os.fsync(stream.fileno())
        os.replace(str(stream.name), target)


def place(staged_file: str, target: str) -> None:
    """Move a complete file to `target`, in one step for whoever looks, also to another disk."""
    try:
        os.replace(staged_file, target)
    except FileNotFoundError:
        make_private(os.path.dirname(target))
        os.replace(staged_file, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with open(staged_file, "rb") as source, replacing(target) as out:
            while data := source.read(CHUNK):
                write_all(out, data)


def write_all(stream: BinaryIO, data: bytes | memoryview) -> None:
    """Write every byte: a raw file may take fewer than it was given."""
    rest = memoryview(data)
    while rest:
        rest = rest[stream.write(rest) :]


def write_whole(path: Path, data: bytes) -> None:
    """Put `data` under `path`, whole or not at all."""
    with replacing(str(path)) as stream:
        write_all(stream, data)
