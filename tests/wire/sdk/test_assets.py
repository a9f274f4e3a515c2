"""Data, environments, components, models and code by the unmodified SDK."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lazulite.domain.asset import AssetKind
from tests.wire.sdk import SDK

pytestmark = SDK

COMPONENT = """\
$schema: https://azuremlschemas.azureedge.net/latest/commandComponent.schema.json
name: train_component
version: 1
type: command
inputs:
  data: {type: uri_folder}
  lr: {type: number, default: 0.1}
outputs:
  out: {type: uri_folder}
code: ./src
environment: azureml:env-of-component:1
command: python train.py --data ${{inputs.data}} --lr ${{inputs.lr}} --out ${{outputs.out}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small folder, its content different for each test."""
    inner = tmp_path / "things"
    (inner / "sub").mkdir(parents=True)
    (inner / "a.csv").write_text(f"x,y\n1,{tmp_path}\n")
    (inner / "sub" / "b.txt").write_text("")
    return inner


def uploaded(server: Any, uri: str) -> Path:
    """Return where a file of the default datastore is on this machine."""
    path = uri.partition("/datastores/workspaceblobstore/paths/")[2]
    return server.services.files.locate(1, "workspaceblobstore", path)


def test_a_folder_is_uploaded_and_versioned_by_itself(
    server: Any, client: Any, folder: Path
) -> None:
    from azure.ai.ml.entities import Data

    first = client.data.create_or_update(Data(name="things", type="uri_folder", path=folder))
    assert first.version == "1"
    assert (uploaded(server, first.path) / "sub" / "b.txt").read_text() == ""
    (folder / "a.csv").write_text("changed")
    second = client.data.create_or_update(Data(name="things", type="uri_folder", path=folder))
    assert second.version == "2"
    assert client.data.get("things", label="latest").version == "2"
    assert {d.version for d in client.data.list(name="things")} == {"1", "2"}


def test_a_file_is_uploaded_whole(server: Any, client: Any, folder: Path) -> None:
    from azure.ai.ml.entities import Data

    made = client.data.create_or_update(
        Data(name="one-file", version="7", type="uri_file", path=folder / "a.csv")
    )
    assert made.version == "7"
    assert uploaded(server, made.path).read_bytes() == (folder / "a.csv").read_bytes()


def test_an_mltable_keeps_its_type(client: Any, folder: Path) -> None:
    from azure.ai.ml.entities import Data

    (folder / "MLTable").write_text("paths:\n  - file: ./a.csv\n")
    client.data.create_or_update(Data(name="table", version="1", type="mltable", path=folder))
    assert client.data.get("table", "1").type == "mltable"


def test_a_version_archived_leaves_the_list_and_comes_back(client: Any, folder: Path) -> None:
    from azure.ai.ml.entities import Data

    for version in ("1", "2"):
        client.data.create_or_update(
            Data(name="shelf", version=version, type="uri_folder", path=folder)
        )
    client.data.archive("shelf", version="2")
    assert [d.version for d in client.data.list(name="shelf")] == ["1"]
    assert client.data.get("shelf", label="latest").version == "1"
    client.data.restore("shelf", version="2")
    assert client.data.get("shelf", label="latest").version == "2"


def test_a_name_archived_leaves_the_list_of_names(client: Any, folder: Path) -> None:
    from azure.ai.ml.entities import Data

    client.data.create_or_update(Data(name="gone", type="uri_folder", path=folder))
    client.data.archive("gone")
    assert "gone" not in {d.name for d in client.data.list()}
    client.data.restore("gone")
    assert "gone" in {d.name for d in client.data.list()}


def test_data_is_described_anew_but_its_path_stays(client: Any, folder: Path) -> None:
    from azure.ai.ml.entities import Data
    from azure.core.exceptions import HttpResponseError

    made = client.data.create_or_update(
        Data(name="fixed", version="1", type="uri_folder", path=folder)
    )
    made.description, made.tags = "better words", {"k": "v"}
    assert client.data.create_or_update(made).description == "better words"
    other = Data(
        name="fixed",
        version="1",
        type="uri_folder",
        path="azureml://datastores/workspaceblobstore/paths/elsewhere/",
    )
    with pytest.raises(HttpResponseError, match="exists with other content"):
        client.data.create_or_update(other)


def test_an_environment_of_a_conda_file_has_versions(client: Any, tmp_path: Path) -> None:
    from azure.ai.ml.entities import Environment

    conda = tmp_path / "conda.yml"
    conda.write_text("name: e\ndependencies:\n  - python=3.11\n  - pip:\n    - numpy\n")
    image = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04"
    made = client.environments.create_or_update(
        Environment(name="env1", version="1", image=image, conda_file=conda)
    )
    assert made.conda_file["dependencies"][1] == {"pip": ["numpy"]}
    auto = client.environments.create_or_update(Environment(name="env1", image="python:3.11"))
    assert auto.version == "2"
    assert client.environments.get("env1", label="latest").image == "python:3.11"
    assert {e.version for e in client.environments.list(name="env1")} == {"1", "2"}
    client.environments.archive("env1", version="1")
    assert {e.version for e in client.environments.list(name="env1")} == {"2"}


def test_an_environment_with_a_build_context_uploads_it(client: Any, tmp_path: Path) -> None:
    from azure.ai.ml.entities import BuildContext, Environment

    (tmp_path / "Dockerfile").write_text("FROM python:3.11\n")
    made = client.environments.create_or_update(
        Environment(name="built", version="1", build=BuildContext(path=tmp_path))
    )
    assert "/azureblob/1/" in made.build.path


def test_a_component_of_yaml_is_registered_with_its_code(
    server: Any, client: Any, tmp_path: Path
) -> None:
    from azure.ai.ml import load_component
    from azure.ai.ml.entities import Environment

    client.environments.create_or_update(
        Environment(name="env-of-component", version="1", image="python:3.11-slim")
    )
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text("print('hello')\n")
    (tmp_path / "component.yml").write_text(COMPONENT)
    made = client.components.create_or_update(load_component(tmp_path / "component.yml"))
    assert (made.name, made.version, made.inputs["lr"].default) == ("train_component", "1", 0.1)
    name, version = made.code.split("/codes/")[1].split("/versions/")
    code = server.services.store.read(lambda tx: tx.assets.get(1, AssetKind.CODE, name, version))
    assert [e.path for e in server.services.snapshots.entries(code.digest)] == ["train.py"]
    found = client.components.get("train_component", "1")
    assert found.command.startswith("python train.py")
    assert "train_component" in {c.name for c in client.components.list()}
    client.components.archive("train_component", version="1")
    assert "train_component" not in {c.name for c in client.components.list()}


def test_the_same_code_is_uploaded_once(server: Any, client: Any, folder: Path) -> None:
    from azure.ai.ml.entities._assets import Code

    first = client._code.create_or_update(Code(path=folder))
    again = client._code.create_or_update(Code(path=folder))
    assert again.name == "sha256"
    both = [client._code.get(name=c.name, version=c.version) for c in (first, again)]
    assert both[0].path.startswith("https://")
    assert both[1].path.startswith("lazulite://snapshots/")


def test_a_model_is_registered_from_a_folder(client: Any, folder: Path) -> None:
    from azure.ai.ml.entities import Model

    made = client.models.create_or_update(
        Model(name="model", path=folder, type="custom_model", description="d", stage="Production")
    )
    assert (made.version, made.stage, made.type) == ("1", "Production", "custom_model")
    client.models.archive("model", version="1")
    assert [m.version for m in client.models.list(name="model")] == []
    client.models.restore("model", version="1")
    assert client.models.get("model", label="latest").stage == "Production"


def test_a_model_comes_down_as_it_went_up(client: Any, folder: Path, tmp_path: Path) -> None:
    from azure.ai.ml.entities import Model

    client.models.create_or_update(Model(name="round", version="1", path=folder))
    client.models.download("round", "1", download_path=tmp_path / "down")
    down = next((tmp_path / "down").rglob("a.csv"))
    assert down.read_bytes() == (folder / "a.csv").read_bytes()


def test_an_unchanged_script_needs_only_variables(plain_client: Any, folder: Path) -> None:
    from azure.ai.ml.entities import AmlCompute, Data, Environment

    assert plain_client.workspaces.get("default").location == "local"
    plain_client.compute.begin_create_or_update(AmlCompute(name="p", max_instances=1)).result()
    made = plain_client.data.create_or_update(
        Data(name="plain", version="1", type="uri_folder", path=folder)
    )
    assert made.path.startswith("azureml://")
    env = plain_client.environments.create_or_update(
        Environment(name="plain", version="1", image="python:3.11")
    )
    assert env.name == "plain"


def test_the_curated_environments_are_in_the_registry(client: Any, server: Any) -> None:
    from azure.ai.ml import MLClient

    registry = MLClient(client._credential, registry_name="azureml", cloud=client._cloud)
    names = {environment.name for environment in registry.environments.list()}
    assert "sklearn-1.5" in names
    found = registry.environments.get("sklearn-1.5", label="latest")
    assert (found.name, found.version) == ("sklearn-1.5", "1")
