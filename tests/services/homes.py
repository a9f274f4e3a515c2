"""A home with what jobs refer to: assets, files and a second compute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lazulite.domain.asset import AssetKind
from lazulite.services.workspaces import ensure_default
from tests.engine.fakes import Lab
from tests.formats.azure.resolver import STEP
from tests.records import a_compute, a_datastore, an_asset

STORE = "azureml://datastores/workspaceblobstore/paths"
COMMAND: dict[str, Any] = {
    "jobType": "Command",
    "command": "true",
    "environmentId": "azureml:env:1",
}


def a_home(folder: Path) -> Lab:
    """A Lab whose workspace has one of each thing."""
    lab = Lab(folder)
    workspace = ensure_default(lab.services)
    remote = {"datastoreType": "AzureBlob", "accountName": "acc", "containerName": "c"}
    assets = [
        an_asset("code", kind=AssetKind.CODE, digest="tree"),
        an_asset("empty", kind=AssetKind.CODE),
        an_asset("env", kind=AssetKind.ENVIRONMENT, body={"image": "python:3.11"}),
        an_asset("step", kind=AssetKind.COMPONENT, body={"componentSpec": STEP}),
        an_asset("raw", body={"dataType": "uri_folder", "dataUri": f"{STORE}/raw"}),
        an_asset("odd", body={"dataType": "uri_folder", "dataUri": "azureml:odd:1"}),
        an_asset("model", kind=AssetKind.MODEL, body={"modelUri": f"{STORE}/raw"}),
    ]

    def fill(tx: Any) -> None:
        for asset in assets:
            tx.assets.add(workspace.id, asset)
        tx.computes.put(workspace.id, a_compute("gpu-cluster"))
        tx.computes.put(workspace.id, a_compute("asleep", stopped=True))
        tx.datastores.put(workspace.id, a_datastore("remote", body=remote))

    lab.store.write(fill)
    lab.files.locate(workspace.id, "workspaceblobstore", "raw").mkdir(parents=True)
    return lab
