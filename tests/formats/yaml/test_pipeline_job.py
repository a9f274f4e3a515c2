from typing import Any

import pytest

from tests.formats.yaml.disk import ARM, Disk, body, plan

PREP = """
$schema: https://azuremlschemas.azureedge.net/latest/commandComponent.schema.json
type: command
name: prep
version: 0.10
display_name: Prepare
is_deterministic: false
inputs:
  raw: {type: uri_folder}
  share: {type: number, default: 0.25, min: 0, max: 1}
  kind: {type: string, optional: true, enum: [plain, fancy]}
outputs:
  train: {type: uri_folder}
code: ./src
environment: azureml:env:3
command: python prep.py ${{inputs.raw}} ${{inputs.share}} $[[${{inputs.kind}}]] ${{outputs.train}}
"""
PIPELINE = """
$schema: https://azuremlschemas.azureedge.net/latest/pipelineJob.schema.json
type: pipeline
inputs:
  raw: {type: uri_folder, path: ./data}
  share: 0.5
outputs:
  out:
settings:
  default_compute: azureml:cpu
  default_datastore: azureml:workspaceblobstore
  continue_on_step_failure: true
  force_rerun: False
jobs:
  prep:
    component: file:./steps/prep.yml
    compute: azureml:big
    inputs:
      raw: ${{parent.inputs.raw}}
      share: ${{parent.inputs.share}}
    limits: {timeout: 60}
    retry_settings: {max_retries: 2}
    environment_variables: {A: 1}
  train:
    type: command
    command: python t.py ${{inputs.data}} ${{outputs.model}}
    environment: azureml:env@latest
    inputs:
      data: {type: uri_folder, path: "${{parent.jobs.prep.outputs.train}}", mode: download}
    outputs:
      model: {type: custom_model, path: azureml://datastores/d/paths/m/, name: m, version: 1}
  score:
    component: azureml:score:4
    inputs: {model: "${{parent.jobs.train.outputs.model}}"}
    outputs: {scores: "${{parent.outputs.out}}"}
"""


def disk() -> Disk:
    files = Disk(data__a="1", steps__src__prep="print(1)")
    files.put("steps/prep.yml", PREP)
    return files


def literal(value: str) -> dict[str, str]:
    return {"value": value, "job_input_type": "literal"}


@pytest.fixture
def sent() -> dict[str, Any]:
    return body(PIPELINE, disk=disk())


def test_outside_is_camel_case(sent: dict[str, Any]) -> None:
    assert {key: sent[key] for key in ("jobType", "inputs", "outputs", "settings")} == {
        "jobType": "Pipeline",
        "inputs": {
            "raw": {"uri": "<data:data>/", "jobInputType": "uri_folder"},
            "share": {"value": "0.5", "jobInputType": "literal"},
        },
        "outputs": {"out": {"jobOutputType": "uri_folder"}},
        "settings": {
            "default_compute": f"{ARM}/computes/cpu",
            "default_datastore": f"{ARM}/datastores/workspaceblobstore",
            "continue_on_step_failure": True,
            "force_rerun": False,
            "_source": "YAML.JOB",
        },
    }


def test_a_step_is_snake_case_and_carries_its_component(sent: dict[str, Any]) -> None:
    assert sent["jobs"]["prep"] == {
        "name": "prep",
        "type": "command",
        "computeId": f"{ARM}/computes/big",
        "inputs": {
            "raw": literal("${{parent.inputs.raw}}"),
            "share": literal("${{parent.inputs.share}}"),
        },
        "outputs": {},
        "limits": {"timeout": "PT1M", "job_limits_type": "Command"},
        "retry_settings": {"max_retries": 2},
        "environment_variables": {"A": "1"},
        "_source": "YAML.COMPONENT",
        "component": {
            "name": "prep",
            "version": "0.10",
            "$schema": "https://azuremlschemas.azureedge.net/latest/commandComponent.schema.json",
            "display_name": "Prepare",
            "type": "command",
            "is_deterministic": False,
            "command": "python prep.py ${{inputs.raw}} ${{inputs.share}} "
            "$[[${{inputs.kind}}]] ${{outputs.train}}",
            "code": "azureml:<code:src>",
            "environment": f"azureml:{ARM}/environments/env/versions/3",
            "inputs": {
                "raw": {"type": "uri_folder"},
                "share": {"type": "number", "default": "0.25", "min": "0", "max": "1"},
                "kind": {"type": "string", "optional": True, "enum": ["plain", "fancy"]},
            },
            "outputs": {"train": {"type": "uri_folder"}},
            "_source": "YAML.COMPONENT",
        },
    }


