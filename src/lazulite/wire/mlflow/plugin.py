"""What is different for azureml-mlflow, the plugin behind `azureml://`: where artifacts are.

MLflow's proxy takes tracking URIs of http(s) only, so that the plugin needs addresses of its own.
It calls below `/mlflow/v2.0`, and names itself; so does a plain https client of that address where
the plugin is installed. They differ by their token: the plugin's is one that it asked for.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

import msgspec

from lazulite.domain.access import Action
from lazulite.formats.mlflow.plugin import from_plugin, readdressed, readdressed_json
from lazulite.wire.http import Call, Endpoint, Reply, Route, read_json
from lazulite.wire.mlflow import runs
from lazulite.wire.mlflow.mount import Way

_MOUNT = "/mlflow/v2.0"
_NAME = "azureml-mlflow/"


def ways() -> list[Way]:
    """Return the routes that only the plugin uses."""
    return [Way("POST", "/api/2.0/preview/mlflow/runs/log-batch-async", Action.RUN, runs.log_batch)]


def spoken(route: Route) -> Route:
    """Return a route that, where the plugin calls, speaks to it in its own addresses."""
    if route.endpoint is None or not route.path.startswith(_MOUNT):
        return route
    return replace(route, endpoint=_translated(route.endpoint))


def _translated(endpoint: Endpoint) -> Endpoint:
    def answer(call: Call) -> Reply:
        if not _is_plugin(call):
            return endpoint(call)
        reply = endpoint(_understood(call))
        where = urlsplit(call.base).netloc, call.here.arm
        if reply.pieces is not None:
            pieces = (readdressed_json(piece, *where) for piece in reply.pieces)
            return replace(reply, pieces=pieces)
        return replace(reply, body=readdressed(reply.body, *where))

    return answer


def _is_plugin(call: Call) -> bool:
    token = (call.headers.get("authorization") or "").partition(" ")[2].strip()
    return _NAME in call.headers.get("user-agent", "") and token != call.tokens.owner


def _understood(call: Call) -> Call:
    if not call.path.endswith("/model-versions/create"):
        return call
    body = read_json(call.body)
    if isinstance(body.get("source"), str):
        body["source"] = from_plugin(body["source"])
    return replace(call, body=msgspec.json.encode(body))
