"""Kinds of resources that Azure ML has and this version does not: each refused by its name."""

from __future__ import annotations

from functools import partial

from lazulite.domain.access import Action
from lazulite.domain.errors import Unsupported
from lazulite.wire.azure.arm import SCOPE
from lazulite.wire.http import Call, Reply, Route

KINDS = {
    "schedules": "schedules",
    "onlineEndpoints": "online endpoints",
    "batchEndpoints": "batch endpoints",
    "serverlessEndpoints": "serverless endpoints",
    "connections": "connections",
    "featuresets": "feature sets",
    "featurestoreEntities": "feature store entities",
    "outboundRules": "outbound network rules",
    "marketplaceSubscriptions": "marketplace subscriptions",
}
_METHODS = {
    "GET": Action.READ,
    "PUT": Action.WRITE,
    "PATCH": Action.WRITE,
    "POST": Action.WRITE,
    "DELETE": Action.WRITE,
}


def refuse(words: str, _: Call) -> Reply:
    """Say that there is no such thing here yet.

    Raises:
        Unsupported: always.
    """
    raise Unsupported(f"this version of Lazulite has no {words}")


def routes() -> list[Route]:
    """Return a route for every method on every path of these kinds."""
    return [
        Route(
            method=method,
            path=f"{SCOPE}/{kind}{rest}",
            action=action,
            endpoint=partial(refuse, words),
        )
        for kind, words in KINDS.items()
        for rest in ("", "/{rest:path}")
        for method, action in _METHODS.items()
    ]
