"""The plugin's addresses of artifacts, both ways."""

from __future__ import annotations

import msgspec
import pytest

from lazulite.formats.mlflow.plugin import (
    from_plugin,
    readdressed,
    readdressed_json,
    to_plugin,
)

HOST, WORKSPACE = "127.0.0.1:5443", "/subscriptions/s/resourceGroups/g/workspaces/w"
RUN = f"azureml://{HOST}/mlflow/v2.0{WORKSPACE}/experiments/7/runs/r1/artifacts"
ADDRESSES = [
    ("mlflow-artifacts:/7/r1/artifacts", RUN),
    ("mlflow-artifacts:/7/r1/artifacts/model/ü x.txt", f"{RUN}/model/ü x.txt"),
    ("mlflow-artifacts:/0/models/m-1/artifacts", "azureml://artifacts/LoggedModels/m-1/artifacts"),
    (
        "mlflow-artifacts:/registered/best one:3/artifacts/MLmodel",
        "azureml://artifacts/Registered/best one:3/artifacts/MLmodel",
    ),
]


@pytest.mark.parametrize(("plain", "plugins"), ADDRESSES)
def test_an_address_is_translated_there_and_back(plain: str, plugins: str) -> None:
    assert to_plugin(plain, HOST, WORKSPACE) == plugins
    assert from_plugin(plugins) == plain


@pytest.mark.parametrize("uri", ["s3://b/k", "mlflow-artifacts:/7", "models:/m-1", ""])
def test_other_addresses_stay(uri: str) -> None:
    assert to_plugin(uri, HOST, WORKSPACE) == uri
    assert from_plugin(uri) == uri


def test_an_upload_is_where_the_sdk_puts_them() -> None:
    found = from_plugin("azureml://artifacts/LocalUpload/one/model")
    assert found == "azureml://datastores/workspaceblobstore/paths/LocalUpload/one/model"


def test_a_reply_changes_in_its_addresses_only() -> None:
    text = ADDRESSES[0][0]
    body = {"runs": [{"info": {"artifact_uri": text, "run_name": text}}], "root_uri": text}
    info = {"artifact_uri": RUN, "run_name": text}
    assert readdressed(body, HOST, WORKSPACE) == {"runs": [{"info": info}], "root_uri": RUN}


def test_a_piece_of_json_changes_in_its_addresses_only() -> None:
    text = '"artifact_uri":"mlflow-artifacts:/7/r1/artifacts"'
    info = {"artifact_uri": ADDRESSES[0][0], "run_name": text}
    piece = readdressed_json(b"," + msgspec.json.encode(info), HOST, WORKSPACE)
    assert msgspec.json.decode(piece[1:]) == {"artifact_uri": RUN, "run_name": text}
