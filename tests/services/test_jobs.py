"""Submit, look, cancel, edit: what is accepted, what is refused and how."""

from __future__ import annotations

from typing import Any

import pytest

from lazulite.domain.access import OWNER
from lazulite.domain.errors import Conflict, InvalidInput, LazuliteError, NotFound
from lazulite.domain.job import Job, JobKind, JobStatus
from lazulite.formats.azure.job import encode_job
from lazulite.ports.store import JobFilter, Page
from lazulite.services import jobs
from lazulite.services.references import References
from tests.engine.fakes import Lab, chain, pipeline
from tests.formats.azure.resolver import STEP
from tests.services.homes import COMMAND, STORE

RAW = {"jobInputType": "uri_folder", "uri": "azureml:raw:1"}
NODE = {
    "type": "command",
    "componentId": "azureml:step:1",
    "inputs": {"data": {"value": "${{parent.inputs.raw}}", "job_input_type": "literal"}},
}
PIPELINE: dict[str, Any] = {"jobType": "Pipeline", "inputs": {"raw": RAW}, "jobs": {"a": NODE}}


def submit(home: Lab, properties: dict[str, Any], name: str = "j") -> Job:
    return jobs.submit(home.services, home.workspace, name, properties, OWNER)


def with_node(**fields: Any) -> dict[str, Any]:
    return {**PIPELINE, "jobs": {"a": {**NODE, **fields}}}


def test_a_command_is_stored_whole_and_the_engine_is_woken(home: Lab) -> None:
    woken: list[int] = []
    object.__setattr__(home.services, "wake", woken.append)
    inputs = {"d": {"jobInputType": "uri_folder", "uri": "azureml:raw@latest"}}
    job = submit(home, {**COMMAND, "command": "run ${{inputs.d}}", "inputs": inputs})
    assert woken == [job.id]
    assert (job.kind, job.compute, job.status) == (JobKind.COMMAND, "local", JobStatus.NOT_STARTED)
    assert job.inputs["d"].uri == f"{STORE}/raw"  # type: ignore[union-attr]
    assert jobs.get(home.services, home.workspace, "j").body["command"] == "run ${{inputs.d}}"


def test_a_pipeline_is_stored_with_its_components(home: Lab) -> None:
    job = submit(home, {**PIPELINE, "settings": {"default_compute": "azureml:GPU-cluster"}})
    assert (job.kind, job.compute) == (JobKind.PIPELINE, "gpu-cluster")


