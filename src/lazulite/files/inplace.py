"""An upload whose parts are written where they belong in one file, as their size is known.

Beside that file lie the plan, an empty file of its size for each part that came, and one for each
that is coming: the claim of who writes it. Who loses the claim writes no byte more, so that neither
a second sender of a part nor one that is late can change what was found to be good.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import msgspec

from lazulite.domain.errors import Conflict, InvalidInput
from lazulite.files import leftovers
from lazulite.files.disk import write_whole
from lazulite.files.sums import Sums
from lazulite.files.writing import Writer, pour
from lazulite.ports.blobs import InvalidBlocks, Reader
from lazulite.ports.uploads import Layout, Part

_PLAN = "plan"
_WHOLE = "whole"
_CLAIM = ".coming"
_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(Layout).decode

Hold = Callable[[], AbstractContextManager[str]]  # the upload's folder, while nobody else acts


def lay(folder: str, layout: Layout) -> None:
    """Prepare a held folder, unless it is: its parts are worth nothing without the file."""
    whole = whole_of(folder)
    if os.path.exists(whole):
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            leftovers.remove(entry.path)
    write_whole(Path(folder, _PLAN), _ENCODE(layout))
    os.close(os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))


def layout_of(folder: str) -> Layout | None:
    """Return how the parts lie in the file; None where each is a file of its own."""
    try:
        with open(f"{folder}/{_PLAN}", "rb") as stream:
            return _DECODE(stream.read())
    except FileNotFoundError:
        return None


def whole_of(folder: str) -> str:
    """Return the file of an upload."""
    return f"{folder}/{_WHOLE}"


def put(
    hold: Hold, number: int, stream: Reader, digests: Mapping[str, str], layout: Layout
) -> os.stat_result:
    """Write a part; return what its ETag is made of.

    Raises:
        InvalidInput: it is larger than was said, or has another digest.
        Conflict: somebody else began to send it, or the upload ended.
    """
    sums = Sums(digests)
    with _claimed(hold, number) as claim:
        start = (number - 1) * layout.size
        writer = Writer(claim.whole, start)
        size = 0

        def write(data: bytes) -> None:
            nonlocal size
            size += len(data)
            if size > layout.size:
                raise InvalidInput(
                    f"part {number} is larger than the {layout.size} bytes that were said when the "
                    "upload began",
                    path="part_size",
                )
            with claim.held():
                writer.write(data)

        pour(stream, write, sums)
        sums.check()
        return claim.settle(size)


def trim(folder: str, parts: Sequence[Part], layout: Layout) -> str:
    """Give the file the length of its parts; return it.

    Raises:
        InvalidBlocks: one that is not the last has another size than was said.
    """
    for part in parts[:-1]:
        if part.size != layout.size:
            raise InvalidBlocks(
                f"part {part.number} has {part.size} bytes, not the {layout.size} that were said "
                "when the upload began; send it again",
                path="parts",
            )
    whole = whole_of(folder)
    os.truncate(whole, (len(parts) - 1) * layout.size + parts[-1].size)
    return whole


class _Claim:
    """The right to write one part."""

    def __init__(self, hold: Hold, folder: str, number: int) -> None:
        """Take the right from whoever has it; what came of the part is worth nothing any more."""
        self._hold = hold
        self._part = f"{folder}/{number}"
        self._path = self._part + _CLAIM
        self.whole = os.open(whole_of(folder), os.O_WRONLY | os.O_CLOEXEC)
        try:
            leftovers.remove(self._path)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._mark = os.open(self._path, flags, 0o600)
        except BaseException:
            os.close(self.whole)
            raise
        leftovers.remove(self._part)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the upload, and be sure of the right.

        Raises:
            Conflict: it was taken.
        """
        with self._hold():
            if not self._is_mine():
                raise Conflict(
                    "the same part is being sent by another request, or its upload ended"
                )
            yield

    def settle(self, size: int) -> os.stat_result:
        """Say that the part is there."""
        with self.held():
            os.ftruncate(self._mark, size)
            os.rename(self._path, self._part)
            return os.fstat(self._mark)

    def drop(self) -> None:
        """Give the right up, if it is not used up or taken."""
        if self._is_mine():
            leftovers.remove(self._path)
        os.close(self._mark)
        os.close(self.whole)

    def _is_mine(self) -> bool:
        with suppress(FileNotFoundError):
            return os.path.samestat(os.stat(self._path), os.fstat(self._mark))
        return False


@contextmanager
def _claimed(hold: Hold, number: int) -> Iterator[_Claim]:
    with hold() as folder:
        claim = _Claim(hold, folder, number)
    try:
        yield claim
    finally:
        claim.drop()
