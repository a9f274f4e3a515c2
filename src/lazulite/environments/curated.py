"""The packages of each curated environment, pinned with hashes. It does not install them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from lazulite.domain import curated


def known() -> list[str]:
    """Names of the curated environments that can be built."""
    return [entry.name for entry in curated.known()]


@cache
def lock_text(name: str) -> str:
    """Return the requirements file of the curated environment `name`, a name of `known()`."""
    return files("lazulite.environments").joinpath("locks", f"{name}.txt").read_text("utf-8")
