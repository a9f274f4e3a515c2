"""Lists the files below a folder in the order of their whole names, from a name on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from lazulite.files.disk import TEMPORARY
from lazulite.files.walk import is_inside


class Listing(NamedTuple):
    """What to list; names are relative to `root`, a folder's ends in '/'."""

    root: str  # real path
    prefix: str
    after: str  # names up to this one are left out
    folders: bool  # name a folder that begins with the prefix, and not what is in it


class _Place(NamedTuple):
    name: str  # '/' at the end: a folder
    real: str
    status: os.stat_result | None  # None: a folder


def listed(listing: Listing) -> Iterator[tuple[str, os.stat_result | None]]:
    """Yield (name, state of the file; None for a folder), ordered by name.

    What leads out of `root`, is no file or folder, or has no Unicode name is left out.
    """
    base = listing.prefix.rpartition("/")[0]
    start = os.path.realpath(f"{listing.root}/{base}")
    if is_inside(listing.root, start) and os.path.isdir(start):
        yield from _listed(listing, start, f"{base}/" if base else "", (start,))


def _listed(
    listing: Listing, folder: str, base: str, above: tuple[str, ...]
) -> Iterator[tuple[str, os.stat_result | None]]:
    for place in sorted(_places(listing, folder, base)):
        if place.status:
            yield place.name, place.status
        elif place.real in above:
            continue
        elif listing.folders and place.name.startswith(listing.prefix):
            inside = Listing(listing.root, place.name, "", folders=False)
            if place.name > listing.after and next(listed(inside), None):
                yield place.name, None
        else:
            yield from _listed(listing, place.real, place.name, (*above, place.real))


def _places(listing: Listing, folder: str, base: str) -> Iterator[_Place]:
    with suppress(FileNotFoundError), os.scandir(folder) as entries:  # jobs remove folders
        for entry in entries:
            name = base + entry.name
            if not _may_matter(listing, name) or not _is_named(entry.name):
                continue
            with suppress(FileNotFoundError):
                place = _place(listing.root, entry, name)
                if place and _wanted(listing, place):
                    yield place


def _may_matter(listing: Listing, name: str) -> bool:
    return name.startswith(listing.prefix) or listing.prefix.startswith(f"{name}/")


def _place(root: str, entry: os.DirEntry[str], name: str) -> _Place | None:
    real = entry.path
    if entry.is_symlink():
        real = os.path.realpath(entry.path)
        if not is_inside(root, real) or not os.path.exists(real):
            return None
    if entry.is_dir():
        return _Place(f"{name}/", real, None)
    return _Place(name, real, entry.stat()) if entry.is_file() else None


def _wanted(listing: Listing, place: _Place) -> bool:
    if place.status is None:
        below = place.name.startswith(listing.prefix) or listing.prefix.startswith(place.name)
        return below and (place.name > listing.after or listing.after.startswith(place.name))
    return place.name.startswith(listing.prefix) and place.name > listing.after


def _is_named(name: str) -> bool:
    """Say whether a blob can have this name: it is Unicode, and the file is not half-made."""
    if name.startswith(TEMPORARY):
        return False
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
