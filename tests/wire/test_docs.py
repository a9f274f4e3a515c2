"""docs/reference/wire.md lists every route but MLflow's, and no other."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from lazulite.wire.azure.arm import GROUP, SCOPE
from lazulite.wire.own import ServerInfo
from lazulite.wire.routes import all_routes

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "wire.md"
_MLFLOW = re.compile(r"/mlflow|^/(ajax-)?api/|^/ws/|^/(health|version|v1/traces)$")
_ROW = re.compile(r"\| ([A-Z, ]+) \| `(\S+)` \| (\w+) \|")


def short(path: str) -> str:
    """Return a path as the page writes it."""
    return path.replace(SCOPE, "{S}").replace(GROUP, "{G}")


def test_every_route_is_documented_with_what_it_asks_of_the_caller() -> None:
    info = ServerInfo(version="", pid=0, started=datetime.now(UTC), home="")
    mine = [route for route in all_routes(info) if not _MLFLOW.search(route.path)]
    routes = {(route.method, short(route.path), str(route.action or "open")) for route in mine}
    written = {
        (method.strip(), path, action)
        for methods, path, action in _ROW.findall(PAGE.read_text())
        for method in methods.split(",")
    }
    assert sorted(routes - written) == []
    assert sorted(written - routes) == []