@pytest.mark.parametrize(
    ("properties", "path", "what"),
    [
        ({**COMMAND, "computeId": "azureml:gpu-clustre"}, "compute", "did you mean 'gpu-cluster'"),
        ({**COMMAND, "computeId": "azureml:asleep"}, "compute", "is stopped"),
        ({**COMMAND, "environmentId": "azureml:env:9"}, "environment", "env"),
        ({**COMMAND, "environmentId": "azureml:env:"}, "environment", "does not name an asset"),
        ({**COMMAND, "codeId": "azureml:cod:1"}, "code", "cod"),
        ({**COMMAND, "codeId": "azureml:empty:1"}, "code", "has no files yet"),
        (with_node(componentId="azureml:stp:1"), "jobs.a.component", "stp"),
        (with_node(inputs={}), "jobs.a.inputs.data", "is required"),
        (
            with_node(inputs={**NODE["inputs"], "lr": {"value": "7"}}),
            "jobs.a.inputs.lr",
            "outside",
        ),
        (
            {**PIPELINE, "inputs": {"raw": {"jobInputType": "uri_file", "uri": "azureml:raw:1"}}},
            "inputs.raw",
            "write type: uri_folder",
        ),
        (
            {**PIPELINE, "inputs": {"raw": {**RAW, "uri": f"{STORE}/absent"}}},
            "inputs.raw",
            "nothing is at",
        ),
        (
            {**PIPELINE, "inputs": {"raw": {**RAW, "uri": f"{STORE}/../../etc"}}},
            "inputs.raw",
            "leaves its datastore",
        ),
        (
            {**PIPELINE, "settings": {"default_datastore": "workspaceblobstor"}},
            "settings.default_datastore",
            "did you mean 'workspaceblobstore'",
        ),
        (
            {**COMMAND, "outputs": {"o": {"uri": f"{STORE}/../up"}}},
            "outputs.o.path",
            "leaves its datastore",
        ),
        ({**COMMAND, "outputs": {"o": {"uri": "/tmp/o"}}}, "outputs.o.path", "not a place"),
        (
            {**COMMAND, "outputs": {"o": {"uri": "azureml://datastores/remote/paths/o"}}},
            "outputs.o.path",
            "is remote",
        ),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_stored(
    home: Lab, properties: dict[str, Any], path: str, what: str
) -> None:
    with pytest.raises(LazuliteError, match=what) as caught:
        submit(home, properties)
    assert caught.value.path == path
    with pytest.raises(NotFound):
        jobs.get(home.services, home.workspace, "j")


def test_a_cycle_is_shown(home: Lab) -> None:
    def needs(other: str) -> dict[str, Any]:
        value = f"${{{{parent.jobs.{other}.outputs.out}}}}"
        return {**NODE, "inputs": {"data": {"value": value, "job_input_type": "literal"}}}

    with pytest.raises(InvalidInput, match="cycle"):
        submit(home, {"jobType": "Pipeline", "jobs": {"a": needs("b"), "b": needs("a")}})


@pytest.mark.parametrize(
    "name", ["", "..", "../j", "a.b", "a--b", "a b", "ü", "a\0", "x" * 251, "-a"]
)
def test_a_name_that_no_folder_can_have_is_refused(home: Lab, name: str) -> None:
    with pytest.raises(InvalidInput, match="is not valid") as caught:
        submit(home, COMMAND, name)
    assert caught.value.path == "name"


def test_the_longest_name_is_taken(home: Lab) -> None:
    assert submit(home, COMMAND, "x" * 250).name == "x" * 250


def test_the_same_put_again_changes_only_what_may_change(home: Lab) -> None:
    first = submit(home, COMMAND)
    again = submit(home, {**COMMAND, "displayName": "d", "tags": {"a": 1}, "isArchived": "true"})
    assert (again.id, again.display_name, again.tags, again.archived) == (
        first.id,
        "d",
        {"a": "1"},
        True,
    )
    with pytest.raises(InvalidInput):
        submit(home, {**COMMAND, "tags": "none"})


def test_another_put_of_the_same_name_is_a_conflict(home: Lab) -> None:
    submit(home, COMMAND)
    with pytest.raises(Conflict, match="runs something else") as caught:
        submit(home, {**COMMAND, "command": "false"})
    assert caught.value.path == "name"


def test_what_a_client_was_shown_may_be_put_again(home: Lab) -> None:
    job = submit(home, with_node(environment_variables={"API_KEY": "s3cret"}))
    shown = encode_job(job, home.workspace.ids)["properties"]
    assert "s3cret" not in str(shown)
    body = {k: shown[k] for k in ("jobType", "inputs", "jobs")}
    assert submit(home, body).id == job.id


def test_secrets_of_a_command_are_not_shown(home: Lab) -> None:
    job = submit(home, {**COMMAND, "environmentVariables": {"DB_PASSWORD": "s3cret"}})
    assert "s3cret" not in str(encode_job(job, home.workspace.ids))


def test_the_jobs_of_nodes_have_a_body_and_are_listed_in_order(home: Lab) -> None:
    home.start()
    home.run("p", pipeline(chain("a", "b")))
    found = jobs.children(home.services, home.workspace, "p")
    assert [child.node for child in found] == ["a", "b"]
    body = jobs.get(home.services, home.workspace, found[0].name).body
    assert body["command"] == "true a"
    listed = jobs.list_jobs(home.services, home.workspace, JobFilter(), Page())
    assert [job.name for job in listed.items] == ["p"]


def test_a_job_that_waits_says_why(home: Lab) -> None:
    submit(home, COMMAND)
    object.__setattr__(home.services, "why", lambda _job: "no slot is free")
    assert jobs.get(home.services, home.workspace, "j").waits_for == "no slot is free"


def test_a_cancel_is_noted_and_the_engine_woken_until_the_job_is_final(home: Lab) -> None:
    woken: list[int] = []
    object.__setattr__(home.services, "wake", woken.append)
    job = submit(home, COMMAND)
    jobs.cancel(home.services, home.workspace, "j")
    assert woken == [job.id, job.id]
    assert home.job("j").cancel_requested
    home.start()
    home.ended("j")
    woken.clear()
    jobs.cancel(home.services, home.workspace, "j")
    assert woken == []
    with pytest.raises(NotFound):
        jobs.cancel(home.services, home.workspace, "absent")


def test_an_edit_changes_what_is_given(home: Lab) -> None:
    submit(home, {**COMMAND, "description": "d"})
    edited = jobs.edit(home.services, home.workspace, "j", display_name="n", description=None)
    assert (edited.display_name, edited.description) == ("n", "d")
    assert jobs.edit(home.services, home.workspace, "j") == edited


def test_a_job_is_deleted_with_all_below_it_once_it_has_ended(home: Lab) -> None:
    submit(home, COMMAND)
    with pytest.raises(Conflict, match="cancel it, then delete it"):
        jobs.delete(home.services, home.workspace, "j")
    home.start()
    home.run("p", pipeline(chain("a")))
    [child] = jobs.children(home.services, home.workspace, "p")
    artifacts = home.launcher.artifacts(child)
    assert artifacts.is_dir()
    jobs.delete(home.services, home.workspace, "p")
    assert not artifacts.exists()
    for name in ("p", child.name):
        with pytest.raises(NotFound):
            jobs.get(home.services, home.workspace, name)


def test_a_step_written_out_is_kept_as_a_component_without_a_name(home: Lab) -> None:
    node = {"type": "command", "component": {**STEP, "environment": "azureml:env@latest"}}
    node["inputs"] = NODE["inputs"]
    job = submit(home, {**PIPELINE, "jobs": {"a": node}})
    reference = job.body["jobs"]["a"]["componentId"]
    spec = home.store.read(
        lambda tx: References(tx, home.workspace, home.services.environments).component(
            reference, "component"
        )
    )[1]
    assert spec["environment"].endswith("/environments/env/versions/1")
    assert submit(home, {**PIPELINE, "jobs": {"a": node}}).id == job.id  # the same again


def test_no_credentials_of_a_repository_are_kept(home: Lab) -> None:
    address = {"mlflow.source.git.repoURL": "https://ann:secret@example.org/x.git"}
    job = submit(home, {**COMMAND, "properties": address})
    assert job.properties == {"mlflow.source.git.repoURL": "https://example.org/x.git"}
    assert "secret" not in str(jobs.get(home.services, home.workspace, "j"))
