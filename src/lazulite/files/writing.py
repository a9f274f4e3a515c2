"""Writes what comes as a stream into files, so that little is left to do when it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import BinaryIO

from lazulite.files.disk import CHUNK
from lazulite.files.sums import Sums
from lazulite.ports.blobs import Reader

EARLY = 8 << 20  # bytes after which the disk begins


class Writer:
    """Writes a file from some place on; the disk works meanwhile, so that `fsync` waits little."""

    def __init__(self, descriptor: int, start: int = 0) -> None:
        """Write at `start`, whatever the position of the file is."""
        self._descriptor = descriptor
        self._at = self._begun = start

    def write(self, data: bytes) -> None:
        """Write all of it."""
        rest = memoryview(data)
        while rest:
            count = os.pwrite(self._descriptor, rest, self._at)
            self._at += count
            rest = rest[count:]
        if self._at - self._begun >= EARLY:
            begin_writing(self._descriptor, self._begun, self._at - self._begun)
            self._begun = self._at


def begin_writing(descriptor: int, start: int, size: int) -> None:
    """Let the disk begin with what was written; nothing is waited for.

    Linux does this when it is told that the bytes are not needed in memory, which they have to
    stay in until they are on the disk: who reads them next finds them there.
    """
    if sys.platform == "linux":
        os.posix_fadvise(descriptor, start, size, os.POSIX_FADV_DONTNEED)


def write_stream(stream: Reader, out: BinaryIO, sums: Sums) -> None:
    """Write a stream to a new file and check its digests."""
    pour(stream, Writer(out.fileno()).write, sums)
    sums.check()


def pour(stream: Reader, write: Callable[[bytes], None], sums: Sums) -> None:
    """Write a stream."""
    while data := stream.read(CHUNK):
        write(data)
        sums.update(data)
