"""up, down and status where no server runs; with one they are tested end to end."""

import json
from pathlib import Path

import pytest

from lazulite.cli.program import run
from lazulite.client.home import Server


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAZULITE_HOME", str(tmp_path / "home"))


def test_status_without_a_server_is_unreachable(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status"]) == 6
    out, err = capsys.readouterr()
    assert json.loads(out)["running"] is False
    assert err.startswith("no server runs for ")


def test_down_without_a_server_has_nothing_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["down"]) == 0
    assert "no server runs for" in capsys.readouterr().err


def test_home_is_an_option_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", "--home", str(tmp_path / "other"), "--query", "home"]) == 6
    assert json.loads(capsys.readouterr().out) == str(tmp_path / "other")


def test_a_server_that_runs_already_is_as_good_as_a_new_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Server(1, "http://127.0.0.1:5080", "https://127.0.0.1:5443", "1", "")
    monkeypatch.setattr("lazulite.client.home.running", lambda _: there)
    assert run(["up", "--detach"]) == 0
    assert "Lazulite is ready at http://127.0.0.1:5080" in capsys.readouterr().out
    assert run(["up", "--detach", "--port", "5080"]) == 0
    assert run(["up", "--detach", "--port", "7"]) == 5
    assert "is held by the server with pid 1" in capsys.readouterr().err


def test_a_port_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["up", "--port", "70000"]) == 2
    assert "70000" in capsys.readouterr().err


def test_a_variable_that_is_no_number_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAZULITE_HTTP_PORT", "many")
    assert run(["status"]) == 1
    assert "LAZULITE_HTTP_PORT='many' is not a whole number" in capsys.readouterr().err
