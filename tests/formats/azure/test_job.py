"""Job PUTs of the official SDK into what runs, and jobs into replies."""

from __future__ import annotations

from typing import Any

import pytest
from tests.formats.azure.resolver import NESTED, STEP, Everything, captured
from tests.records import a_job

from lazulite.domain.errors import InvalidInput, LazuliteError, Unsupported
from lazulite.domain.ids import WorkspaceId
from lazulite.domain.job import (
    CommandDef,
    DataInput,
    InputSpec,
    JobError,
    JobKind,
    JobStatus,
    OutputSpec,
    OutputValue,
)
from lazulite.domain.pipeline import PipelineDef
from lazulite.formats.azure.job import (
    MASK,
    body_of,
    compute_name,
    decode_job,
    encode_job,
    hide_secrets,
)

IDS = WorkspaceId("s", "g", "w")
COMMAND = {"jobType": "Command", "command": "true", "environmentId": "azureml:env:1"}


def decode(properties: Any, **components: dict[str, Any]) -> Any:
    return decode_job(properties, Everything(**components))


def test_the_captured_command_is_read_whole() -> None:
    asked = decode(captured("PUT_jobs_Command"))
    assert (asked.kind, asked.compute, asked.experiment) == (JobKind.COMMAND, "cpu", "exp")
    assert (asked.display_name, asked.tags, asked.archived) == ("my job", {"k": "v"}, False)
    assert asked.inputs["x"] == "3.5"
    assert isinstance(asked.inputs["data"], DataInput)
    assert asked.work.environment_variables == {"A": "1"}
    assert asked.work.outputs == {"out": OutputSpec()}
    assert asked.work.inputs["data"] == InputSpec(type="uri_folder")


def test_the_captured_pipeline_is_read_whole() -> None:
    asked = decode(captured("PUT_jobs_Pipeline_command"))
    assert isinstance(asked.work, PipelineDef)
    assert list(asked.work.nodes) == ["a", "b", "d"]
    assert asked.work.nodes["d"].exports == {"out": "final"}
    assert asked.work.settings.default_compute == "cpu"


def test_the_captured_nested_pipeline_is_read_whole() -> None:
    properties = captured("PUT_jobs_Pipeline_pipeline")
    nested = properties["jobs"]["s1"]["componentId"].rpartition("/")[2]
    asked = decode(properties, **{nested: NESTED})
    assert isinstance(asked.work.nodes["s2"].work, PipelineDef)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("PUT_jobs_Sweep", "jobType"),
        ("PUT_jobs_Spark", "jobType"),
        ("PUT_jobs_AutoML", "jobType"),
        ("PUT_jobs_Pipeline_command-sweep", "jobs.sweep_step.type"),
        ("PUT_jobs_Pipeline_command-if_else", "jobs.conditionnode.type"),
        ("PUT_jobs_Pipeline_command-parallel_for", "jobs.parallelfor.type"),
        ("PUT_jobs_Pipeline_parallel", "jobs.a.type"),
    ],
)
def test_captured_jobs_of_other_kinds_are_refused_with_one_sentence(name: str, path: str) -> None:
    with pytest.raises(Unsupported, match="does not run") as caught:
        decode(captured(name))
    assert caught.value.path == path
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"jobType": None}, "jobType"),
        ({"jobType": "Magic"}, "jobType"),
        ({"command": ""}, "command"),
        ({"command": "${{inputs.x}}"}, "command"),
        ({"environmentId": None}, "environmentId"),
        ({"environmentId": "azureml:nowhere:1"}, "environment"),
        ({"codeId": "azureml:nowhere:1"}, "code"),
        ({"computeId": "azureml:nowhere"}, "compute"),
        ({"inputs": {"x": {"jobInputType": "uri_folder", "uri": "azureml:nowhere:1"}}}, "inputs.x"),
        ({"inputs": {"../x": {"value": "1"}}}, "inputs"),
        ({"outputs": {"o": {"uri": "azureml://nowhere"}}}, "outputs.o.path"),
        ({"outputs": {"o/p": {"jobOutputType": "uri_folder"}}}, "outputs"),
        ({"environmentVariables": {"A=B": "1"}}, "environment_variables"),
        ({"tags": {"a": []}}, "tags.a"),
        ({"tags": "x"}, "tags"),
        ({"isArchived": "maybe"}, "isArchived"),
        ({"limits": {"timeout": "PT0S"}}, "limits.timeout"),
        (
            {"distribution": {"distributionType": "PyTorch", "processCountPerInstance": 2}},
            "distribution",
        ),
    ],
)
def test_every_fault_of_a_command_names_its_field(change: dict[str, Any], path: str) -> None:
    with pytest.raises(LazuliteError) as caught:
        decode({**COMMAND, **change})
    assert caught.value.path == path


@pytest.mark.parametrize("properties", [None, [], "x"])
def test_what_is_no_object_is_refused(properties: Any) -> None:
    with pytest.raises(InvalidInput, match="must be an object"):
        decode(properties)


# --- a pipeline component as a job -----------------------------------------------------------


