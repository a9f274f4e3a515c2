"""Our own routes about the server."""

from __future__ import annotations

from tests.wire.live import Live


def test_the_server_tells_what_it_is_and_how_busy(live: Live) -> None:
    found = live.get("/lazulite/v1/server").body
    assert found["home"] == str(live.home)
    assert (found["version"], found["pid"], found["workspaces"]) == ("0", 1, 1)
    assert found["jobs"] == {"running": 0, "queued": 0}
    assert found["started"].endswith("Z")


def test_no_environment_is_built_yet(live: Live) -> None:
    assert live.get("/lazulite/v1/environments").body == {"value": []}
    assert live.call("DELETE", "/lazulite/v1/environments/none").status == 404
