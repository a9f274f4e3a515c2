"""Documents become what azure-ai-ml sends for them: `captures/` holds its recorded requests."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from lazulite.domain.ids import WorkspaceId
from lazulite.formats.yaml.plan import fill
from lazulite.formats.yaml.read import Document, read
from tests.formats.yaml.disk import HERE, Disk

CAPTURES = Path(__file__).parent / "captures"
WORKSPACE = WorkspaceId("00000000-0000-0000-0000-000000000001", "rg", "ws1")
CODE = f"{WORKSPACE.arm}/codes/"
DATA = "azureml://datastores/workspaceblobstore/paths/LocalUpload/"


def recorded(name: str) -> dict[str, Any]:
    """Return a recorded body, ids of uploads and hashes as `?`."""
    text = (CAPTURES / f"{name}.json").read_text()
    text = re.sub(r"/codes/[0-9a-f-]+/versions/1", "/codes/?", text)
    text = re.sub(r"LocalUpload/[0-9a-f]+/data", "LocalUpload/?", text)
    text = re.sub(r"CliV2AnonymousEnvironment/versions/[0-9a-f]+", "anonymous", text)
    return json.loads(text)["body"]


def made(noun: str, text: str) -> dict[str, Any]:
    """Return what a document becomes, ids of uploads and hashes as `?`."""
    disk = Disk(src__train="print(1)", data__a="1")
    disk.put("x.yml", text)
    plan = read(noun, Document(path=HERE / "x.yml", shown="x.yml"), WORKSPACE, disk)
    ids = {"code": f"{CODE}?", "data": f"{DATA}?"}
    body = json.dumps(fill(plan.body, {upload: ids[upload.use] for upload in plan.uploads}))
    body = re.sub(r"CliV2AnonymousEnvironment/versions/[0-9a-f]+", "anonymous", body)
    return json.loads(body)


def test_a_command_job() -> None:
    assert made(
        "job",
        """
        display_name: my job
        experiment_name: exp
        command: >-
          python train.py --x ${{inputs.x}} --data ${{inputs.data}} --out ${{outputs.out}}
        code: src
        environment: azureml:env1:1
        compute: azureml:cpu
        inputs: {x: 3.5, data: {type: uri_folder, path: data}}
        outputs: {out: {type: uri_folder}}
        tags: {k: v}
        environment_variables: {A: "1"}
        resources: {instance_count: 1}
        """,
    ) == recorded("PUT_jobs_Command")


PIPELINE = """
type: pipeline
display_name: p
description: d
experiment_name: exp
inputs: {lr: 0.3, raw: {type: uri_folder, path: data}}
outputs: {final: {type: uri_folder, mode: upload}}
settings: {default_compute: azureml:cpu}
jobs:
  a: {component: "%s", inputs: {data: "${{parent.inputs.raw}}", lr: "${{parent.inputs.lr}}"}}
  b: {component: "%s", inputs: {data: "${{parent.jobs.a.outputs.out}}"}}
  d:
    component: "%s"
    inputs: {data: "${{parent.jobs.b.outputs.out}}"}
    outputs: {out: {path: "${{parent.outputs.final}}", mode: upload}}
"""


def test_a_pipeline_job() -> None:
    wanted = recorded("PUT_jobs_Pipeline_command")
    steps = wanted["properties"]["jobs"].values()
    components = ["azureml:" + step["componentId"] for step in steps]
    found = made("job", PIPELINE % tuple(components))
    wanted["properties"]["settings"]["_source"] = "YAML.JOB"  # the recorded one came from the DSL
    for step in found["properties"]["jobs"].values():
        step.setdefault("outputs", {})
        if not step["outputs"]:
            del step["outputs"]  # azure-ai-ml leaves an empty mapping out
    assert found == wanted


def test_a_component() -> None:
    found = made(
        "component",
        """
        $schema: https://azuremlschemas.azureedge.net/latest/commandComponent.schema.json
        type: command
        name: train_comp
        version: 1
        display_name: train
        inputs: {data: {type: uri_folder}, lr: {type: number, default: 0.1, optional: false}}
        outputs: {out: {type: uri_folder}}
        code: src
        environment: {image: python}
        command: >-
          python train.py --data ${{inputs.data}} --out ${{outputs.out}} --x ${{inputs.lr}}
        """,
    )
    wanted = recorded("PUT_components_versions")
    wanted["properties"]["properties"] = {}  # a hash of the client's own
    assert found["properties"] == wanted["properties"]


@pytest.mark.parametrize(
    ("noun", "capture", "text", "own"),
    [
        (
            "data",
            "PUT_data_versions",
            "name: ds\nversion: 1\ntype: uri_folder\npath: data\n",
            (),
        ),
        (
            "environment",
            "PUT_environments_versions",
            "name: env1\nversion: 1\nimage: python:3.11-slim\n",
            (),
        ),
        (
            "datastore",
            "PUT_datastores_AzureBlob",
            (
                "name: b2\ntype: azure_blob\naccount_name: acct\ncontainer_name: c\n"
                "endpoint: core.local\ncredentials: {account_key: a2V5}\n"
            ),
            (),
        ),
        (
            "compute",
            "PUT_computes_AmlCompute",
            "name: cpu\ntype: amlcompute\nsize: STANDARD_DS3_V2\nmax_instances: 4\n",
            ("remoteLoginPortPublicAccess", "enableNodePublicIp", "disableLocalAuth"),
        ),
    ],
)
def test_other_documents(noun: str, capture: str, text: str, own: tuple[str, ...]) -> None:
    wanted = recorded(capture)
    for field in own:  # of networks, which are not here
        wanted["properties"].pop(field, None)
        wanted["properties"].get("properties", {}).pop(field, None)
    assert made(noun, text) == wanted
