"""Reads logs that may still grow: the last lines, or everything from a byte on."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import anyio
import anyio.to_thread

from lazulite.files.disk import open_regular

CHUNK = 256 << 10  # bytes read at once
POLL = 0.2  # seconds between looks at a log that is followed


def tail(path: Path, lines: int = 20, max_bytes: int = 8 << 10) -> str:
    """Return the last lines of a log, fewer if they are longer than `max_bytes`; "" without a log.

    What is not UTF-8 is shown as U+FFFD. Of a line that was redrawn with carriage returns, as
    progress bars do, the last drawing is given.
    """
    try:
        with open_regular(str(path)) as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - max_bytes))
            data = stream.read(max_bytes)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    return last_lines(data, lines, cut=size > max_bytes)


def last_lines(data: bytes, lines: int, *, cut: bool) -> str:
    """Return the last `lines` of `data`; `cut` says that it begins in the middle of something."""
    whole = data.rstrip(b"\r\n").split(b"\n")
    if cut and len(whole) > 1:
        whole = whole[1:]
    shown = [line.rstrip(b"\r").rpartition(b"\r")[2] for line in whole[-lines:]]
    text = "\n".join(line.decode("utf-8", "replace") for line in shown)
    return text.lstrip("\ufffd") if cut else text  # the cut may have split a character


async def follow(
    path: Path, offset: int, is_done: Callable[[], Awaitable[bool]]
) -> AsyncIterator[bytes]:
    """Yield a log from byte `offset` on, as it grows, until it is done and read to its end.

    Args:
        path: the log; it need not exist yet.
        offset: where to begin, in bytes; past the end, it waits for the log to get there.
        is_done: says that nothing will be written any more; asked at most every `POLL` seconds.
    """
    while True:
        done = await is_done()
        while data := await anyio.to_thread.run_sync(read_from, path, offset):
            offset += len(data)
            yield data
        if done:
            return
        await anyio.sleep(POLL)


def read_from(path: Path, offset: int, size: int = CHUNK) -> bytes:
    """Return up to `size` bytes from `offset` on; none when the file is shorter or absent."""
    try:
        with open_regular(str(path)) as stream:
            if offset >= os.fstat(stream.fileno()).st_size:  # may be more than a disk can hold
                return b""
            stream.seek(offset)
            return stream.read(size) or b""
    except FileNotFoundError:
        return b""
