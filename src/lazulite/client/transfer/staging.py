"""Writes records and names of the registry as MLflow's FileStore does, each whole or not at all."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

import yaml

from lazulite.client.transfer.folder import META, read_meta
from lazulite.client.transfer.records import EXPORTED_VERSION, Name, NamePlaced, Version
from lazulite.domain.errors import InvalidInput
from lazulite.domain.run import check_key
from lazulite.formats.mlflow.transfer import PlacedVersion

_PIECE = 1 << 20  # bytes copied at once
_LONGEST = 250  # bytes of the name of a file


class Staging:
    """A folder beside a store, in which things are made before they are renamed into it."""

    def __init__(self, root: Path) -> None:
        """Make it."""
        self._folder = root.parent / f".{root.name}.lazulite-{uuid4().hex[:8]}"
        self._folder.mkdir(parents=True)

    def appear(
        self,
        place: Path,
        record: Mapping[str, object],
        texts: Mapping[str, Mapping[str, str]],
        folders: Sequence[str] = (),
    ) -> None:
        """Make a folder with a record, and texts in files of folders; leave one that is there."""
        if (place / META).is_file():
            return
        part = self._folder / uuid4().hex
        part.mkdir()
        (part / META).write_text(dump(record))
        for name in (*folders, *texts):
            (part / name).mkdir(exist_ok=True)
        for kind, files in texts.items():
            for name, text in files.items():
                path = part / kind / file_of(name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text.encode())
        place.parent.mkdir(parents=True, exist_ok=True)
        part.rename(place)

    def write(self, path: Path, text: str) -> None:
        """Write a file."""
        part = self._folder / uuid4().hex
        part.write_bytes(text.encode())
        path.parent.mkdir(parents=True, exist_ok=True)
        part.replace(path)

    def copy(self, content: BinaryIO, place: Path) -> None:
        """Write a file from a stream."""
        part = self._folder / uuid4().hex
        with part.open("wb") as copy:
            shutil.copyfileobj(content, copy, _PIECE)
        place.parent.mkdir(parents=True, exist_ok=True)
        part.replace(place)

    def close(self) -> None:
        """Remove it, with what was never finished."""
        shutil.rmtree(self._folder, ignore_errors=True)


def place_name(home: Path, one: Name, disk: Staging, locate: Callable[[str], str]) -> NamePlaced:
    """Make a registered model with its versions, where name and numbers are free.

    Args:
        home: its folder.
        one: the model.
        disk: what writes.
        locate: from the source of a version to where its files are.
    """
    new = not (home / META).is_file()
    if new:
        record = {
            "creation_timestamp": one.created,
            "description": one.description,
            "last_updated_timestamp": one.modified or one.created,
            "name": one.name,
        }
        disk.appear(home, record, {"tags": one.tags})
    done = [_version(home, version, disk, locate) for version in one.versions]
    numbers = {v.version: d.version for v, d in zip(one.versions, done, strict=True)}
    refused = []
    for alias, version in one.aliases.items():
        place = home / "aliases" / alias
        if version in numbers and not place.exists():
            disk.write(place, numbers[version])
        elif version in numbers and place.read_text() != numbers[version]:
            refused.append(alias)
    return NamePlaced(new, done, refused)


def file_of(key: str) -> str:
    """Return the path of the file of a label: its key, where MLflow could have written that.

    Tags of Azure ML may have any name, also one that leads out of the folder.
    """
    with suppress(InvalidInput):
        if all(len(part.encode()) <= _LONGEST for part in check_key(key, "key").split("/")):
            return key
    name = re.sub(r"[/\\\0]", "_", key).encode()[:_LONGEST].decode(errors="ignore")
    return name if name.strip(".") else "_"


def dump(record: Mapping[str, object]) -> str:
    """Return a record as YAML."""
    return str(yaml.safe_dump(dict(record), default_flow_style=False))


def _version(
    home: Path, one: Version, disk: Staging, locate: Callable[[str], str]
) -> PlacedVersion:
    numbers = {}
    for place in home.glob("version-*"):
        meta = read_meta(place)
        exported = place / "tags" / EXPORTED_VERSION
        original = exported.read_text() if exported.is_file() else str(meta["version"])
        if original == one.version and meta.get("creation_timestamp") == one.created:
            return PlacedVersion(version=str(meta["version"]))
        numbers[int(meta["version"])] = place
    taken = int(one.version) in numbers
    number = max(numbers) + 1 if taken else int(one.version)
    tags = {**one.tags, EXPORTED_VERSION: one.version} if taken else one.tags
    record = {
        "creation_timestamp": one.created,
        "current_stage": one.stage,
        "description": one.description,
        "last_updated_timestamp": one.modified or one.created,
        "model_id": one.model,
        "name": home.name,
        "run_id": one.run,
        "run_link": one.link,
        "source": one.source,
        "status": "READY",
        "status_message": None,
        "storage_location": locate(one.source),
        "user_id": one.user,
        "version": number,
    }
    disk.appear(home / f"version-{number}", record, {"tags": tags})
    return PlacedVersion(version=str(number), new=True)
