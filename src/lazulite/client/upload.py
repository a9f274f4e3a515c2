"""Sends local files: only what the server lacks, small ones together, large ones in parallel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lazulite.client.session import Session
from lazulite.client.tree import DigestCache, Digested, code_files, data_files
from lazulite.domain.errors import InvalidInput
from lazulite.domain.ids import BLOB_STORE

_SMALL = 1024 * 1024  # bytes up to which files travel together
_BATCH = 8 * 1024 * 1024  # bytes of one such request
_LANES = 4  # requests at once
_WORTH_A_WORD = 20_000_000  # bytes


Say = Callable[[str], None]


def upload_code(
    session: Session, path: Path, includes: tuple[Path, ...] = (), *, say: Say = lambda _: None
) -> str:
    """Save a snapshot; return the ARM id of the code version that names it."""
    made = tuple(_made(session, include) for include in includes)
    files = DigestCache(_cache(session)).digest(path, code_files(path, made))
    if not files:
        raise InvalidInput(f"the code folder {path} has no files (all are ignored?)", path="code")
    tree = _save(session, files, {}, say)
    name = f"{tree[:8]}-{tree[8:12]}-{tree[12:16]}-{tree[16:20]}-{tree[20:32]}"
    properties = {"codeUri": f"lazulite://snapshots/{tree}", "isAnonymous": True}
    rest = f"codes/{name}/versions/1"
    reply = session.arm("PUT", rest, {"properties": properties})
    return str(reply.get("id") or f"{session.workspace.arm}/{rest}")


def _made(session: Session, include: Path) -> Path:
    """Return what is to be included: an archive that is not there is made of its folder."""
    if include.suffix != ".zip" or include.exists():
        return include
    from lazulite.client.archive import pack

    return pack(include.with_suffix(""), session.settings.home / "cache" / "archives")


def upload_data(session: Session, path: Path, *, say: Say = lambda _: None) -> str:
    """Put a file or folder on the default datastore once; return its `azureml://` URI."""
    files = DigestCache(_cache(session)).digest(path, data_files(path))
    if not files:
        raise InvalidInput(f"the data folder {path} is empty", path="path")
    tree = _save(session, files, {}, say)
    # A file, and a folder of that file alone, are one tree; they must not share a place.
    folder = f"LocalUpload/{tree}-file" if path.is_file() else f"LocalUpload/{tree}"
    place = folder if path.is_file() else f"{folder}/{path.name}"
    _save(session, files, {"datastore": BLOB_STORE, "path": place}, say)
    return f"azureml://datastores/{BLOB_STORE}/paths/{folder}/{path.name}"


def _cache(session: Session) -> Path:
    return session.settings.home / "cache" / "digests"


def _save(session: Session, files: list[Digested], place: dict[str, Any], say: Say) -> str:
    """Save a tree, sending what is missing; return its digest."""
    body = {"entries": [file.entry for file in files], **place}
    path = session.own("snapshots")
    reply = session.connection.json("POST", path, body, repeat=True)
    if missing := set(reply["missing"]):
        lacking = [file for file in files if file.digest in missing]
        total = sum(file.file.size for file in lacking)
        if total >= _WORTH_A_WORD:
            say(f"uploading {len(lacking)} files, {total / 1e6:.0f} MB")
        _send(session, lacking)
        reply = session.connection.json("POST", path, body, repeat=True)
        if reply["missing"]:
            changed = next(f for f in files if f.digest in set(reply["missing"]))
            raise InvalidInput(
                f"{changed.file.local} changed while it was being sent; submit again"
            )
    return str(reply["digest"])


def _send(session: Session, files: list[Digested]) -> None:
    unique = list({file.digest: file for file in files}.values())
    large = [file for file in unique if file.file.size > _SMALL]
    for batch in _batches([file for file in unique if file.file.size <= _SMALL]):
        session.connection.send("POST", session.own("objects"), batch, len(batch))
    if len(large) == 1:
        _send_large(session, large[0])
    elif large:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(_LANES) as pool:
            list(pool.map(lambda file: _send_large(session, file), large))


def _batches(files: list[Digested]) -> Iterator[bytes]:
    """Yield requests of frames: digest in ASCII, size in 8 bytes big-endian, content."""
    frames: list[bytes] = []
    total = 0
    for file in files:
        content = Path(file.file.local).read_bytes()
        frames += [file.digest.encode(), len(content).to_bytes(8, "big"), content]
        total += len(content)
        if total >= _BATCH:
            yield b"".join(frames)
            frames, total = [], 0
    if frames:
        yield b"".join(frames)


def _send_large(session: Session, file: Digested) -> None:
    connection = session.connection.another()
    try:
        with Path(file.file.local).open("rb") as content:
            path = session.own(f"objects/{file.digest}")
            connection.send("PUT", path, content, file.file.size)
    finally:
        connection.close()
