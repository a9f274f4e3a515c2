"""Values of inputs and outputs: literals, paths, bindings and their modes, as Azure's JSON.

Azure spells the same record in camelCase for a job and in snake_case for a node; `Spelling` is
the difference.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from lazulite.domain.expression import sole_expression
from lazulite.formats.yaml.plan import Build, Pending, Upload
from lazulite.formats.yaml.reference import is_reference
from lazulite.formats.yaml.section import Section
from lazulite.formats.yaml.spelling import INPUT_MODES, OUTPUT_MODES, dropped

DATA_TYPES = ("uri_file", "uri_folder", "mltable", "custom_model", "mlflow_model", "triton_model")
LITERAL_TYPES = ("string", "number", "integer", "boolean")
_FOLDERS = frozenset({"uri_folder", "mltable"})
_INPUT_FIELDS = ("type", "path", "mode", "value", "default", "description", "optional")
_OUTPUT_FIELDS = ("type", "path", "mode", "name", "version", "description")


class Spelling(NamedTuple):
    """How Azure spells the fields here."""

    input_type: str
    output_type: str
    asset_name: str
    asset_version: str


JOB = Spelling("jobInputType", "jobOutputType", "assetName", "assetVersion")
NODE = Spelling("job_input_type", "job_output_type", "name", "version")


def inputs(build: Build, owner: Section, spelling: Spelling) -> dict[str, Any]:
    """Return the values of `inputs`; those that are null are left out."""
    section = owner.section("inputs")
    if section is None:
        return {}
    found = ((name, _input(build, section, name, spelling)) for name in section)
    return {name: value for name, value in found if value is not None}


def outputs(build: Build, owner: Section, spelling: Spelling) -> dict[str, Any]:
    """Return the bindings of `outputs`; of a node only those that say something."""
    section = owner.section("outputs")
    if section is None:
        return {}
    found = ((name, _output(build, section, name, spelling)) for name in section)
    return {name: value for name, value in found if value is not None}


def literal(section: Section, key: str) -> str | None:
    """Return a scalar as Azure sends it: as it is spelled, but booleans as Python spells them."""
    if key not in section:
        return None
    value = section.values[key].value
    return str(value) if isinstance(value, bool) else section.text(key)


def _input(build: Build, inputs: Section, name: str, spelling: Spelling) -> dict[str, Any] | None:
    if name not in inputs:
        return None
    if not isinstance(inputs.values[name].value, dict):
        return {"value": literal(inputs, name), spelling.input_type: "literal"}
    entry = inputs.at(name)
    entry.known(_INPUT_FIELDS, ignored=("min", "max", "enum", "datastore", "path_on_compute"))
    given = literal(entry, "value") or literal(entry, "default")
    kind = entry.one_of("type", (*DATA_TYPES, *LITERAL_TYPES))
    if given is not None and "path" not in entry:
        return {"value": given, spelling.input_type: "literal"}
    if kind in LITERAL_TYPES:
        return _literal_path(entry, spelling)
    text = entry.need("path")
    mode = INPUT_MODES.get(entry.one_of("mode", INPUT_MODES) or "")
    if sole_expression(text) is not None:
        return dropped({"value": text, spelling.input_type: "literal", "mode": mode})
    uri, kind = data_uri(build, entry, kind, slash=True)
    return dropped({"uri": uri, "mode": mode, spelling.input_type: kind})


def _literal_path(entry: Section, spelling: Spelling) -> dict[str, Any] | None:
    """A typed literal may be written as `{type: number, path: "${{...}}"}`."""
    text = entry.text("path")
    return None if text is None else {"value": text, spelling.input_type: "literal"}


def data_uri(
    build: Build, entry: Section, kind: str | None, *, slash: bool
) -> tuple[str | Pending, str]:
    """Return where the data under `path` is (or will be), and its type.

    Args:
        build: the reading at hand.
        entry: the mapping with `path`.
        kind: its declared type; None = a folder, or a file if the local path is one.
        slash: whether the URI of a folder ends with one.
    """
    text = entry.need("path")
    if is_reference(text):
        return text, kind or "uri_folder"
    path, shown = build.refer(entry, "path", text)
    there = build.files.kind(path)
    if there is None:
        raise entry.fail(f"'{shown}' does not exist (looked at {path})", "path")
    kind = kind or ("uri_file" if there == "file" else "uri_folder")
    if kind == "uri_file" and there == "folder":
        raise entry.fail(f"'{shown}' is a folder; use type uri_folder", "path")
    if kind in _FOLDERS and there == "file":
        raise entry.fail(f"'{shown}' is a file; use type uri_file", "path")
    suffix = "/" if slash and there == "folder" else ""
    return build.upload(Upload("data", path), suffix=suffix), kind


def _output(build: Build, outputs: Section, name: str, spelling: Spelling) -> dict[str, Any] | None:
    del build  # outputs never need an upload
    if name not in outputs:
        return {spelling.output_type: "uri_folder"} if spelling is JOB else None
    if not isinstance(outputs.values[name].value, dict):
        text = outputs.text(name) or ""
        if sole_expression(text) is not None:
            return {"value": text, "type": "literal"}
        return {"uri": _output_uri(outputs, name, text), spelling.output_type: "uri_folder"}
    entry = outputs.at(name)
    entry.known(_OUTPUT_FIELDS, ignored=("optional", "early_available", "is_control"))
    kind = entry.one_of("type", (*DATA_TYPES, *LITERAL_TYPES))
    mode = OUTPUT_MODES.get(entry.one_of("mode", OUTPUT_MODES) or "")
    path = entry.text("path")
    if path is not None and sole_expression(path) is not None:
        return dropped({"value": path, "type": "literal", "mode": mode})
    found = {
        "uri": None if path is None else _output_uri(entry, "path", path),
        "mode": mode,
        spelling.asset_name: entry.text("name"),
        spelling.asset_version: entry.text("version"),
    }
    return dropped({**found, spelling.output_type: kind or "uri_folder"})


def _output_uri(section: Section, key: str, text: str) -> str:
    if not text.startswith("azureml:"):
        raise section.fail(
            f"'{text[:80]}' is not a place on a datastore; write "
            "azureml://datastores/NAME/paths/FOLDER",
            key,
        )
    return text