def test_a_command_written_in_place_becomes_a_component(sent: dict[str, Any]) -> None:
    step = sent["jobs"]["train"]
    assert step["component"]["inputs"] == {"data": {"type": "uri_folder"}}
    assert step["component"]["outputs"] == {"model": {"type": "custom_model"}}
    assert step["inputs"]["data"] == {
        **literal("${{parent.jobs.prep.outputs.train}}"),
        "mode": "Download",
    }
    assert step["outputs"]["model"] == {
        "uri": "azureml://datastores/d/paths/m/",
        "name": "m",
        "version": "1",
        "job_output_type": "custom_model",
    }


def test_a_registered_component_is_named_by_its_id(sent: dict[str, Any]) -> None:
    step = sent["jobs"]["score"]
    assert step["componentId"] == f"{ARM}/components/score/versions/4"
    assert step["outputs"] == {"scores": {"value": "${{parent.outputs.out}}", "type": "literal"}}
    assert "component" not in step


def test_paths_start_from_the_file_they_stand_in() -> None:
    paths = {(u.use, str(u.path)) for u in plan(PIPELINE, disk=disk()).uploads}
    assert paths == {("data", "/here/data"), ("code", "/here/steps/src")}


NESTED = """
type: pipeline
jobs:
  first: {component: sub.yml, inputs: {raw: {path: data}}}
"""
SUB = """
type: pipeline
name: sub
inputs: {raw: {type: uri_folder}}
outputs: {o: {type: uri_folder}}
jobs:
  inner:
    component: steps/prep.yml
    inputs: {raw: "${{parent.inputs.raw}}"}
    outputs: {train: "${{parent.outputs.o}}"}
"""


def test_a_pipeline_component_nests_its_steps() -> None:
    files = disk()
    files.put("sub.yml", SUB)
    step = body(NESTED, disk=files)["jobs"]["first"]
    assert (step["type"], step["component"]["type"]) == ("pipeline", "pipeline")
    inner = step["component"]["jobs"]["inner"]
    assert inner["component"]["name"] == "prep"
    assert inner["outputs"] == {"train": {"value": "${{parent.outputs.o}}", "type": "literal"}}


def test_a_pipeline_job_may_be_a_component() -> None:
    files = disk()
    files.put("sub.yml", SUB)
    text = "type: pipeline\ncomponent: sub.yml\ninputs: {raw: {path: data}}\n"
    sent = body(text, disk=files)
    assert list(sent["jobs"]) == ["inner"]
    assert sent["outputs"] == {"o": {"jobOutputType": "uri_folder"}}
    assert body("type: pipeline\ncomponent: azureml:p:1")["componentId"].endswith("/p/versions/1")


def test_the_compute_of_a_pipeline_is_that_of_its_steps() -> None:
    text = PIPELINE.replace("default_compute: azureml:cpu", "") + "compute: azureml:all\n"
    sent = body(text, disk=disk())
    assert sent["settings"]["default_compute"] == f"{ARM}/computes/all"


def test_set_reaches_into_steps() -> None:
    sent = body(PIPELINE, "jobs.prep.inputs.share=0.7", "settings.force_rerun=True", disk=disk())
    assert sent["jobs"]["prep"]["inputs"]["share"] == literal("0.7")
    assert sent["settings"]["force_rerun"] is True


def test_five_hundred_steps_of_one_file_read_it_once() -> None:
    files = disk()
    reads = []
    files_read = files.read
    files.read = lambda path: reads.append(path) or files_read(path)
    steps = "".join(
        f"  s{i}: {{component: steps/prep.yml, inputs: {{raw: {{path: data}}}}}}\n"
        for i in range(500)
    )
    assert len(body(f"type: pipeline\njobs:\n{steps}", disk=files)["jobs"]) == 500
    assert len(reads) == 2
