import pytest

from lazulite.domain.errors import InvalidInput
from lazulite.domain.ids import check_name
from tests.formats.yaml.disk import ARM, Disk, body, plan

JOB = """
$schema: https://azuremlschemas.azureedge.net/latest/commandJob.schema.json
command: python train.py --lr ${{inputs.lr}} --data ${{inputs.iris}} --out ${{outputs.model}}
code: src
inputs:
  lr: 0.10
  iris: {type: uri_file, path: "https://example.org/iris.csv", mode: download}
outputs:
  model: {type: mlflow_model, name: iris, version: 2, mode: upload}
environment: azureml:AzureML-sklearn-1.5@latest
compute: azureml:cpu-cluster
display_name: iris
experiment_name: trees
description: fit
tags: {team: red, year: 2026}
environment_variables: {SEED: 7}
resources: {instance_count: 2, instance_type: X}
limits: {timeout: 3700}
distribution: {type: pytorch, process_count_per_instance: 2}
"""


def disk() -> Disk:
    return Disk(src__train="print(1)", data__a="1")


def test_a_command_job_becomes_azures_body() -> None:
    assert body(JOB, disk=disk()) == {
        "jobType": "Command",
        "command": "python train.py --lr ${{inputs.lr}} --data ${{inputs.iris}} "
        "--out ${{outputs.model}}",
        "codeId": "<code:src>",
        "environmentId": "azureml:AzureML-sklearn-1.5@latest",
        "computeId": f"{ARM}/computes/cpu-cluster",
        "displayName": "iris",
        "experimentName": "trees",
        "description": "fit",
        "tags": {"team": "red", "year": "2026"},
        "properties": {},
        "isArchived": False,
        "environmentVariables": {"SEED": "7"},
        "resources": {"instanceCount": 2, "instanceType": "X", "properties": {}},
        "limits": {"timeout": "PT1H1M40S", "jobLimitsType": "Command"},
        "distribution": {"distributionType": "PyTorch", "processCountPerInstance": 2},
        "inputs": {
            "lr": {"value": "0.10", "jobInputType": "literal"},
            "iris": {
                "uri": "https://example.org/iris.csv",
                "mode": "Download",
                "jobInputType": "uri_file",
            },
        },
        "outputs": {
            "model": {
                "mode": "Upload",
                "assetName": "iris",
                "assetVersion": "2",
                "jobOutputType": "mlflow_model",
            }
        },
    }


MINIMAL = "command: echo ${{inputs.x}}\nenvironment: azureml:e:1\ninputs:\n  x: %s\n"


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("3", {"value": "3", "jobInputType": "literal"}),
        ("true", {"value": "True", "jobInputType": "literal"}),
        ("hello", {"value": "hello", "jobInputType": "literal"}),
        ("{value: 3}", {"value": "3", "jobInputType": "literal"}),
        ("{path: data}", {"uri": "<data:data>/", "jobInputType": "uri_folder"}),
        ("{path: file:data/a}", {"uri": "<data:a>", "jobInputType": "uri_file"}),
        ("{path: 'azureml:ds:1'}", {"uri": "azureml:ds:1", "jobInputType": "uri_folder"}),
        (
            "{type: mltable, path: 'azureml:ds@latest', mode: eval_mount}",
            {"uri": "azureml:ds@latest", "mode": "EvalMount", "jobInputType": "mltable"},
        ),
    ],
)
def test_every_spelling_of_an_input_is_read(written: str, sent: dict[str, str]) -> None:
    assert body(MINIMAL % written, disk=disk())["inputs"]["x"] == sent


def test_an_input_that_is_null_is_not_sent() -> None:
    assert body(MINIMAL % "null")["inputs"] == {}


