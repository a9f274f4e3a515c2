"""What a child uv sees of the user's settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from lazulite.environments.host import config_arguments, this_host, uv_environment


def test_what_would_slow_or_steer_a_build_is_not_passed_on() -> None:
    noise = {
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": "/x",
        "VIRTUAL_ENV": "/x",
        "UV_PYTHON": "3.8",
        "LAZULITE_TOKEN": "secret",
        "MLFLOW_TRACKING_TOKEN": "secret",
    }
    assert not noise.keys() & uv_environment(noise | {"HOME": "/h"}).keys()


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ({"PIP_INDEX_URL": "https://a"}, "UV_DEFAULT_INDEX", "https://a"),
        ({"PIP_EXTRA_INDEX_URL": "https://a https://b"}, "UV_INDEX", "https://a https://b"),
        ({"PIP_FIND_LINKS": "/a /b"}, "UV_FIND_LINKS", "/a,/b"),
        ({"REQUESTS_CA_BUNDLE": "/ca"}, "SSL_CERT_FILE", "/ca"),
        ({"PIP_CERT": "/pip", "REQUESTS_CA_BUNDLE": "/ca"}, "SSL_CERT_FILE", "/pip"),
        ({"SSL_CERT_FILE": "/own", "PIP_CERT": "/pip"}, "SSL_CERT_FILE", "/own"),
        ({"UV_INDEX_URL": "https://uv"}, "UV_INDEX_URL", "https://uv"),
    ],
)
def test_settings_of_pip_and_requests_count_for_uv(
    given: dict[str, str], name: str, value: str
) -> None:
    assert uv_environment(given)[name] == value


def test_uvs_own_setting_wins_over_pips() -> None:
    child = uv_environment({"UV_INDEX_URL": "https://uv", "PIP_INDEX_URL": "https://pip"})
    assert "UV_DEFAULT_INDEX" not in child


def test_interpreters_of_pyenv_can_be_found(tmp_path: Path) -> None:
    (tmp_path / "versions" / "3.9.18" / "bin").mkdir(parents=True)
    path = uv_environment({"PYENV_ROOT": str(tmp_path), "PATH": "/bin"})["PATH"]
    assert path == f"/bin:{tmp_path}/versions/3.9.18/bin"


def test_the_users_uv_toml_counts_but_no_projects(tmp_path: Path) -> None:
    assert config_arguments({"HOME": str(tmp_path)})[:1] in (["--no-config"], ["--config-file"])
    settings = tmp_path / ".config" / "uv" / "uv.toml"
    settings.parent.mkdir(parents=True)
    settings.touch()
    assert config_arguments({"HOME": str(tmp_path)}) == ["--config-file", str(settings)]
    assert config_arguments({"UV_CONFIG_FILE": "/x"}) == []


def test_this_hosts_python_is_not_in_a_virtual_environment() -> None:
    host = this_host({})
    assert host.python.is_file()
    assert not (host.python.parent.parent / "pyvenv.cfg").exists()
    assert host.satisfies(host.default_python)


@pytest.mark.parametrize(("value", "relaxed"), [("1", True), ("0", False), ("", False)])
def test_relaxing_is_the_users_choice(value: str, relaxed: bool) -> None:
    assert this_host({"LAZULITE_RELAX_PYTHON": value}).relaxed is relaxed
