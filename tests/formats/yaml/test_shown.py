from typing import Any

from lazulite.formats.yaml.shown import show, show_container
from lazulite.formats.yaml.shown_job import seconds, short
from tests.formats.yaml.disk import ARM

SYSTEM = {
    "createdAt": "2026-01-01T00:00:00+00:00",
    "createdBy": "me",
    "createdByType": "User",
}


def resource(rest: str, properties: dict[str, Any]) -> dict[str, Any]:
    name = rest.rsplit("/", 1)[-1]
    arm = f"{ARM}/{rest}"
    return {"id": arm, "name": name, "systemData": SYSTEM, "properties": properties}


def test_a_command_job_is_shown_as_az_ml_does() -> None:
    shown = show(
        "jobs",
        resource(
            "jobs/j",
            {
                "jobType": "Command",
                "status": "Completed",
                "displayName": "d",
                "experimentName": "e",
                "command": "c",
                "codeId": f"{ARM}/codes/c/versions/1",
                "environmentId": f"{ARM}/environments/e/versions/2",
                "computeId": f"{ARM}/computes/cpu",
                "inputs": {
                    "x": {"value": "3", "jobInputType": "literal"},
                    "d": {"uri": "azureml:ds:1", "jobInputType": "uri_file", "mode": "Download"},
                },
                "outputs": {
                    "o": {"uri": "u", "jobOutputType": "uri_folder", "mode": "ReadWriteMount"}
                },
                "services": {"Studio": {"jobServiceType": "Studio", "endpoint": "http://x"}},
                "limits": {"timeout": "PT1H"},
                "resources": {"instanceCount": 1},
                "tags": {"a": "b"},
            },
        ),
    )
    assert shown == {
        "name": "j",
        "id": f"azureml:{ARM}/jobs/j",
        "resourceGroup": "group",
        "creation_context": {
            "created_at": "2026-01-01T00:00:00+00:00",
            "created_by": "me",
            "created_by_type": "User",
        },
        "type": "command",
        "display_name": "d",
        "experiment_name": "e",
        "status": "Completed",
        "command": "c",
        "code": "azureml:c:1",
        "environment": "azureml:e:2",
        "environment_variables": {},
        "compute": "azureml:cpu",
        "inputs": {
            "x": "3",
            "d": {"type": "uri_file", "path": "azureml:ds:1", "mode": "download"},
        },
        "outputs": {"o": {"type": "uri_folder", "path": "u", "mode": "rw_mount"}},
        "services": {"Studio": {"endpoint": "http://x", "type": "Studio"}},
        "resources": {"instance_count": 1},
        "limits": {"timeout": 3600},
        "tags": {"a": "b"},
        "properties": {},
    }


def test_a_pipeline_shows_its_steps_and_settings() -> None:
    node = {
        "type": "command",
        "componentId": f"{ARM}/components/c/versions/1",
        "inputs": {"i": {"value": "${{parent.inputs.x}}", "job_input_type": "literal"}},
        "outputs": {"o": {"value": "${{parent.outputs.f}}", "type": "literal"}},
    }
    shown = show(
        "jobs",
        resource(
            "jobs/p",
            {
                "jobType": "Pipeline",
                "jobs": {"a": node},
                "settings": {"default_compute": f"{ARM}/computes/cpu", "_source": "DSL"},
            },
        ),
    )
    assert shown["settings"] == {"default_compute": "azureml:cpu"}
    assert shown["jobs"]["a"] == {
        "type": "command",
        "component": "azureml:c:1",
        "inputs": {"i": {"path": "${{parent.inputs.x}}"}},
        "outputs": {"o": "${{parent.outputs.f}}"},
    }


def test_a_version_shows_its_name_and_version() -> None:
    shown = show("data", resource("data/ds/versions/4", {"dataType": "uri_file", "dataUri": "u"}))
    assert [shown[key] for key in ("name", "version", "type", "path")] == [
        "ds", "4", "uri_file", "u",
    ]  # fmt: skip


def test_an_environment_shows_its_conda_file_as_a_mapping() -> None:
    properties = {"image": "i", "condaFile": "dependencies:\n- pip\n", "osType": "Linux"}
    shown = show("environments", resource("environments/e/versions/1", properties))
    assert shown["conda_file"] == {"dependencies": ["pip"]}
    assert shown["os_type"] == "linux"


def test_a_container_shows_its_latest_version() -> None:
    shown = show_container(resource("models/m", {"latestVersion": "3", "isArchived": True}))
    assert (shown["latest version"], shown["stage"]) == ("3", "Archived")


def test_a_compute_and_a_datastore_are_flat() -> None:
    scale = {"minNodeCount": 0, "maxNodeCount": 4, "nodeIdleTimeBeforeScaleDown": "PT2M"}
    inner = {"vmSize": "X", "scaleSettings": scale}
    properties = {"computeType": "AmlCompute", "properties": inner}
    compute = show("computes", resource("computes/cpu", properties))
    assert (compute["type"], compute["size"], compute["max_instances"]) == ("amlcompute", "X", 4)
    assert compute["idle_time_before_scale_down"] == 120
    store = show("datastores", resource("datastores/b", {"datastoreType": "AzureBlob"}))
    assert (store["type"], store["credentials"]) == ("azure_blob", {})


def test_references_are_shortened_and_others_are_left() -> None:
    assert short(f"azureml:{ARM}/environments/e/labels/latest") == "azureml:e@latest"
    assert short("azureml://registries/azureml/environments/x/labels/latest").startswith(
        "azureml://"
    )
    assert short(None) is None


def test_durations_are_seconds() -> None:
    assert [seconds("PT1H1M40S"), seconds("PT30S"), seconds(None), seconds("P1D")] == [
        3700, 30, None, None,
    ]  # fmt: skip
