"""What a file cannot hold of a blob: its headers, kept in a small file of their own."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from lazulite.files.digests import digest_of
from lazulite.files.disk import write_whole
from lazulite.ports.blobs import BlobHeaders

_PLAIN = BlobHeaders()


class About(msgspec.Struct, frozen=True, array_like=True):
    """The headers of a blob, and the file they were given for."""

    size: int
    modified: int  # ns
    inode: int
    headers: BlobHeaders


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(About).decode


def read(path: str, status: os.stat_result) -> BlobHeaders:
    """Return the headers at `path` if they were given for the file of this state, else none."""
    try:
        with open(path, "rb") as stream:
            about = _DECODE(stream.read())
    except (OSError, msgspec.DecodeError):
        return _PLAIN
    return about.headers if about == _about(status, about.headers) else _PLAIN


def write(path: str, status: os.stat_result, headers: BlobHeaders) -> None:
    """Keep headers at `path` for the file of this state."""
    if headers == _PLAIN:
        forget(path)
    else:
        write_whole(Path(path), _ENCODE(_about(status, headers)))


def forget(path: str) -> None:
    """Remove what was kept."""
    with suppress(FileNotFoundError):
        os.unlink(path)


def etag(status: os.stat_result, headers: BlobHeaders) -> str:
    """Return a quoted tag that changes with the file and its headers."""
    return f'"0x{digest_of(_ENCODE(_about(status, headers)))[:16].upper()}"'


def _about(status: os.stat_result, headers: BlobHeaders) -> About:
    return About(status.st_size, status.st_mtime_ns, status.st_ino, headers)
