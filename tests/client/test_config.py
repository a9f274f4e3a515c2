import json
from pathlib import Path

import pytest

from lazulite.client.config import choose, config_file, read_defaults, write_defaults
from lazulite.domain.errors import InvalidInput
from lazulite.domain.ids import DEFAULT_WORKSPACE, WorkspaceId


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def put_config(folder: Path, **values: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(values))


def everything(tmp_path: Path, home: Path) -> tuple[dict, dict, Path]:
    put_config(
        tmp_path / "project",
        subscription_id="sub-file", resource_group="group-file", workspace_name="ws-file",
    )  # fmt: skip
    write_defaults(home, {"workspace": "ws-default", "group": "group-default"})
    environ = {"LAZULITE_WORKSPACE": "ws-own", "AZUREML_ARM_WORKSPACE_NAME": "ws-azure"}
    return {"workspace": "ws-option"}, environ, tmp_path / "project"


def test_each_source_beats_the_next(tmp_path: Path, home: Path) -> None:
    options, environ, folder = everything(tmp_path, home)
    found = []
    for step in range(5):
        found.append(choose(options, environ, folder, home).workspace.name)
        if step == 0:
            options = {}
        elif step == 1:
            del environ["LAZULITE_WORKSPACE"]
        elif step == 2:
            environ = {}
        else:
            folder = tmp_path
    assert found == ["ws-option", "ws-own", "ws-azure", "ws-file", "ws-default"]


def test_with_nothing_said_it_is_the_default_workspace(tmp_path: Path, home: Path) -> None:
    choice = choose({}, {}, tmp_path, home)
    assert choice.workspace == DEFAULT_WORKSPACE
    assert set(choice.origins.values()) == {"the default workspace"}


def test_each_name_is_decided_on_its_own(tmp_path: Path, home: Path) -> None:
    options, _, folder = everything(tmp_path, home)
    choice = choose(options, {}, folder, home)
    assert choice.workspace == WorkspaceId("sub-file", "group-file", "ws-option")
    assert choice.origins["workspace"] == "the command line"
    assert choice.origins["group"].endswith("config.json")


def test_config_json_is_found_upward_and_in_its_folder(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    put_config(tmp_path / "a" / ".azureml", workspace_name="w")
    assert config_file(deep) == tmp_path / "a" / ".azureml" / "config.json"


def test_a_config_json_of_something_else_is_passed_over(tmp_path: Path) -> None:
    put_config(tmp_path, workspace_name="w")
    put_config(tmp_path / "inner", editor="vi")
    assert config_file(tmp_path / "inner") == tmp_path / "config.json"


@pytest.mark.parametrize(
    "text",
    [
        '{"workspace_name": ',
        '["workspace_name"]',
        '{"workspace_name": 3}',
        '{"workspace_name": "../x"}',
    ],
)
def test_a_broken_config_json_is_named(tmp_path: Path, home: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InvalidInput) as error:
        choose({}, {}, tmp_path, home)
    assert "config.json" in f"{error.value.message} {error.value.path}"


def test_defaults_are_set_and_forgotten(home: Path) -> None:
    write_defaults(home, {"workspace": "w", "group": "g"})
    write_defaults(home, {"group": ""})
    assert read_defaults(home) == {"workspace": "w"}