@pytest.mark.parametrize("compute", ["serverless", "azureml:serverless", "local", ""])
def test_serverless_is_the_default_compute(compute: str) -> None:
    assert "computeId" not in body(MINIMAL % "1" + f"compute: {compute}\n")


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("azureml:e:1", f"{ARM}/environments/e/versions/1"),
        ("azureml:e@latest", f"{ARM}/environments/e/labels/latest"),
        ("e", f"{ARM}/environments/e/labels/latest"),
        (
            "azureml://registries/azureml/environments/sklearn-1.5/labels/latest",
            "azureml://registries/azureml/environments/sklearn-1.5/labels/latest",
        ),
        (f"azureml:{ARM}/environments/e/versions/1", f"{ARM}/environments/e/versions/1"),
    ],
)
def test_every_spelling_of_an_environment_is_read(written: str, sent: str) -> None:
    assert body(MINIMAL % "1", f"environment={written}")["environmentId"] == sent


def test_an_environment_written_in_place_is_put_under_its_content() -> None:
    files = Disk(conda="dependencies: [pip]\n")
    text = "command: a\nenvironment: {image: python, conda_file: conda}\n"
    made = plan(text, disk=files)
    (version,) = made.environments
    assert made.environments[version] == {
        "image": "python",
        "condaFile": "dependencies: [pip]\n",
        "isAnonymous": True,
        "isArchived": False,
    }
    arm = f"{ARM}/environments/CliV2AnonymousEnvironment/versions/{version}"
    assert made.body["properties"]["environmentId"] == arm
    assert plan(text, disk=files).environments.keys() == {version}


def test_a_conda_file_may_stand_in_place() -> None:
    made = plan("command: a\nenvironment: {conda_file: {dependencies: [pip]}}\n")
    (content,) = made.environments.values()
    assert content["condaFile"] == "dependencies:\n- pip\n"


def test_a_build_context_is_passed_on_for_the_server_to_refuse() -> None:
    made = plan("command: a\nenvironment: {build: {path: docker}}\n")
    (content,) = made.environments.values()
    assert content["build"] == {"contextUri": "docker", "dockerfilePath": "Dockerfile"}


def test_one_folder_is_uploaded_once_for_each_use() -> None:
    text = MINIMAL % "{path: src}" + "code: ./src\n"
    assert [u.use for u in plan(text, disk=disk()).uploads] == ["data", "code"]


def test_additional_includes_go_with_the_code() -> None:
    files = disk()
    files.put("shared/util.py", "")
    text = "command: a\nenvironment: azureml:e:1\ncode: src\nadditional_includes: [shared]\n"
    (upload,) = plan(text, disk=files).uploads
    assert [path.name for path in upload.includes] == ["shared"]


def test_an_included_archive_may_be_made_of_its_folder() -> None:
    files = disk()
    files.put("shared/util.py", "")
    text = "command: a\nenvironment: azureml:e:1\ncode: src\nadditional_includes: [%s.zip]\n"
    (upload,) = plan(text % "shared", disk=files).uploads
    assert [path.name for path in upload.includes] == ["shared.zip"]
    with pytest.raises(InvalidInput, match=r"'other\.zip' does not exist, nor a folder 'other' to"):
        plan(text % "other", disk=files)


def test_set_changes_the_document_before_it_is_checked() -> None:
    changed = body(JOB, "inputs.lr=0.5", "display_name=new", "tags.x=1", disk=disk())
    assert changed["inputs"]["lr"]["value"] == "0.5"
    assert changed["displayName"] == "new"
    assert changed["tags"] == {"team": "red", "year": "2026", "x": "1"}


def test_services_and_identity_are_ignored_with_a_warning() -> None:
    text = MINIMAL % "1" + "services: {a: {type: ssh}}\nidentity: {type: managed}\n"
    assert plan(text).warnings == (
        "x.yml:5: services: has no effect here and is ignored",
        "x.yml:6: identity: has no effect here and is ignored",
    )


@pytest.mark.parametrize("name", ["../x", "a/b", "a\x01b", "ü", "x" * 300])
def test_a_name_that_is_no_safe_path_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        plan(MINIMAL % "1", f'name="{name}"')
    with pytest.raises(InvalidInput):
        check_name(name, "job")
