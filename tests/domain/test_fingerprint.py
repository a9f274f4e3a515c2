"""What makes two jobs the same."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazulite.domain.fingerprint import differences, fingerprint, parts
from lazulite.domain.job import CommandDef, DataInput, OutputSpec, Resources

WORK = CommandDef(
    command="run", snapshot="tree", environment_key="env", environment_variables={"A": "secret"}
)
DATA = DataInput(type="uri_folder", uri="azureml://datastores/d/paths/x", digest="abc")
INPUTS = {"lr": "1", "data": DATA, "maybe": None}
OUTPUTS = {"out": OutputSpec()}


def print_of(work: CommandDef = WORK, inputs: object = None, outputs: object = None) -> str:
    return fingerprint(parts(work, inputs or INPUTS, outputs or OUTPUTS))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "work",
    [
        msgspec.structs.replace(WORK, command="run2"),
        msgspec.structs.replace(WORK, snapshot=None),
        msgspec.structs.replace(WORK, environment_key="env2"),
        msgspec.structs.replace(WORK, environment_variables={"A": "other"}),
        msgspec.structs.replace(WORK, resources=Resources(instance_count=2)),
    ],
)
def test_what_runs_counts(work: CommandDef) -> None:
    assert print_of(work) != print_of()


def test_inputs_count_by_content_and_outputs_by_an_explicit_place() -> None:
    moved = msgspec.structs.replace(DATA, uri="azureml://datastores/d/paths/y")
    assert print_of(inputs={**INPUTS, "data": moved}) == print_of()
    changed = msgspec.structs.replace(DATA, digest="abd")
    assert print_of(inputs={**INPUTS, "data": changed}) != print_of()
    assert print_of(inputs={**INPUTS, "maybe": "absent"}) != print_of()
    unknown = msgspec.structs.replace(DATA, digest=None)
    assert parts(WORK, {"data": unknown}, {})["inputs.data"].endswith(DATA.uri)
    assert print_of(outputs={"out": OutputSpec(uri="azureml://datastores/d/paths/o")}) != print_of()
    assert print_of(outputs={"out": OutputSpec(name="registers", mode="upload")}) == print_of()


def test_how_it_is_run_does_not_count() -> None:
    same = msgspec.structs.replace(
        WORK, timeout=3.0, retries=4, display_name="d", environment="e", component="c"
    )
    assert print_of(same) == print_of()


def test_no_secret_is_in_the_parts() -> None:
    assert "secret" not in str(parts(WORK, INPUTS, OUTPUTS))


@given(st.dictionaries(st.text(), st.text()))
def test_the_order_of_the_parts_does_not_count(found: dict[str, str]) -> None:
    turned = dict(reversed(found.items()))
    try:
        assert fingerprint(turned) == fingerprint(found)
    except UnicodeEncodeError:
        assert any("\ud800" <= c <= "\udfff" for c in str(found))


def test_differences_are_named() -> None:
    assert differences({"a": "1", "b": "2"}, {"a": "1", "b": "3", "c": "4"}) == ["b", "c"]
    assert differences({"a": "1"}, {"a": "1"}) == []