SIZED = {**NESTED, "inputs": {**NESTED["inputs"], "n": {"type": "integer", "default": "3"}}}
RAW = {"raw": {"jobInputType": "uri_folder", "uri": "azureml:x:1"}}


def of_component(inputs: dict[str, Any]) -> Any:
    properties = {"jobType": "Pipeline", "componentId": "azureml:c:1", "inputs": inputs, "jobs": {}}
    return decode(properties, **{"c:1": SIZED})


def test_a_pipeline_component_runs_with_its_defaults_and_outputs() -> None:
    asked = of_component(RAW)
    assert asked.inputs["n"] == "3"
    assert asked.work.outputs == {"o": OutputSpec()}
    assert asked.work.inputs["n"].type == "integer"


@pytest.mark.parametrize(
    ("inputs", "path"),
    [
        ({}, "inputs.raw"),
        ({**RAW, "n": {"value": "many"}}, "inputs.n"),
        ({**RAW, "m": {"value": "1"}}, "inputs.m"),
    ],
)
def test_inputs_of_a_pipeline_component_are_checked(inputs: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        of_component(inputs)
    assert caught.value.path == path


def test_literals_are_checked_where_they_arrive() -> None:
    lr = {"value": "${{parent.inputs.rate}}"}
    data = {"type": "uri_folder", "path": "azureml:x:1"}
    properties = {
        "jobType": "Pipeline",
        "inputs": {"rate": {"value": "5"}},
        "jobs": {"a": {"component": STEP, "inputs": {"lr": lr, "data": data}}},
    }
    with pytest.raises(InvalidInput, match="outside") as caught:
        decode(properties)
    assert caught.value.path == "jobs.a.inputs.lr"


# --- replies ---------------------------------------------------------------------------------


def test_a_job_is_spelled_as_azure_does() -> None:
    job = a_job(
        1,
        "j",
        body={"command": "c", "outputs": {"o": {"mode": "Upload"}}, "codeId": None},
        status=JobStatus.FAILED,
        compute="cpu",
        node="train",
        reused_from="k",
        outputs={"o": OutputValue(type="uri_folder", uri="azureml://o")},
        error=JobError(code="UserError", message="no"),
    )
    reply = encode_job(job, IDS, portal="http://h")
    properties = reply["properties"]
    assert reply["id"] == f"{IDS.arm}/jobs/j"
    assert properties["computeId"] == f"{IDS.arm}/computes/cpu"
    assert properties["outputs"] == {
        "o": {"mode": "Upload", "jobOutputType": "uri_folder", "uri": "azureml://o"}
    }
    assert properties["properties"]["azureml.reusedrunid"] == "k"
    assert properties["properties"]["azureml.moduleName"] == "train"
    assert properties["lazulite"]["error"]["message"] == "no"
    assert "codeId" not in properties


def test_secret_variables_are_never_shown_those_of_nodes_neither() -> None:
    secret = {"API_KEY": "s3cret", "db_password": "s3cret", "AZURE_SAS": "s3cret", "PLAIN": "1"}
    secret |= {"PGPASS": "s3cret", "GITHUB_PAT": "s3cret", "PW": "s3cret", "MY_CREDS": "s3cret"}
    secret |= {"DB": "postgresql://me:s3cret@host/db", "DATA": "https://h/x?sig=s3cret"}
    secret |= {"STORE": "AccountName=a;AccountKey=s3cret", "PATTERN": "a?b", "URL": "https://h:1/x"}
    body = {
        "environmentVariables": secret,
        "jobs": {
            "a": {"environment_variables": secret, "component": {"environment_variables": secret}}
        },
    }
    reply = encode_job(a_job(1, "j", kind=JobKind.PIPELINE, body=body), IDS)
    assert "s3cret" not in str(reply)
    assert reply["properties"]["jobs"]["a"]["environment_variables"]["API_KEY"] == MASK
    open_ones = {"PLAIN": "1", "PATTERN": "a?b", "URL": "https://h:1/x"}
    assert open_ones.items() <= reply["properties"]["environmentVariables"].items()
    assert body["environmentVariables"] == secret
    assert hide_secrets("x") == "x"


def test_the_body_of_a_nodes_job_is_made_from_what_it_runs() -> None:
    work = CommandDef(
        command="c", environment="e", component="arm", timeout=60, environment_variables={"A": "1"}
    )
    body = body_of(work, a_job(1, inputs={"x": "1", "y": None}))
    assert body["limits"]["timeout"] == "PT60S"
    assert body["componentId"] == "arm"
    assert body["inputs"] == {"x": {"jobInputType": "literal", "value": "1"}, "y": None}
    assert body_of(PipelineDef(nodes={}), a_job(1))["jobs"] == {}
    plain = body_of(CommandDef(command="c"), a_job(1))
    assert "limits" not in plain
    assert "componentId" not in plain


def test_a_compute_is_named_in_any_spelling() -> None:
    assert {compute_name(t) for t in ("cpu", "azureml:cpu", f"{IDS.arm}/computes/cpu")} == {"cpu"}
