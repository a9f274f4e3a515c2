"""All route families of the app, in one list."""

from __future__ import annotations

from lazulite.wire import own
from lazulite.wire.azure import (
    arm,
    artifacts,
    assets,
    codes,
    computes,
    datastores,
    history,
    identity,
    jobs,
    later,
    registry,
    workspaces,
)
from lazulite.wire.blob import blob_routes
from lazulite.wire.http import Route
from lazulite.wire.mlflow.routes import mlflow_routes
from lazulite.wire.own import ServerInfo
from lazulite.wire.own_files import file_routes
from lazulite.wire.own_jobs import job_routes
from lazulite.wire.own_record import record_routes
from lazulite.wire.own_runs import run_routes


def all_routes(info: ServerInfo) -> list[Route]:
    """Return every route; the order does not matter.

    Args:
        info: what the server says of itself.
    """
    families = (
        *(arm, artifacts, assets, codes, computes, datastores, history, identity),
        *(jobs, later, registry, workspaces),
    )
    azure = [route for family in families for route in family.routes()]
    return [
        *own.routes(info),
        *file_routes(),
        *job_routes(),
        *record_routes(),
        *blob_routes(),
        *mlflow_routes(),
        *run_routes(),
        *azure,
    ]
