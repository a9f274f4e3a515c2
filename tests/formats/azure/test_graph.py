"""Graphs of nodes: bound, checked, and refused with the field's path."""

from __future__ import annotations

from typing import Any

import pytest
from tests.formats.azure.resolver import NESTED, STEP, Everything

from lazulite.domain.errors import InvalidInput, LazuliteError, Unsupported
from lazulite.domain.job import CommandDef, OutputSpec
from lazulite.domain.pipeline import PipelineDef, Settings
from lazulite.formats.azure.graph import MAX_DEPTH, component_def
from lazulite.formats.azure.reader import Reader

DATA = {"data": {"type": "uri_folder", "path": "azureml:raw:1"}}


def node(**fields: Any) -> dict[str, Any]:
    return {"type": "command", "component": STEP, "inputs": DATA, **fields}


def bound(text: str) -> dict[str, Any]:
    return {"inputs": {"data": {"job_input_type": "literal", "value": text}}}


def read(jobs: dict[str, Any], **fields: Any) -> PipelineDef:
    spec = {"type": "pipeline", "jobs": jobs, **fields}
    work = component_def(Reader(spec, ""), Everything(), None)
    assert isinstance(work, PipelineDef)
    return work


def test_a_graph_is_read_with_its_bindings_and_settings() -> None:
    work = read(
        {
            "a": node(computeId="azureml:cpu", settings={"force_rerun": True}, display_name="A"),
            "b": node(**bound("${{parent.jobs.a.outputs.out}}"))
            | {"outputs": {"out": {"value": "${{parent.outputs.final}}", "type": "literal"}}},
            "c": node(outputs={"out": {"type": "uri_folder", "path": "azureml://p", "name": "m"}}),
        },
        outputs={"final": {"type": "uri_folder"}},
        settings={
            "default_compute": "azureml:cpu",
            "default_datastore": "azureml:workspaceblobstore",
            "continue_on_step_failure": True,
            "force_rerun": "true",
        },
    )
    assert work.settings == Settings(
        default_compute="cpu",
        default_datastore="workspaceblobstore",
        continue_on_step_failure=True,
        force_rerun=True,
    )
    assert (work.nodes["a"].compute, work.nodes["a"].force_rerun) == ("cpu", True)
    assert work.nodes["b"].exports == {"out": "final"}
    assert work.nodes["c"].outputs == {"out": OutputSpec(uri="azureml://p", name="m")}


def test_a_node_overrides_its_component() -> None:
    changes = {
        "environment_variables": {"A": "2"},
        "resources": {"instance_count": 3},
        "limits": {"timeout": 60},
        "retry_settings": {"max_retries": 2},
    }
    spec = {**STEP, "environment_variables": {"A": "1", "B": "1"}}
    work = read({"a": node(component=spec, **changes)}).nodes["a"].work
    assert isinstance(work, CommandDef)
    assert work.environment_variables == {"A": "2", "B": "1"}
    assert (work.resources.instance_count, work.timeout, work.retries) == (3, 60, 2)


def test_a_nested_pipeline_is_a_node() -> None:
    raw = {"raw": {"value": "azureml:x:1", "type": "uri_folder"}}
    work = read({"deep": node(type="pipeline", component=NESTED, inputs=raw)})
    assert isinstance(work.nodes["deep"].work, PipelineDef)
    assert work.nodes["deep"].work.nodes["in"].exports == {"out": "o"}


