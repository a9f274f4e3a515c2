"""Inputs and outputs in both spellings."""

from __future__ import annotations

from typing import Any

import pytest

from lazulite.domain.errors import InvalidInput
from lazulite.domain.job import DataInput, InputSpec, OutputSpec
from lazulite.formats.azure.interface import (
    bound_input,
    check_literal,
    declared_inputs,
    declared_outputs,
    encode_input,
    output_spec,
)
from lazulite.formats.azure.reader import Reader


def test_declared_inputs_are_read() -> None:
    body = {
        "inputs": {
            "lr": {"type": "Number", "default": 0.1, "min": "0", "max": 1, "optional": "false"},
            "kind": {"type": "str", "enum": ["a", True, 3]},
            "data": {"type": "uri_file", "mode": "download", "default": "ignored"},
        }
    }
    assert declared_inputs(Reader(body, "")) == {
        "lr": InputSpec(type="number", default="0.1", min=0, max=1),
        "kind": InputSpec(enum=("a", "true", "3")),
        "data": InputSpec(type="uri_file", mode="download"),
    }


@pytest.mark.parametrize(
    ("one", "path"),
    [
        ({"type": "tensor"}, "inputs.x.type"),
        ({"enum": "abc"}, "inputs.x.enum"),
        ({"enum": 5}, "inputs.x.enum"),
        ({"min": "low"}, "inputs.x.min"),
        ({"optional": "maybe"}, "inputs.x.optional"),
        ("text", "inputs.x"),
    ],
)
def test_a_wrong_declaration_names_its_field(one: Any, path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        declared_inputs(Reader({"inputs": {"x": one}}, ""))
    assert caught.value.path == path


@pytest.mark.parametrize("key", ["inputs", "outputs"])
def test_a_name_with_a_path_in_it_is_refused(key: str) -> None:
    read = declared_inputs if key == "inputs" else declared_outputs
    with pytest.raises(InvalidInput, match="is not valid") as caught:
        read(Reader({key: {"../up": {}}}, ""))
    assert caught.value.path == key


def test_outputs_are_read_in_both_spellings() -> None:
    outside = {
        "jobOutputType": "uri_file",
        "assetName": "m",
        "assetVersion": 3,
        "uri": "azureml://x",
    }
    inside = {"type": "uri_file", "name": "m", "version": "3", "path": "azureml://x"}
    wanted = OutputSpec(type="uri_file", name="m", version="3", uri="azureml://x")
    assert output_spec(Reader(outside, "")) == output_spec(Reader(inside, "")) == wanted
    with pytest.raises(InvalidInput, match="output type 'number'"):
        output_spec(Reader({"type": "number"}, "outputs.x"))


@pytest.mark.parametrize(
    ("one", "value"),
    [
        ({"jobInputType": "literal", "value": 3}, "3"),
        ({"job_input_type": "number", "value": True}, "true"),
        ({"value": "${{parent.inputs.x}}"}, "${{parent.inputs.x}}"),
        (
            {"type": "uri_folder", "path": "a:1", "mode": "direct"},
            DataInput(type="uri_folder", uri="a:1", mode="direct"),
        ),
        ({"type": "uri_folder"}, None),
        ({}, None),
    ],
)
def test_bound_inputs(one: dict[str, Any], value: Any) -> None:
    assert bound_input(Reader(one, "inputs.x")) == value


def test_a_bound_input_of_an_unknown_type_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        bound_input(Reader({"type": "tensor", "path": "p"}, "inputs.x"))
    assert caught.value.path == "inputs.x"


def test_resolved_inputs_are_spelled_as_outside() -> None:
    assert encode_input(None) is None
    assert encode_input("1") == {"jobInputType": "literal", "value": "1"}
    data = encode_input(DataInput(type="uri_file", uri="u"))
    assert data == {"jobInputType": "uri_file", "uri": "u", "mode": "ReadOnlyMount"}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("number", "-1.5e-3"),
        ("number", ".5"),
        ("integer", "+7"),
        ("boolean", "True"),
        ("string", "a b"),
    ],
)
def test_literals_that_fit(kind: str, text: str) -> None:
    assert check_literal(text, InputSpec(type=kind), "x") == text


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("number", "nan"),
        ("number", "1e999"),
        ("number", "1_0"),
        ("number", " 1"),
        ("number", ""),
        ("integer", "1.0"),
        ("integer", "\u0661"),
        ("boolean", "yes"),
    ],
)
def test_literals_that_do_not_fit(kind: str, text: str) -> None:
    with pytest.raises(InvalidInput, match=r"is not an? ") as caught:
        check_literal(text, InputSpec(type=kind), "inputs.x")
    assert caught.value.path == "inputs.x"


def test_ranges_and_enums_are_checked() -> None:
    with pytest.raises(InvalidInput, match=r"2 is outside \[-inf, 1\]"):
        check_literal("2", InputSpec(type="number", max=1), "x")
    with pytest.raises(InvalidInput, match=r"-1 is outside \[0, inf\]"):
        check_literal("-1", InputSpec(type="integer", min=0), "x")
    with pytest.raises(InvalidInput, match="not one of the allowed values a, b"):
        check_literal("c", InputSpec(enum=("a", "b")), "x")
