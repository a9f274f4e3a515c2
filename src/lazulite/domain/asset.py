"""Versioned assets: code, data, environment, component, model. One shape for all."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec


class AssetKind(StrEnum):
    """The plural noun of Azure's routes."""

    CODE = "codes"
    DATA = "data"
    ENVIRONMENT = "environments"
    COMPONENT = "components"
    MODEL = "models"


class Stage(StrEnum):
    """Whether lists show it."""

    ACTIVE = "Active"
    ARCHIVED = "Archived"


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """One version of an asset. `body` is Azure's `properties` as put, without server fields."""

    id: int = 0  # store's row id; 0 = not stored yet
    kind: AssetKind
    name: str
    version: str
    body: dict[str, Any]
    digest: str | None = None  # content identity of code and environments; None where it has none
    anonymous: bool = False
    stage: Stage = Stage.ACTIVE
    created_at: datetime
    created_by: str
    modified_at: datetime


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """All versions of one name."""

    kind: AssetKind
    name: str
    latest: str  # version that was created last
    next: str  # version that auto-versioning gives next
    stage: Stage  # archived only if every version is
    created_at: datetime
    created_by: str


def next_version(versions: Iterable[str], last: int = 0) -> str:
    """Return the version after the highest whole number and after `last`, `1` if there is none."""
    numbers = [int(v) for v in versions if v.isascii() and v.isdigit()]
    return str(max([last, *numbers]) + 1)
