"""From bindings to concrete inputs and outputs."""

from __future__ import annotations

from typing import Any

import pytest

from lazulite.domain.errors import InvalidInput
from lazulite.domain.job import CommandDef, DataInput, InputSpec, OutputSpec, OutputValue
from lazulite.domain.pipeline import Node
from lazulite.engine.bindings import output_specs, place, resolve_inputs

DATA = DataInput(type="uri_folder", uri="azureml://datastores/d/paths/x", mode="download")
PRODUCED = {
    "a": {"o": OutputValue(type="uri_file", uri="azureml://datastores/d/paths/o", digest="9")}
}


def resolved(spec: InputSpec, binding: Any, parent: Any = None, known: Any = None) -> Any:
    inputs = {} if binding is None else {"x": binding}
    node = Node(work=CommandDef(command="c", inputs={"x": spec}), inputs=inputs)
    return resolve_inputs(node, parent or {}, PRODUCED, known or {})["x"]


FOLDER = InputSpec(type="uri_folder")


@pytest.mark.parametrize(
    ("spec", "binding", "parent", "value"),
    [
        (InputSpec(), "plain", {}, "plain"),
        (InputSpec(), "${{parent.inputs.p}}", {"p": "1"}, "1"),
        (InputSpec(), "a ${{parent.inputs.p}} b", {"p": "1"}, "a 1 b"),
        (InputSpec(), "a${{parent.inputs.p}}", {"p": None}, "a"),
        (InputSpec(), "at ${{parent.inputs.p}}", {"p": DATA}, f"at {DATA.uri}"),
        (InputSpec(default="3"), None, {}, "3"),
        (InputSpec(default="3"), "${{parent.inputs.p}}", {"p": None}, "3"),
        (InputSpec(optional=True), None, {}, None),
        (InputSpec(optional=True), "${{parent.inputs.p}}", {}, None),
    ],
)
def test_literals(spec: InputSpec, binding: Any, parent: Any, value: Any) -> None:
    assert resolved(spec, binding, parent) == value


def test_data_takes_the_declared_type_and_what_is_known_of_its_content() -> None:
    wanted = DataInput(type="mltable", uri=DATA.uri, mode="download", digest="7")
    assert resolved(InputSpec(type="mltable"), DATA, known={DATA.uri: "7"}) == wanted


def test_the_output_of_a_node_comes_with_its_content() -> None:
    value = resolved(InputSpec(type="uri_file"), "${{parent.jobs.a.outputs.o}}")
    assert value == DataInput(type="uri_file", uri="azureml://datastores/d/paths/o", digest="9")


def test_the_mode_is_the_nodes_else_the_components_else_the_parents() -> None:
    def mode(binding: Any, declared: str | None) -> str | None:
        spec = InputSpec(type="uri_folder", mode=declared)
        found: str | None = resolved(spec, binding, {"p": DATA}).mode
        return found

    bound = DataInput(type="uri_folder", uri="${{parent.inputs.p}}", mode="direct")
    assert mode(bound, "ro_mount") == "direct"
    assert mode("${{parent.inputs.p}}", "ro_mount") == "ro_mount"
    assert mode("${{parent.inputs.p}}", None) == "download"


def test_a_place_with_an_expression_in_it_stays_data() -> None:
    bound = DataInput(type="uri_folder", uri="azureml://datastores/d/paths/${{parent.inputs.p}}")
    value = resolved(FOLDER, bound, {"p": "v1"})
    assert value == DataInput(type="uri_folder", uri="azureml://datastores/d/paths/v1")


def test_outputs_are_overridden_by_the_node_then_by_what_they_export_to() -> None:
    declared = {"o": OutputSpec(type="uri_file", mode="upload"), "p": OutputSpec()}
    node = Node(
        work=CommandDef(command="c", outputs=declared),
        outputs={"o": OutputSpec(uri="azureml://n", name="from_node")},
        exports={"o": "final", "p": "gone"},
    )
    found = output_specs(node, {"final": OutputSpec(name="from_pipeline", version="2")})
    assert found["o"] == OutputSpec(
        type="uri_file", mode="upload", uri="azureml://n", name="from_pipeline", version="2"
    )
    assert found["p"] == OutputSpec()


@pytest.mark.parametrize(
    ("uri", "datastore", "place_"),
    [
        (None, None, "azureml://datastores/workspaceblobstore/paths/azureml/j/o"),
        (None, "own", "azureml://datastores/own/paths/azureml/j/o"),
        (
            "azureml://datastores/${{default_datastore}}/paths/a/${{name}}/${{output_name}}/",
            "own",
            "azureml://datastores/own/paths/a/j/o",
        ),
    ],
)
def test_an_output_has_a_place(uri: str | None, datastore: str | None, place_: str) -> None:
    assert place(OutputSpec(uri=uri), "j", "o", datastore).uri == place_


@pytest.mark.parametrize(
    "uri", ["/tmp/x", "azureml:asset:1", "${{else}}", "azureml://jobs/j/outputs/o"]
)
def test_what_is_no_place_is_refused(uri: str) -> None:
    with pytest.raises(InvalidInput, match="not a place on a datastore") as caught:
        place(OutputSpec(uri=uri), "j", "o", None)
    assert caught.value.path == "outputs.o"
