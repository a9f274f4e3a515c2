"""Brings outputs, logs and artifacts of a job to a local folder, through Azure's blob routes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

from lazulite.client.rest import Connection
from lazulite.client.session import Session
from lazulite.domain.errors import Conflict, InvalidInput, NotFound
from lazulite.domain.ids import ARTIFACT_STORE, StoragePath, clean_path, parse_storage

_LANES = 4  # files at once
_PAGE = 5000  # blobs of one listing


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One thing to bring: a folder or file on a datastore, and where it goes."""

    source: StoragePath
    target: Path


def parts_of(
    job: Mapping[str, Any], target: Path, *, output: str | None = None, everything: bool = False
) -> list[Part]:
    """Return what to bring of a job, laid out as Azure ML does.

    Artifacts (logs among them) go to `artifacts/`, an output to `named-outputs/NAME/`.

    Args:
        job: Azure's JSON.
        target: the local folder.
        output: only this output.
        everything: outputs as well as artifacts.

    Raises:
        NotFound: the job has no such output (yet).
    """
    name = str(job["name"])
    found = (job["properties"].get("lazulite") or {}).get("outputs") or {}
    places = {key: parse_storage(str(value.get("uri"))) for key, value in found.items()}
    named = {key: place for key, place in places.items() if isinstance(place, StoragePath)}
    place = StoragePath(ARTIFACT_STORE, f"ExperimentRun/dcid.{name}")
    artifacts = Part(source=place, target=target / "artifacts")
    if output == "default":
        return [artifacts]
    if output is not None and output not in named:
        known = ", ".join(named) or "none"
        raise NotFound(f"job {name} has no output '{output}'; its outputs are: {known}")
    wanted = [output] if output else list(named) if everything else []
    folder = target / "named-outputs"
    outputs = [Part(source=named[key], target=folder / clean_path(key)) for key in wanted]
    return outputs if output else [artifacts, *outputs]


def bring(session: Session, parts: list[Part], say: Callable[[str], None]) -> int:
    """Copy parts to their targets; return the number of files.

    Raises:
        Conflict: a local file stands where a folder must be.
    """
    from concurrent.futures import ThreadPoolExecutor

    count = 0
    for part in parts:
        root = _container(session, part.source.datastore)
        names = list(_names(session.connection, root, part.source.path))
        jobs = [(name, _target(part, name)) for name in names]
        say(f"{len(jobs)} file{'' if len(jobs) == 1 else 's'} to {part.target}")
        with ThreadPoolExecutor(_LANES) as pool:
            list(pool.map(lambda job, root=root: _fetch(session, root, *job), jobs))
        count += len(jobs)
    return count


def _container(session: Session, datastore: str) -> str:
    """Return the path of the datastore's blob container on this server."""
    found = session.arm("GET", f"datastores/{datastore}")["properties"]
    account = str(found.get("accountName") or "")
    host, slash, rest = account.partition("/")
    if not host or not slash:
        raise InvalidInput(f"datastore '{datastore}' is not on this server; fetch it where it is")
    return f"/{rest}.blob.{found.get('endpoint')}/{found.get('containerName')}"


def _names(connection: Connection, root: str, prefix: str) -> Iterator[str]:
    """Yield the blobs that are the path itself or below it."""
    marker: str | None = ""
    folder = prefix.rstrip("/")
    while marker is not None:
        query = {
            "restype": "container", "comp": "list", "prefix": folder,
            "maxresults": _PAGE, "marker": marker or None,
        }  # fmt: skip
        with connection.stream(root, query=query) as pieces:
            tree = ET.fromstring(b"".join(pieces))  # noqa: S314 - our own server's
        names = [str(name.text) for name in tree.iterfind("./Blobs/Blob/Name")]
        yield from (n for n in names if not folder or n == folder or n.startswith(f"{folder}/"))
        marker = tree.findtext("./NextMarker") or None


def _target(part: Part, name: str) -> Path:
    folder = part.source.path.rstrip("/")
    inside = name[len(folder) :].lstrip("/") or name.rsplit("/", 1)[-1]
    return part.target / clean_path(inside)


def _fetch(session: Session, root: str, name: str, target: Path) -> None:
    connection = session.connection.another()
    fresh = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (
            connection.stream(f"{root}/{quote(name)}") as pieces,
            fresh.open("wb") as file,
        ):
            for piece in pieces:
                file.write(piece)
        fresh.replace(target)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise Conflict(f"{error.filename} is in the way of {target}; remove it") from None
    finally:
        connection.close()
        with suppress(OSError):
            fresh.unlink()
