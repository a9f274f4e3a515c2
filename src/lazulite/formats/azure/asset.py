"""Versioned assets in Azure's JSON: what is content, what may change later. It stores nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from lazulite.domain.asset import Asset, AssetKind, Container, Stage
from lazulite.domain.errors import InvalidInput
from lazulite.domain.ids import WorkspaceId, parse_storage
from lazulite.formats.azure.envelope import Stamp, properties_of, resource, string_map, text_of

MUTABLE = frozenset({"description", "tags", "properties", "stage", "autoDeleteSetting"})
_SERVER_FIELDS = frozenset({"isArchived", "isAnonymous", "provisioningState", "systemData"})
_PRESENTATION = frozenset(
    {"name", "version", "$schema", "_source", "display_name", "description", "tags"}
)  # of a component: what it is called does not change what it does
_EMPTY: tuple[object, ...] = (None, {}, [], "")
DATA_TYPES = ("uri_file", "uri_folder", "mltable")


class AssetDraft(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says about a version of an asset."""

    body: dict[str, Any]
    anonymous: bool
    stage: Stage | None  # None = it does not say


def decode_version(kind: AssetKind, request: dict[str, Any]) -> AssetDraft:
    """Read and check the body of a PUT of a version.

    Raises:
        InvalidInput: a field is missing or wrong; `path` names it.
    """
    properties = properties_of(request)
    body = {key: value for key, value in properties.items() if key not in _SERVER_FIELDS}
    for key in ("tags", "properties"):
        body[key] = string_map(body.get(key), f"properties.{key}")
    body = _CHECK[kind](body)
    return AssetDraft(
        body=body, anonymous=properties.get("isAnonymous") is True, stage=_stage(properties)
    )


def decode_container(request: dict[str, Any]) -> Stage:
    """Read the body of a PUT of a container: all it can change is archived or not."""
    return _stage(properties_of(request)) or Stage.ACTIVE


def content(kind: AssetKind, body: dict[str, Any]) -> dict[str, Any]:
    """Return what makes two versions the same; it can never change. Empty counts as absent."""
    same = {key: value for key, value in body.items() if key not in MUTABLE and value not in _EMPTY}
    if kind is AssetKind.COMPONENT:
        spec = same.get("componentSpec") or {}
        same["componentSpec"] = {k: v for k, v in spec.items() if k not in _PRESENTATION}
    if kind is AssetKind.CODE:
        same.pop("codeUri", None)  # the digest of what lies there counts
    return same


def content_digest(kind: AssetKind, body: dict[str, Any]) -> str | None:
    """Return the identity of an environment's specification; None for other kinds."""
    if kind is not AssetKind.ENVIRONMENT:
        return None
    text = msgspec.json.encode(content(kind, body), order="sorted")
    return hashlib.sha256(text).hexdigest()


def encode_version(asset: Asset, workspace: WorkspaceId) -> dict[str, Any]:
    """Return a version as ARM does."""
    properties: dict[str, Any] = {
        "description": None,
        "tags": {},
        "properties": {},
        **_DEFAULTS.get(asset.kind, {}),
        **asset.body,
        "isAnonymous": asset.anonymous,
        "isArchived": asset.stage is Stage.ARCHIVED,
        "provisioningState": "Succeeded",
    }
    stamp = Stamp(
        created_at=asset.created_at, created_by=asset.created_by, modified_at=asset.modified_at
    )
    path = f"{asset.kind}/{asset.name}/versions/{asset.version}"
    return resource(workspace, path, properties, stamp)


def encode_container(
    container: Container, workspace: WorkspaceId, data_type: str | None = None
) -> dict[str, Any]:
    """Return a container as ARM does; `data_type` is that of its latest version."""
    properties: dict[str, Any] = {
        "description": None,
        "tags": {},
        "properties": {},
        "isArchived": container.stage is Stage.ARCHIVED,
        "latestVersion": container.latest,
        "nextVersion": container.next,
        "provisioningState": "Succeeded",
    }
    if data_type:
        properties["dataType"] = data_type
    stamp = Stamp(created_at=container.created_at, created_by=container.created_by)
    return resource(workspace, f"{container.kind}/{container.name}", properties, stamp)


def _stage(properties: dict[str, Any]) -> Stage | None:
    archived = properties.get("isArchived")
    if archived is None:
        return None
    return Stage.ARCHIVED if archived is True else Stage.ACTIVE


def _code(body: dict[str, Any]) -> dict[str, Any]:
    text_of(body, "codeUri")
    return body


def _data(body: dict[str, Any]) -> dict[str, Any]:
    kind = text_of(body, "dataType")
    if kind not in DATA_TYPES:
        raise InvalidInput(
            f"'dataType' is {kind[:80]!r}; use {', '.join(DATA_TYPES)}",
            path="properties.dataType",
        )
    parse_storage(text_of(body, "dataUri"))  # refuses paths that climb out
    return body


def _environment(body: dict[str, Any]) -> dict[str, Any]:
    if not any(isinstance(body.get(key), str | dict) for key in ("image", "build", "condaFile")):
        raise InvalidInput(
            "an environment needs an 'image', a 'condaFile' or a 'build'", path="properties.image"
        )
    for key in ("image", "condaFile"):
        if key in body:
            text_of(body, key)
    return {k: v for k, v in body.items() if k not in ("environmentType", "osType")}


def _component(body: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(body.get("componentSpec"), dict):
        raise InvalidInput("'componentSpec' must be an object", path="properties.componentSpec")
    return body


def _model(body: dict[str, Any]) -> dict[str, Any]:
    text_of(body, "modelUri")
    return {**body, "modelType": body.get("modelType") or "custom_model"}


_CHECK: dict[AssetKind, Callable[[dict[str, Any]], dict[str, Any]]] = {
    AssetKind.CODE: _code,
    AssetKind.DATA: _data,
    AssetKind.ENVIRONMENT: _environment,
    AssetKind.COMPONENT: _component,
    AssetKind.MODEL: _model,
}

_DEFAULTS: dict[AssetKind, dict[str, Any]] = {
    AssetKind.ENVIRONMENT: {"osType": "Linux", "environmentType": "UserCreated"},
    AssetKind.MODEL: {"flavors": {}},
}
