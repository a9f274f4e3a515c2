"""The server as a process: ready, alone on its home, and back after a kill."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request

import psutil
import pytest

from tests.e2e.server import LAZULITE, SCOPE, Server


def test_a_second_server_on_a_home_says_who_holds_it_and_leaves(server: Server) -> None:
    second = subprocess.run(
        [LAZULITE, "up"],
        env=server.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert second.returncode == 5
    assert f"pid {server.about['pid']}" in second.stderr
    assert server.request("GET", SCOPE)["name"] == "default"


def test_a_server_starts_again_after_a_kill(server: Server) -> None:
    server.request("PUT", f"{SCOPE}/computes/mine", _compute())
    server.kill()
    server.start()
    assert server.request("GET", f"{SCOPE}/computes/mine")["name"] == "mine"


def test_a_server_that_starts_again_is_where_its_jobs_look_for_it(server: Server) -> None:
    before = server.about["http"], server.about["https"]
    server.kill()
    server.start()
    assert (server.about["http"], server.about["https"]) == before


def test_health_needs_no_token_and_everything_else_does(shared_server: Server) -> None:
    base = shared_server.about["http"]
    for path in ("/healthz", "/readyz"):
        with urllib.request.urlopen(base + path, timeout=5) as reply:
            assert reply.status == 200
    for path in (SCOPE, "/lazulite/v1/server", f"{SCOPE}/jobs"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(base + path, timeout=5)
        with refused.value as error:
            assert error.code == 401
            assert json.load(error)["error"]["code"] == "InvalidAuthenticationToken"


def test_the_home_keeps_its_secrets_to_its_owner(shared_server: Server) -> None:
    home = shared_server.home
    assert home.stat().st_mode & 0o077 == 0
    for path in (home / "token", *(home / "tls").glob("*.key")):
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_server_listens_on_this_machine_alone(shared_server: Server) -> None:
    process = psutil.Process(shared_server.about["pid"])
    listening = [c.laddr.ip for c in process.net_connections() if c.status == psutil.CONN_LISTEN]
    assert set(listening) == {"127.0.0.1"}


def test_a_command_starts_a_server_when_none_runs_and_down_ends_it(server: Server) -> None:
    server.stop()
    first = server.cli("workspace", "list", "--query", "[].name", "-o", "tsv")
    assert first.stdout.split() == ["default"]
    assert first.stderr.count("\n") == 1  # it says so, once
    assert server.cli("workspace", "list").stderr == ""
    server.cli("down")
    assert not (server.home / "server.json").exists()


def _compute() -> dict[str, object]:
    return {
        "location": "local",
        "properties": {
            "computeType": "AmlCompute",
            "properties": {"vmSize": "local", "scaleSettings": {"maxNodeCount": 1}},
        },
    }
