"""Data and models of a YAML file: versioned assets that are files."""

from __future__ import annotations

from typing import Any

from lazulite.formats.yaml.plan import Build, Plan
from lazulite.formats.yaml.section import Section
from lazulite.formats.yaml.spelling import dropped
from lazulite.formats.yaml.value import data_uri

_FIELDS = ("$schema", "name", "version", "type", "path", "description", "tags", "properties")
_IGNORED = ("datastore", "stage", "auto_delete_setting", "intellectual_property", "id")
_DATA = ("uri_file", "uri_folder", "mltable")
_MODELS = ("custom_model", "mlflow_model", "triton_model")


def read_data(build: Build, root: Section) -> Plan:
    """Read a data asset's file."""
    root.known(_FIELDS, ignored=_IGNORED)
    uri, kind = data_uri(build, root, root.one_of("type", _DATA), slash=False)
    body = {**_about(root), "dataType": kind, "dataUri": uri}
    return _plan(build, root, "data", body)


def read_model(build: Build, root: Section) -> Plan:
    """Read a model's file."""
    root.known((*_FIELDS, "flavors"), ignored=_IGNORED)
    kind = root.one_of("type", _MODELS) or "custom_model"
    uri, _ = data_uri(build, root, kind, slash=False)
    body = {
        **_about(root),
        "modelType": kind,
        "modelUri": uri,
        "flavors": _flavors(root.plain("flavors")),
    }
    return _plan(build, root, "models", body)


def _flavors(found: Any) -> dict[str, Any] | None:
    """Azure nests what MLflow says of a flavour under `data`."""
    if not isinstance(found, dict):
        return None
    return {
        name: {"data": {k: str(v) for k, v in (of or {}).items()}} for name, of in found.items()
    }


def _about(root: Section) -> dict[str, Any]:
    return {
        "description": root.text("description"),
        "tags": root.texts("tags") or {},
        "properties": root.texts("properties") or {},
        "isAnonymous": False,
        "isArchived": False,
    }


def _plan(build: Build, root: Section, kind: str, body: dict[str, Any]) -> Plan:
    return Plan(
        kind=kind,
        name=root.need("name"),
        version=root.text("version"),
        body={"properties": dropped(body)},
        uploads=tuple(build.uploads),
        warnings=tuple(build.warnings),
        root=root,
    )
