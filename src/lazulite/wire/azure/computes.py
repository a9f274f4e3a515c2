"""Compute targets on Azure's wire."""

from __future__ import annotations

from typing import Any

from lazulite.domain.access import Action
from lazulite.domain.workspace import Compute
from lazulite.formats.azure.compute import (
    decode_compute,
    decode_scale,
    encode_compute,
    encode_size,
    encode_usage,
)
from lazulite.services import computes
from lazulite.wire.azure.arm import LOCATIONS, SCOPE, done, listing, page_of
from lazulite.wire.http import Call, Reply, Route

_ONE = SCOPE + "/computes/{name}"


def list_all(call: Call) -> Reply:
    """List the computes of a workspace."""
    return listing(
        call,
        computes.page(call.services, call.here, page_of(call)),
        lambda compute: _encode(call, compute),
    )


def get(call: Call) -> Reply:
    """Return a compute."""
    return Reply(body=_encode(call, computes.get(call.services, call.here, call.params["name"])))


def put(call: Call) -> Reply:
    """Create or replace a compute."""
    draft = decode_compute(call.json())
    compute, new = computes.put(
        call.services, call.here, call.params["name"], draft, call.principal
    )
    return done(call, _encode(call, compute), status=201 if new else 200)


def patch(call: Call) -> Reply:
    """Change the scale settings of a compute."""
    settings = decode_scale(call.json())
    compute = computes.scale(call.services, call.here, call.params["name"], settings)
    return done(call, _encode(call, compute))


def delete(call: Call) -> Reply:
    """Delete a compute."""
    found = computes.delete(call.services, call.here, call.params["name"])
    return done(call, status=202) if found else Reply(status=204)


def start(call: Call) -> Reply:
    """Let a compute start jobs."""
    return _switch(call, stopped=False)


def stop(call: Call) -> Reply:
    """Let a compute start no more jobs."""
    return _switch(call, stopped=True)


def list_nodes(call: Call) -> Reply:
    """List the nodes of a compute: this machine."""
    compute = computes.get(call.services, call.here, call.params["name"])
    node = {
        "nodeId": "localhost",
        "nodeState": "idle",
        "privateIpAddress": "127.0.0.1",
        "publicIpAddress": None,
        "port": 22,
        "runId": None,
    }
    return Reply(body={"nodes": [] if compute.stopped else [node]})


def list_sizes(call: Call) -> Reply:
    """List the sizes of machine there are: this one."""
    return Reply(body={"value": [encode_size(call.services.capacity)]})


def list_usages(call: Call) -> Reply:
    """List the quotas: the cores of this machine."""
    usage = encode_usage(call.services.capacity, call.params["location"])
    return Reply(body={"value": [usage]})


def routes() -> list[Route]:
    """Return the routes of computes."""
    table = [
        ("GET", SCOPE + "/computes", Action.READ, list_all),
        ("GET", _ONE, Action.READ, get),
        ("PUT", _ONE, Action.MANAGE, put),
        ("PATCH", _ONE, Action.MANAGE, patch),
        ("DELETE", _ONE, Action.MANAGE, delete),
        ("POST", _ONE + "/start", Action.MANAGE, start),
        ("POST", _ONE + "/restart", Action.MANAGE, start),
        ("POST", _ONE + "/stop", Action.MANAGE, stop),
        ("POST", _ONE + "/listNodes", Action.READ, list_nodes),
        ("GET", LOCATIONS + "/vmSizes", Action.READ, list_sizes),
        ("GET", LOCATIONS + "/usages", Action.READ, list_usages),
    ]
    return [Route(method=m, path=p, action=a, endpoint=e) for m, p, a, e in table]


def _encode(call: Call, compute: Compute) -> dict[str, Any]:
    return encode_compute(compute, call.here, call.services.capacity)


def _switch(call: Call, *, stopped: bool) -> Reply:
    computes.set_stopped(call.services, call.here, call.params["name"], stopped=stopped)
    return done(call, status=202)