@pytest.mark.parametrize(
    ("jobs", "path", "what"),
    [
        ({}, "jobs", "1 to 10000 jobs, this one 0"),
        ({"../x": node()}, "jobs", "is not valid"),
        ({"a.b": node()}, "jobs", "is not valid"),
        ({"a--b": node()}, "jobs", "stands between"),
        ({"a": 5}, "jobs.a", "must be an object"),
        ({"a": node(type="sweep")}, "jobs.a.type", "sweep jobs"),
        ({"a": node(type="magic")}, "jobs.a.type", "not a type of job"),
        ({"a": {"type": "command"}}, "jobs.a.componentId", "missing"),
        ({"a": {"componentId": "azureml:nowhere:1"}}, "jobs.a.component", "does not exist"),
        ({"a": node(compute="azureml:nowhere")}, "jobs.a.compute", "does not exist"),
        ({"a": node(inputs={})}, "jobs.a.inputs.data", "is required"),
        (
            {"a": node(inputs={**DATA, "dta": {"value": "1"}})},
            "jobs.a.inputs",
            "did you mean 'data'",
        ),
        ({"a": node(inputs={**DATA, "lr": {"value": "x"}})}, "jobs.a.inputs.lr", "not a number"),
        ({"a": node(inputs={**DATA, "lr": {"value": "7"}})}, "jobs.a.inputs.lr", "outside"),
        (
            {"a": node(inputs={"data": {"value": "text"}})},
            "jobs.a.inputs.data",
            "needs data of type",
        ),
        (
            {"a": node(inputs={"data": {"type": "uri_file", "path": "azureml:x:1"}})},
            "jobs.a.inputs.data",
            "needs uri_folder, but is bound to uri_file",
        ),
        (
            {"a": node(inputs={"data": {"type": "uri_folder", "path": "azureml:nowhere:1"}})},
            "jobs.a.inputs.data",
            "does not exist",
        ),
        (
            {"a": node(**bound("${{parent.inputs.nope}}"))},
            "jobs.a.inputs.data",
            "no pipeline input",
        ),
        ({"a": node(**bound("${{parent.jobs.b.outputs.o}}"))}, "jobs.a.inputs.data", "no job 'b'"),
        (
            {"a": node(**bound("${{parent.jobs.b.outputs.ou}}")), "b": node()},
            "jobs.a.inputs.data",
            "did you mean 'out'",
        ),
        ({"a": node(**bound("${{inputs.x}}"))}, "jobs.a.inputs.data", "is not understood"),
        (
            {
                "a": node(**bound("${{parent.jobs.b.outputs.out}}")),
                "b": node(**bound("${{parent.jobs.a.outputs.out}}")),
            },
            "jobs",
            "cycle",
        ),
        (
            {"a": node(outputs={"nope": {"type": "uri_folder"}})},
            "jobs.a.outputs",
            "no output 'nope'",
        ),
        (
            {"a": node(outputs={"out": {"value": "${{parent.outputs.x}}"}})},
            "jobs.a.outputs.out",
            "no output of the pipeline 'x'",
        ),
        (
            {"a": node(outputs={"out": {"type": "uri_folder", "path": "azureml://nowhere"}})},
            "jobs.a.outputs.out.path",
            "does not exist",
        ),
        ({"a": node(component={**STEP, "type": "spark"})}, "jobs.a.component.type", "spark"),
    ],
)
def test_every_fault_names_its_field(jobs: dict[str, Any], path: str, what: str) -> None:
    with pytest.raises(LazuliteError, match=what) as caught:
        read(jobs)
    assert caught.value.path == path


def test_an_unknown_default_datastore_is_refused() -> None:
    with pytest.raises(LazuliteError) as caught:
        read({"a": node()}, settings={"default_datastore": "nowhere"})
    assert caught.value.path == "settings.default_datastore"


def test_two_jobs_cannot_be_bound_to_one_output() -> None:
    out = {"outputs": {"out": {"value": "${{parent.outputs.o}}"}}}
    with pytest.raises(InvalidInput, match="job 'a' is bound") as caught:
        read({"a": node(**out), "b": node(**out)}, outputs={"o": {"type": "uri_folder"}})
    assert caught.value.path == "jobs.b.outputs.out"


def test_an_output_that_no_job_below_is_bound_to_cannot_be_used() -> None:
    loose = {**NESTED, "jobs": {"in": {**NESTED["jobs"]["in"], "outputs": {}}}}
    raw = {"raw": {"value": "azureml:x:1", "type": "uri_folder"}}
    deep = node(type="pipeline", component=loose, inputs=raw)
    with pytest.raises(InvalidInput, match="no job of that pipeline is bound") as caught:
        read({"deep": deep, "b": node(**bound("${{parent.jobs.deep.outputs.o}}"))})
    assert caught.value.path == "jobs.b.inputs.data"


def test_pipelines_cannot_be_nested_for_ever() -> None:
    spec: dict[str, Any] = {"type": "pipeline", "jobs": {"a": {"componentId": "azureml:ring:1"}}}
    with pytest.raises(InvalidInput, match=f"deeper than {MAX_DEPTH}"):
        component_def(Reader(spec, ""), Everything(**{"ring:1": spec}), None)


def test_a_kind_that_is_not_run_is_unsupported() -> None:
    with pytest.raises(Unsupported):
        component_def(Reader({"type": "parallel"}, ""), Everything(), None)
