"""The shape all of Azure's resources share: id, type, name, systemData. It knows no kind."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from lazulite.domain.errors import InvalidInput
from lazulite.domain.ids import PROVIDER, WorkspaceId

T = TypeVar("T")


class Stamp(msgspec.Struct, frozen=True, kw_only=True):
    """Who made a resource, and when it changed."""

    created_at: datetime
    created_by: str
    modified_at: datetime | None = None  # None = it never changes


def system_data(stamp: Stamp) -> dict[str, Any]:
    """Return Azure's `systemData`."""
    return {
        "createdAt": stamp.created_at,
        "createdBy": stamp.created_by,
        "createdByType": "User",
        "lastModifiedAt": stamp.modified_at or stamp.created_at,
        "lastModifiedBy": stamp.created_by,
        "lastModifiedByType": "User",
    }


def resource(
    workspace: WorkspaceId, path: str, properties: Mapping[str, Any], stamp: Stamp
) -> dict[str, Any]:
    """Return a resource below a workspace.

    Args:
        workspace: where it is.
        path: the rest of its id: `computes/cpu`, `data/iris/versions/1`.
        properties: what differs by kind.
        stamp: for `systemData`.
    """
    parts = path.split("/")
    return {
        "id": f"{workspace.arm}/{path}",
        "name": parts[-1],
        "type": f"{PROVIDER}/workspaces/{'/'.join(parts[::2])}",
        "properties": properties,
        "systemData": system_data(stamp),
    }


def properties_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return `properties` of a request body, without its nulls.

    Raises:
        InvalidInput: there is none, or it is not an object.
    """
    found = body.get("properties")
    if not isinstance(found, dict):
        raise InvalidInput("the body needs an object 'properties'", path="properties")
    return {key: value for key, value in found.items() if value is not None}


def convert(value: Any, to: type[T], path: str) -> T:
    """Check and convert JSON to a type.

    Raises:
        InvalidInput: it does not fit; the message names the field below `path`.
    """
    try:
        return msgspec.convert(value, to, strict=False)
    except msgspec.ValidationError as error:
        text, _, where = str(error).partition(" - at `$")
        field = path + where.rstrip("`")
        raise InvalidInput(f"{field}: {text}", path=field) from None


def string_map(value: Any, path: str) -> dict[str, str]:
    """Read tags or properties: names to text; nulls are dropped, other scalars become text.

    Raises:
        InvalidInput: it is not such an object.
    """
    raw = convert(value or {}, dict[str, str | int | float | bool | None], path)
    return {k: v if isinstance(v, str) else str(v) for k, v in raw.items() if v is not None}


def text_of(properties: Mapping[str, Any], key: str) -> str:
    """Return a required text field of `properties`.

    Raises:
        InvalidInput: it is missing, empty, not text, or holds a NUL.
    """
    value = properties.get(key)
    if not isinstance(value, str) or not value or "\0" in value:
        raise InvalidInput(f"'{key}' must be a text that is not empty", path=f"properties.{key}")
    return value
