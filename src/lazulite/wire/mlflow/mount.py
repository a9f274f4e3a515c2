"""Where MLflow's API is mounted: under each workspace's MLflow URI, and under short ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from lazulite.domain.access import Action
from lazulite.domain.errors import NotFound, Unsupported
from lazulite.domain.ids import DEFAULT_WORKSPACE
from lazulite.wire.azure.arm import SCOPE
from lazulite.wire.http import MAX_BODY, Call, Endpoint, Reply, Route, StreamEndpoint

MOUNTS = (f"/mlflow/v1.0{SCOPE}", f"/mlflow/v2.0{SCOPE}", "/ws/{workspace}", "")
APIS = ("/api/2.0/mlflow", "/ajax-api/2.0/mlflow")
ARTIFACTS = ("/api/2.0/mlflow-artifacts", "/ajax-api/2.0/mlflow-artifacts")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Way(NamedTuple):
    """One route, before it is mounted."""

    method: str
    path: str
    action: Action | None
    endpoint: Endpoint | None = None
    stream: StreamEndpoint | None = None
    limit: int = MAX_BODY  # bytes of the body that an endpoint takes


def below(prefixes: Iterable[str], ways: Iterable[Way]) -> list[Way]:
    """Return every way under every prefix."""
    ways = list(ways)
    return [way._replace(path=prefix + way.path) for prefix in prefixes for way in ways]


def mounted(ways: Iterable[Way]) -> list[Route]:
    """Return the routes of ways, in every place where the API is mounted."""
    ways = [*ways, *_unbuilt()]
    return [
        Route(
            method=way.method,
            path=mount + way.path,
            action=way.action,
            endpoint=way.endpoint,
            stream=way.stream,
            workspace=None if mount else DEFAULT_WORKSPACE,
            limit=way.limit,
            logs=way.action is Action.RUN and way.endpoint is not None,
        )
        for mount in MOUNTS
        for way in ways
    ]


def _unbuilt() -> list[Way]:
    """Answer for the parts of the API that are not built, so that the client falls back."""
    roots = [f"/{api}/{version}" for api in ("api", "ajax-api") for version in ("2.0", "3.0")]
    families = ("mlflow", "mlflow-artifacts")
    return [
        Way(method, f"{root}/{family}/{{rest:path}}", Action.READ, _refuse)
        for root in roots
        for family in families
        for method in _METHODS
    ]


def _refuse(call: Call) -> Reply:
    """Say that this is not built.

    Raises:
        Unsupported: always, but for what no MLflow has.
    """
    rest = call.params["rest"]
    if not rest.isascii() or len(rest) > 500:
        raise NotFound("there is no such endpoint")
    raise Unsupported(f"'{rest[:100]}' of MLflow's API is not built in Lazulite")
