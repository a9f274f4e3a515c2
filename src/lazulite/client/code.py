"""Brings the code that a job ran to a local folder."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from io import RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from lazulite.client.session import Session
from lazulite.domain.errors import Conflict
from lazulite.domain.ids import clean_path

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


def bring_code(session: Session, job: str, target: Path) -> int:
    """Write the files of a job's code below `target`; return their number.

    Raises:
        NotFound: there is no such job, or it has no code.
        Conflict: it is a pipeline, or a local file stands where a folder must be.
    """
    count = 0
    path = session.own(f"jobs/{quote(job, safe='')}/code")
    with (
        session.connection.stream(path) as pieces,
        tarfile.open(fileobj=_Pieces(pieces), mode="r|") as archive,
    ):
        for member in archive:
            _write(archive, member, target / clean_path(member.name))
            count += 1
    return count


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    source = archive.extractfile(member)
    if source is None:
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with source, target.open("wb") as sink:
            while data := source.read(1 << 20):
                sink.write(data)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise Conflict(f"{error.filename} is in the way of {target}; remove it") from None
    if member.mode & 0o100:
        target.chmod(target.stat().st_mode | 0o111)


class _Pieces(RawIOBase):
    """A body that comes in pieces, as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read what there is, at most as much as fits."""
        self._left = self._left or next(self._pieces, b"")
        room = memoryview(buffer).cast("B")
        count = min(len(room), len(self._left))
        room[:count], self._left = self._left[:count], self._left[count:]
        return count
