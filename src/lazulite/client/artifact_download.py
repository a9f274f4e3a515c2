"""Brings the artifacts of a run to a local folder; goes on where it was cut.

A file is written beside its place under a name with its ETag, and takes its place when it is whole.
The date of a file that came has a fraction made from its ETag, so that it is known to be the same.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

from lazulite.client import runs
from lazulite.client.artifacts import Moved, files_of, header_of, url_of
from lazulite.client.lanes import Lanes
from lazulite.client.rest import Connection
from lazulite.client.session import Session
from lazulite.domain.errors import Conflict, NotFound, Unavailable
from lazulite.domain.ids import clean_path

_WORTH_A_WORD = 20_000_000  # bytes
_PIECE = 1 << 20  # bytes read of a file at once
_SECOND = 10**9  # ns

Say = Callable[[str], None]


class _Remote(NamedTuple):
    """What the server says of a file."""

    url: str
    size: int
    etag: str
    digest: str  # Repr-Digest; empty where it is not known
    stamp: int  # ns; the date that the local file gets


def download(
    session: Session, run: str, remote: str, target: Path, *, say: Say = lambda _: None
) -> Moved:
    """Bring a file, or all below a folder, of a run; its path stays the same below `target`.

    Raises:
        NotFound: there is no such run or file.
        Conflict: a local file stands where a folder must be, or another download writes it.
        Unavailable: the server went away, or the content is not what it said; the same call again
            brings the rest.
    """
    path = clean_path(remote).strip("/")
    found = list(runs.artifacts(session, run, path))
    if not found and path:
        found = [{"path": path, "size": 0}]  # it is a file, or it is not there
    total = sum(one["size"] for one in found)
    if total >= _WORTH_A_WORD:
        say(f"downloading {len(found)} file{'' if len(found) == 1 else 's'}, {total / 1e6:.0f} MB")
    fetch = partial(_fetch, files_of(session, run), target, say)
    with Lanes(session.connection) as lanes:
        done = list(lanes.each(fetch, (str(one["path"]) for one in found)))
    return Moved(len(done), sum(one[0] for one in done), sum(one[1] for one in done))


def _fetch(root: str, target: Path, say: Say, connection: Connection, path: str) -> tuple[int, int]:
    """Bring one file; return its size, and the bytes that travelled."""
    try:
        remote = _remote(connection, url_of(root, "artifacts", path))
    except NotFound:
        raise NotFound(f"the run has no artifact '{path}'; see `lazulite run artifacts`") from None
    local = target / clean_path(path)
    if _is_here(local, remote):
        return remote.size, 0
    try:
        local.parent.mkdir(parents=True, exist_ok=True)
        with _partial(local, remote) as part:
            begun = part.seek(0, os.SEEK_END)
            if begun:
                say(f"{path}: {begun / 1e6:.0f} of {remote.size / 1e6:.0f} MB are here already")
            came = _receive(connection, remote, part)
            _check(remote, part)
            os.utime(part.name, ns=(remote.stamp, remote.stamp))
            Path(part.name).replace(local)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise Conflict(f"{error.filename} is in the way of {local}; remove it") from None
    return remote.size, came


def _remote(connection: Connection, url: str) -> _Remote:
    headers = connection.head(url)
    modified = int(parsedate_to_datetime(headers["last-modified"]).timestamp())
    return _Remote(
        url,
        int(headers["content-length"]),
        headers["etag"],
        headers.get("repr-digest", ""),
        modified * _SECOND + zlib.crc32(headers["etag"].encode()) % _SECOND,
    )


def _is_here(local: Path, remote: _Remote) -> bool:
    try:
        status = local.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return (status.st_size, status.st_mtime_ns) == (remote.size, remote.stamp)


@contextmanager
def _partial(local: Path, remote: _Remote) -> Iterator[BinaryIO]:
    """Open what came of this state of a file; what came of others goes.

    Raises:
        Conflict: another process writes it.
    """
    tag = hashlib.sha256(remote.etag.encode()).hexdigest()[:16]
    stem = hashlib.sha256(local.name.encode()).hexdigest()[:16]
    name = local.with_name(f".{stem}.{tag}.part")
    for old in local.parent.glob(f".{stem}.*.part"):
        if old != name:
            old.unlink(missing_ok=True)
    with name.open("ab+") as part:
        try:
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"{local} is being downloaded by another process") from None
        yield part


def _receive(connection: Connection, remote: _Remote, part: BinaryIO) -> int:
    """Append what is missing; return the bytes that came."""
    begun = part.tell()
    if begun == remote.size:
        return 0
    headers = {"Range": f"bytes={begun}-", "If-Range": remote.etag} if begun else {}
    came = 0
    with connection.get(remote.url, headers) as (status, told, pieces):
        if told.get("etag") != remote.etag:
            raise Unavailable("the artifact was replaced while it was read; download it again")
        if status != 206:
            part.truncate(0)
        for piece in pieces:
            part.write(piece)
            came += len(piece)
    part.flush()
    return came


def _check(remote: _Remote, part: BinaryIO) -> None:
    """Compare what came with what the server said.

    Raises:
        Unavailable: it is something else; it was removed.
    """
    digest = "sha-256=" in remote.digest
    if part.tell() == remote.size and (not digest or _sha256(part) in remote.digest):
        return
    Path(part.name).unlink(missing_ok=True)
    raise Unavailable(
        f"what came of {remote.url.rpartition('/')[2]} is not what the server has; "
        "download it again"
    )


def _sha256(part: BinaryIO) -> str:
    hasher = hashlib.sha256()
    part.seek(0)
    while piece := part.read(_PIECE):
        hasher.update(piece)
    return header_of(base64.b64encode(hasher.digest()).decode())
