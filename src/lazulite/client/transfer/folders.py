"""Artifacts in folders of this machine. No link is followed out of the folder it is in."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from lazulite.client.transfer.records import File, Left
from lazulite.formats.mlflow.stored import PROXY, path_of, scheme_of

LINK_OUT = "it is a link that leads out of its folder"
_DEFAULT = "mlartifacts"  # where `mlflow server` puts what it keeps for its clients


class Folders:
    """Finds the folders that a store's locations mean."""

    def __init__(self, beside: Path, artifacts: Path | None) -> None:
        """Remember where to look.

        Args:
            beside: what relative locations are relative to.
            artifacts: what `mlflow-artifacts:` means; None = `mlartifacts` beside the store.
        """
        self._beside = beside
        self._proxied = artifacts or beside / _DEFAULT

    def files(self, location: str, owner: str) -> Iterator[File | Left]:
        """Yield the files at a location, which must be the owner's own: `.../OWNER/artifacts`."""
        if not location:
            return
        found = self._find(location, owner)
        if isinstance(found, Left):
            yield found
        elif found.is_dir():
            yield from files_in(found)
        elif not (home := _home(found)).is_dir():  # else nothing was ever logged
            yield Left("", f"there is no folder {home}: it was moved, or is on another machine")

    def _find(self, location: str, owner: str) -> Path | Left:
        scheme = scheme_of(location)
        if scheme == PROXY and not self._proxied.is_dir():
            return Left("", f"they are at {PROXY}: say with --artifacts where the server has them")
        if scheme not in ("", "file", PROXY):
            return Left("", f"they are at {scheme}:, which cannot be read from here")
        root = self._proxied if scheme == PROXY else self._beside
        path = root / path_of(location)
        if ".." in path.parts or path.parts[-2:] != (owner, "artifacts"):
            return Left("", "the store names a folder that is not its own")
        if path.resolve().parts[-2:] != path.parts[-2:]:
            return Left("", LINK_OUT)
        return path


def _home(place: Path) -> Path:
    """Return the folder in which the experiments are: `EXPERIMENT[/models]/OWNER/artifacts`."""
    return place.parents[3 if place.parts[-3] == "models" else 2]


def files_in(root: Path) -> Iterator[File | Left]:
    """Yield every file below a folder, in order."""
    inside = root.resolve()
    folders = [""]
    while folders:
        prefix = folders.pop()
        with os.scandir(root / prefix) as entries:
            found = sorted(entries, key=lambda entry: entry.name, reverse=True)
        later: list[File | Left] = []
        for entry in found:
            path = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.append(f"{path}/")
            else:
                later.append(_file(inside, Path(entry.path), path))
        yield from reversed(later)


def _file(inside: Path, place: Path, path: str) -> File | Left:
    try:
        real = place.resolve(strict=True)
        kind = real.stat()
    except (OSError, RuntimeError):
        return Left(path, "it is a link that leads nowhere")
    if not real.is_relative_to(inside):
        return Left(path, LINK_OUT)
    if not stat.S_ISREG(kind.st_mode):
        return Left(path, "it is a link to a folder" if real.is_dir() else "it is not a file")
    return File(path, kind.st_size, partial(_open, real))


def _open(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")
