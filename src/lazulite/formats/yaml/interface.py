"""Declared inputs and outputs of a component, and the rules that values must keep."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from lazulite.domain.expression import expressions
from lazulite.formats.yaml.document import scalar
from lazulite.formats.yaml.section import Section
from lazulite.formats.yaml.spelling import INPUT_MODES, OUTPUT_MODES, dropped
from lazulite.formats.yaml.value import DATA_TYPES, LITERAL_TYPES, literal

_INPUT_FIELDS = ("type", "optional", "default", "min", "max", "enum", "mode", "description")
_OUTPUT_FIELDS = ("type", "mode", "description")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def declared_inputs(component: Section) -> dict[str, Any]:
    """Return `inputs` of a component as Azure's specification has them: literals as text."""
    section = component.section("inputs")
    return {} if section is None else {n: _declared_input(section, n) for n in section}


def declared_outputs(component: Section) -> dict[str, Any]:
    """Return `outputs` of a component as Azure's specification has them."""
    section = component.section("outputs")
    return {} if section is None else {n: _declared_output(section, n) for n in section}


def _declared_input(inputs: Section, name: str) -> dict[str, Any]:
    entry = _entry(inputs, name, "input")
    entry.known(_INPUT_FIELDS, ignored=("datastore", "is_resource", "label"))
    kind = entry.one_of("type", (*DATA_TYPES, *LITERAL_TYPES))
    if kind is None:
        raise entry.fail(f"needs 'type': one of {', '.join((*LITERAL_TYPES, *DATA_TYPES))}")
    spec = dropped(
        {
            "type": kind,
            "optional": entry.flag("optional"),
            "default": literal(entry, "default"),
            "min": entry.text("min"),
            "max": entry.text("max"),
            "enum": [str(node.text) for node in entry.items("enum")] or None,
            "mode": entry.one_of("mode", INPUT_MODES),
            "description": entry.text("description"),
        }
    )
    for bound in ("min", "max"):
        if bound in spec:
            _check_number(spec[bound], entry, bound)
    if kind in LITERAL_TYPES and "default" in spec:
        check_literal(spec, spec["default"], entry, "default")
    return spec


def _declared_output(outputs: Section, name: str) -> dict[str, Any]:
    if name not in outputs:
        return {"type": "uri_folder"}
    entry = _entry(outputs, name, "output")
    entry.known(_OUTPUT_FIELDS, ignored=("early_available", "is_control", "path", "datastore"))
    return dropped(
        {
            "type": entry.one_of("type", (*DATA_TYPES, *LITERAL_TYPES)) or "uri_folder",
            "mode": entry.one_of("mode", OUTPUT_MODES),
            "description": entry.text("description"),
        }
    )


def _entry(section: Section, name: str, what: str) -> Section:
    if not _NAME.fullmatch(name):
        raise section.fail(f"an {what} name is letters, digits and '_', not '{name[:60]}'", name)
    if name not in section or not isinstance(section.values[name].value, dict):
        raise section.fail(f"must declare the {what} as a mapping such as {{type: string}}", name)
    return section.at(name)


def check_literal(spec: Mapping[str, Any], text: str, section: Section, key: str) -> None:
    """Refuse a literal that the declared input cannot take."""
    value, kind = scalar(text), spec["type"]
    fits = {
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, (int, float)) and not isinstance(value, bool),
        "boolean": isinstance(value, bool) or text.lower() in ("true", "false"),
    }
    if not fits.get(kind, True):
        raise section.fail(f"'{text[:60]}' is not of type {kind}", key)
    if kind in ("integer", "number"):
        _check_range(spec, float(text), section, key)
    if spec.get("enum") and text not in spec["enum"]:
        hint = section.hint(text, spec["enum"]) or f"; use one of {', '.join(spec['enum'])}"
        raise section.fail(f"'{text[:60]}' is not among the allowed values{hint}", key)


def _check_number(text: str, section: Section, key: str) -> None:
    value = scalar(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise section.fail(f"'{text[:60]}' is not a number", key)


def _check_range(spec: Mapping[str, Any], value: float, section: Section, key: str) -> None:
    low, high = spec.get("min"), spec.get("max")
    if low is not None and value < float(low):
        raise section.fail(f"{value:g} is below the least allowed value {low}", key)
    if high is not None and value > float(high):
        raise section.fail(f"{value:g} is above the greatest allowed value {high}", key)


def check_values(declared: Mapping[str, Any], given: Mapping[str, Any], owner: Section) -> None:
    """Check the inputs a node gives against what its component declares.

    Args:
        declared: the component's `inputs`.
        given: the node's `inputs` as Azure's JSON.
        owner: the node, whose `inputs` mapping errors point at.
    """
    where = owner.section("inputs") or owner
    for name, value in given.items():
        if name not in declared:
            names = ", ".join(declared) or "none"
            hint = Section.hint(name, declared) or f"; the component's inputs are: {names}"
            raise where.fail(f"the component has no input '{name}'{hint}", name)
        _check_value(declared[name], value, where, name)
    for name, spec in declared.items():
        if name not in given and not spec.get("optional") and "default" not in spec:
            raise where.fail(f"needs the input '{name}' ({spec['type']}) of its component")


def _check_value(spec: Mapping[str, Any], value: Mapping[str, Any], at: Section, name: str) -> None:
    if "uri" in value and spec["type"] in LITERAL_TYPES:
        raise at.fail(f"is a path, but the component wants a {spec['type']}", name)
    text = value.get("value")
    if text is None or "${{" in text:
        return
    if spec["type"] in DATA_TYPES:
        raise at.fail(
            f"'{text[:60]}' is a literal, but the component wants a {spec['type']}: write "
            f"{{type: {spec['type']}, path: ...}}",
            name,
        )
    check_literal(spec, text, at, name)


def check_command(command: str, names: Iterable[str], section: Section) -> None:
    """Refuse `${{inputs.x}}` and `${{outputs.y}}` in a command that name nothing declared."""
    known = list(names)
    for expression in expressions(command):
        head = ".".join(expression.split(".")[:2])
        if expression.startswith(("inputs.", "outputs.")) and head not in known:
            hint = Section.hint(head, known) or f"; declared: {', '.join(known) or 'nothing'}"
            raise section.fail(f"'${{{{{expression}}}}}' names nothing declared{hint}", "command")
