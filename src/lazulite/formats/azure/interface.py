"""Inputs and outputs in Azure's JSON: snake_case in nodes, camelCase outside."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from lazulite.domain.errors import InvalidInput
from lazulite.domain.job import DataInput, InputSpec, OutputSpec
from lazulite.formats.azure.reader import Reader, check_part

LITERAL_TYPES = frozenset({"string", "number", "integer", "boolean"})
DATA_TYPES = frozenset(
    {"uri_file", "uri_folder", "mltable", "custom_model", "mlflow_model", "triton_model"}
)
FILE_TYPES = frozenset({"uri_file"})
_LITERAL_WORDS = LITERAL_TYPES | {"literal"}
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_SPELLINGS = {"bool": "boolean", "int": "integer", "float": "number", "str": "string"}


def declared_inputs(body: Reader) -> dict[str, InputSpec]:
    """Read `inputs` of a component."""
    return {name: _input_spec(one) for name, one in parts_of(body, "inputs")}


def parts_of(body: Reader, key: str) -> Iterator[tuple[str, Reader]]:
    """Yield (name, object) of inputs, outputs or jobs, whose names are checked."""
    for name, one in body.children(key):
        yield check_part(name, f"one of {key}", body.at(key)), one


def _input_spec(one: Reader) -> InputSpec:
    kind = (one.text("type") or "string").lower()
    kind = _SPELLINGS.get(kind, kind)
    if kind not in LITERAL_TYPES | DATA_TYPES:
        raise InvalidInput(
            f"{one.at('type')}: input type '{kind}' is unknown; use one of "
            f"{', '.join(sorted(LITERAL_TYPES | DATA_TYPES))}",
            path=one.at("type"),
        )
    choices = one.raw("enum") or []
    if not isinstance(choices, list):
        raise InvalidInput(f"{one.at('enum')} must be a list", path=one.at("enum"))
    return InputSpec(
        type=kind,
        optional=one.flag("optional", default=False),
        default=one.text("default") if kind in LITERAL_TYPES else None,
        min=one.number("min"),
        max=one.number("max"),
        enum=tuple(_spell(c) for c in choices),
        mode=one.text("mode"),
    )


def declared_outputs(body: Reader) -> dict[str, OutputSpec]:
    """Read `outputs` of a component."""
    return {name: output_spec(one) for name, one in parts_of(body, "outputs")}


def output_spec(one: Reader) -> OutputSpec:
    """Read a declared or bound output in either spelling."""
    kind = (one.text("jobOutputType", "job_output_type", "type") or "uri_folder").lower()
    if kind not in DATA_TYPES:
        raise InvalidInput(
            f"{one.at('type')}: output type '{kind}' is not one of {', '.join(sorted(DATA_TYPES))}",
            path=one.at("type"),
        )
    return OutputSpec(
        type=kind,
        mode=one.text("mode"),
        uri=one.text("uri", "path"),
        name=one.text("assetName", "asset_name", "name"),
        version=one.text("assetVersion", "asset_version", "version"),
    )


def bound_input(one: Reader) -> str | DataInput | None:
    """Read a bound input: text (a literal or an expression), data, or None when it has no value."""
    kind = (one.text("jobInputType", "job_input_type", "type") or "literal").lower()
    if kind in _LITERAL_WORDS:
        return one.text("value", "uri")
    uri = one.text("uri", "path", "value")
    if uri is None:
        return None
    if kind not in DATA_TYPES:
        raise InvalidInput(
            f"{one.path}: input type '{kind}' is not one of {', '.join(sorted(DATA_TYPES))}",
            path=one.path,
        )
    return DataInput(type=kind, uri=uri, mode=one.text("mode"))


def encode_input(value: str | DataInput | None) -> dict[str, Any] | None:
    """Spell a resolved input as the outside of a job does; None when it has no value."""
    if value is None:
        return None
    if isinstance(value, str):
        return {"jobInputType": "literal", "value": value}
    return {"jobInputType": value.type, "uri": value.uri, "mode": value.mode or "ReadOnlyMount"}


def check_literal(text: str, spec: InputSpec, path: str) -> str:
    """Return a literal as it enters the command, if the declaration admits it.

    Raises:
        InvalidInput: it is not of the declared type, out of its range, or not in its enum.
    """
    if spec.type in ("number", "integer"):
        _check_number(text, spec, path)
    elif spec.type == "boolean" and text.lower() not in ("true", "false"):
        raise InvalidInput(f"{path}: {text!r} is not a boolean: use true or false", path=path)
    if spec.enum and text not in spec.enum:
        raise InvalidInput(
            f"{path}: {text!r} is not one of the allowed values {', '.join(spec.enum)}", path=path
        )
    return text


def _check_number(text: str, spec: InputSpec, path: str) -> None:
    form, word = (_INTEGER, "an integer") if spec.type == "integer" else (_NUMBER, "a number")
    value = float(text) if form.fullmatch(text) else math.inf
    if math.isinf(value):
        raise InvalidInput(f"{path}: {text[:80]!r} is not {word}", path=path)
    if (spec.min is not None and value < spec.min) or (spec.max is not None and value > spec.max):
        low = "-inf" if spec.min is None else f"{spec.min:g}"
        high = "inf" if spec.max is None else f"{spec.max:g}"
        raise InvalidInput(f"{path}: {text} is outside [{low}, {high}]", path=path)


def _spell(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
