"""Puts files among the artifacts of a run, checked by SHA-256.

A large file is cut into parts. The server knows an upload by the content, so that the same command
after a cut sends what is missing. What is there already, whole and the same, is not sent at all.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote

from lazulite.client.lanes import Lanes
from lazulite.client.rest import Connection
from lazulite.client.session import Session
from lazulite.domain.errors import InvalidInput, NotFound
from lazulite.domain.ids import clean_path

PART = 8 << 20  # bytes of a part, and of a file that is sent in one piece
_MOST_PARTS = 10_000
_WORTH_A_WORD = 20_000_000  # bytes

Say = Callable[[str], None]


class Moved(NamedTuple):
    """What an upload or download did."""

    files: int
    size: int  # bytes of these files
    sent: int  # bytes that travelled


class _File(NamedTuple):
    local: Path
    path: str  # among the artifacts
    size: int


class _Large(NamedTuple):
    """A large file on its way."""

    file: _File
    part: int  # bytes of each part but the last
    digest: str  # SHA-256 of the whole, base64
    upload: str
    there: Mapping[int, str]  # ETags of the parts that are there


def upload(
    session: Session, run: str, local: Path, remote: str = "", *, say: Say = lambda _: None
) -> Moved:
    """Put a file, or what is in a folder, among the artifacts of a run, below `remote`.

    Raises:
        NotFound: there is no such file, folder or run.
        InvalidInput: a file changes while it is sent, or the run takes none.
        Unavailable: the server went away; the same call again sends the rest.
    """
    files = list(_local_files(local, clean_path(remote).strip("/")))
    if not files:
        raise NotFound(f"there is no file in the folder {str(local)!r}")
    total = sum(file.size for file in files)
    if total >= _WORTH_A_WORD:
        say(f"uploading {len(files)} file{'' if len(files) == 1 else 's'}, {total / 1e6:.0f} MB")
    root = files_of(session, run)
    sent = 0
    with Lanes(session.connection) as lanes:
        small = (file for file in files if file.size <= PART)
        sent += sum(lanes.each(partial(_send_small, root), small))
        for file in files:
            if file.size > PART:
                sent += _send_large(session.connection, lanes, root, file, say)
    return Moved(len(files), total, sent)


def files_of(session: Session, run: str) -> str:
    """Return the path below which the routes of artifacts are, and the place of a run in it."""
    api = f"/mlflow/v1.0{session.workspace.arm}/api/2.0/mlflow-artifacts"
    return f"{api}/{{}}/0/{quote(run, safe='')}/artifacts"


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, base64."""
    with path.open("rb") as stream:
        return _base64(hashlib.file_digest(stream, "sha256").digest())


def header_of(digest: str) -> str:
    """Return a SHA-256 as Repr-Digest has it."""
    return f"sha-256=:{digest}:"


def _local_files(local: Path, remote: str) -> Iterator[_File]:
    """Yield the files of a folder, sorted; of what is no regular file nothing is sent."""
    if local.is_file():
        yield _File(local, f"{remote}/{local.name}".lstrip("/"), local.stat().st_size)
        return
    if not local.is_dir():
        raise NotFound(f"there is no file or folder {str(local)!r} here")
    for folder, folders, names in os.walk(local):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_file():
                inside = path.relative_to(local).as_posix()
                yield _File(path, f"{remote}/{inside}".lstrip("/"), path.stat().st_size)


def _send_small(root: str, connection: Connection, file: _File) -> int:
    content = file.local.read_bytes()
    digest = header_of(_base64(hashlib.sha256(content).digest()))
    if _is_there(connection, root, file, digest):
        return 0
    connection.put(url_of(root, "artifacts", file.path), content, {"Repr-Digest": digest})
    return len(content)


def _is_there(connection: Connection, root: str, file: _File, digest: str) -> bool:
    try:
        headers = connection.head(url_of(root, "artifacts", file.path))
    except NotFound:
        return False
    return digest in headers.get("repr-digest", "")


def _send_large(connection: Connection, lanes: Lanes, root: str, file: _File, say: Say) -> int:
    digest = digest_of(file.local)
    if _is_there(connection, root, file, header_of(digest)):
        return 0
    large = _open(connection, root, file, digest)
    missing = [n for n in range(1, _parts(large) + 1) if n not in large.there]
    if large.there:
        say(f"{file.path}: {len(large.there)} of {_parts(large)} parts are there already")
    etags = dict(large.there)
    sent = 0
    for number, size, etag in lanes.each(partial(_send_part, root, large), missing):
        etags[number] = etag
        sent += size
    _complete(connection, root, large, etags)
    return sent


def _open(connection: Connection, root: str, file: _File, digest: str) -> _Large:
    """Begin an upload, or go on with that of the same content."""
    size = max(PART, -(-file.size // _MOST_PARTS))
    large = _Large(file, size, digest, "", {})
    body = {"num_parts": _parts(large), "part_size": size, "sha256": digest}
    reply = _act(connection, root, "create", file, body)
    there = {one["part_number"]: one["etag"] for one in reply.get("parts", [])}
    return large._replace(upload=reply["upload_id"], there=there)


def _parts(large: _Large) -> int:
    return -(-large.file.size // large.part)


def _send_part(
    root: str, large: _Large, connection: Connection, number: int
) -> tuple[int, int, str]:
    with large.file.local.open("rb") as stream:
        stream.seek((number - 1) * large.part)
        content = stream.read(large.part)
    url = url_of(root, f"mpu/parts/{large.upload}/{number}", large.file.path)
    headers = connection.put(url, content, {})  # the digest of the whole tells whether it is right
    return number, len(content), headers["etag"]


def _complete(connection: Connection, root: str, large: _Large, etags: Mapping[int, str]) -> None:
    parts = [{"part_number": n, "etag": etag} for n, etag in sorted(etags.items())]
    body = {"upload_id": large.upload, "parts": parts}
    headers = {"Repr-Digest": header_of(large.digest)}
    try:
        _act(connection, root, "complete", large.file, body, headers)
    except InvalidInput as error:
        _act(connection, root, "abort", large.file, {"upload_id": large.upload})
        raise InvalidInput(
            f"{large.file.local} changed while it was sent ({error.message}); upload it again",
            path="path",
        ) from None


def _act(
    connection: Connection,
    root: str,
    act: str,
    file: _File,
    body: dict[str, Any],
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Any:
    folder, _, name = file.path.rpartition("/")
    url = url_of(root, f"mpu/{act}", folder)
    return connection.json("POST", url, {"path": name, **body}, headers=headers, repeat=True)


def url_of(root: str, route: str, path: str) -> str:
    """Return the path of a route for a file; see `files_of`."""
    return f"{root.format(route)}/{quote(path)}".rstrip("/")


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
