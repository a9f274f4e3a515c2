"""All routes of MLflow's API, in one list."""

from __future__ import annotations

from lazulite.wire.http import Route
from lazulite.wire.mlflow import (
    artifacts,
    curves,
    experiments,
    info,
    lineage,
    models,
    multipart,
    otlp,
    plugin,
    registry,
    runs,
    traces,
)
from lazulite.wire.mlflow.mount import APIS, ARTIFACTS, below, mounted


def mlflow_routes() -> list[Route]:
    """Return every route, in every place where the API is mounted."""
    tracking = [*experiments.ways(), *runs.ways(), *artifacts.run_ways(), *lineage.ways()]
    tracking += [*models.ways(), *registry.ways(), *curves.ways()]
    proxy = below(ARTIFACTS, [*artifacts.ways(), *multipart.ways()])
    found = mounted(
        [*below(APIS, tracking), *proxy, *info.ways(), *plugin.ways(), *otlp.ways(), *traces.ways()]
    )
    return [plugin.spoken(route) for route in found]
