"""Looking references up."""

from __future__ import annotations

from typing import Any

import pytest

from lazulite.domain.errors import InvalidInput, LazuliteError, NotFound, Unsupported
from lazulite.domain.ids import WorkspaceId
from lazulite.domain.job import DataInput, OutputSpec
from lazulite.services.references import References
from tests.engine.fakes import Lab, command, write_output
from tests.services.homes import STORE


def look(home: Lab, method: str, *args: Any) -> Any:
    def work(tx: Any) -> Any:
        return getattr(References(tx, home.workspace, home.environments), method)(*args, "field")

    return home.store.read(work)


def data(home: Lab, uri: str, kind: str = "uri_folder") -> str:
    found: DataInput = look(home, "data", DataInput(type=kind, uri=uri))
    return found.uri


def test_code_is_its_digest(home: Lab) -> None:
    assert look(home, "snapshot", "azureml:code:1") == "tree"
    assert look(home, "snapshot", f"{home.workspace.ids.arm}/codes/code/versions/1") == "tree"


def test_what_is_in_another_workspace_is_refused(home: Lab) -> None:
    other = WorkspaceId("s", "g", "other").arm
    with pytest.raises(InvalidInput, match="is in workspace 'other'") as caught:
        look(home, "snapshot", f"{other}/codes/code/versions/1")
    assert caught.value.path == "field"


def test_an_environment_is_named_and_planned(home: Lab) -> None:
    arm, key = look(home, "environment", "azureml:env@latest")
    assert (arm, key) == (f"{home.workspace.ids.arm}/environments/env/versions/1", "built")


@pytest.mark.parametrize(
    "ref",
    [
        "azureml://registries/azureml/environments/sklearn-1.5/labels/latest",
        "azureml://registries/AzureML/environments/sklearn-1.5",
        "AzureML-sklearn-1.5@latest",
    ],
)
def test_curated_environments_need_no_asset(home: Lab, ref: str) -> None:
    uri, _ = look(home, "environment", ref)
    assert uri == "azureml://registries/azureml/environments/sklearn-1.5/versions/1"


def test_another_registry_cannot_be_reached(home: Lab) -> None:
    with pytest.raises(Unsupported, match="cannot be reached") as caught:
        look(home, "environment", "azureml://registries/mine/environments/x/versions/1")
    assert caught.value.path == "field"


def test_an_environment_that_cannot_be_honoured_names_the_field(home: Lab) -> None:
    def refuse(_spec: Any) -> str:
        raise InvalidInput("no such image")

    home.environments.plan = refuse  # type: ignore[method-assign]
    with pytest.raises(InvalidInput, match="no such image") as caught:
        look(home, "environment", "azureml:env:1")
    assert caught.value.path == "field"


@pytest.mark.parametrize(
    ("uri", "kind", "place"),
    [
        ("azureml:raw:1", "uri_folder", f"{STORE}/raw"),
        ("azureml:raw", "uri_folder", f"{STORE}/raw"),
        ("azureml:model:1", "custom_model", f"{STORE}/raw"),
        ("azureml://datastores/WorkspaceBlobStore/paths/x", "uri_file", f"{STORE}/x"),
        ("https://h/x.csv", "uri_file", "https://h/x.csv"),
    ],
)
def test_data_is_where_it_lies(home: Lab, uri: str, kind: str, place: str) -> None:
    assert data(home, uri, kind) == place


@pytest.mark.parametrize(
    ("uri", "what"),
    [
        ("azureml:raw:2", "raw"),
        ("azureml:a//b", "does not name an asset"),
        ("azureml:odd:1", "neither on a datastore nor a public address"),
        ("azureml://datastores/worspaceblobstore/paths/x", "did you mean 'workspaceblobstore'"),
        ("azureml://datastores/remote/paths/x", "is remote"),
        (f"{STORE}/../x", "leaves its datastore"),
        ("azureml://jobs/absent/outputs/o", "absent"),
    ],
)
def test_data_that_cannot_be_had_names_the_field(home: Lab, uri: str, what: str) -> None:
    with pytest.raises(LazuliteError, match=what) as caught:
        data(home, uri)
    assert caught.value.path == "field"


def test_one_reference_used_with_two_types_is_checked_twice(home: Lab) -> None:
    def work(tx: Any) -> None:
        references = References(tx, home.workspace, home.environments)
        references.data(DataInput(type="uri_folder", uri="azureml:raw:1"), "a")
        references.data(DataInput(type="uri_file", uri="azureml:raw:1"), "b")

    with pytest.raises(InvalidInput, match="is a uri_folder, the input says uri_file") as caught:
        home.store.read(work)
    assert caught.value.path == "b"


def test_the_output_of_a_job_is_where_it_wrote(home: Lab) -> None:
    home.machine.script = lambda launch: write_output(launch) or 0  # type: ignore[func-returns-value]
    home.start()
    job = home.run("j", command(outputs={"out": OutputSpec()}))
    base = job.outputs["out"].uri
    assert data(home, "azureml://jobs/j/outputs/out") == base
    assert data(home, "azureml://jobs/j/outputs/out/paths/data.txt") == f"{base}/data.txt"
    with pytest.raises(NotFound, match=r"did you mean|known: out"):
        data(home, "azureml://jobs/j/outputs/ou")


@pytest.mark.parametrize("ref", ["local", "serverless", "azureml:Serverless", "/x/computes/local"])
def test_serverless_is_this_machine(home: Lab, ref: str) -> None:
    assert look(home, "compute", ref) == "local"


def test_a_component_comes_with_its_id(home: Lab) -> None:
    arm, spec = look(home, "component", "azureml:step:1")
    assert arm.endswith("/components/step/versions/1")
    assert spec["type"] == "command"


def test_a_place_may_name_the_default_datastore(home: Lab) -> None:
    uri = "azureml://datastores/${{default_datastore}}/paths/${{name}}"
    assert look(home, "place", uri) == uri
    assert look(home, "place", "azureml://datastores/WORKSPACEBLOBSTORE/paths/o") == f"{STORE}/o"


def test_a_compute_that_is_not_there_can_be_made(home: Lab) -> None:
    with pytest.raises(NotFound, match="or make it: lazulite compute create"):
        look(home, "compute", "azureml:zzz")
