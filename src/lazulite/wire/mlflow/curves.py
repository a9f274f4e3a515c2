"""Histories of a metric over many runs, as MLflow's charts ask for them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from lazulite.domain.access import Action
from lazulite.domain.errors import InvalidInput
from lazulite.domain.run import MAX_INT, Point
from lazulite.formats.mlflow import requests as ask
from lazulite.formats.mlflow.replies import encode_point
from lazulite.services import curves
from lazulite.services.curves import Curves
from lazulite.wire.http import Call, Reply
from lazulite.wire.mlflow.mount import Way

MAX_RUNS = 100
MAX_POINTS = 25_000
MAX_SAMPLES = 2500  # of each run
_SAMPLES = 320


def bulk(call: Call) -> Reply:
    """Return every point, up to a limit."""
    runs, rest = _read(call, "run_id")
    what = "GetMetricHistoryBulk request"
    if not runs:
        raise InvalidInput(f"{what} must specify at least one run_id.", path="run_id")
    if len(runs) > MAX_RUNS:
        raise InvalidInput(
            f"{what} cannot specify more than {MAX_RUNS} run_ids. Received {len(runs)} run_ids.",
            path="run_id",
        )
    if not rest.get("metric_key"):
        raise InvalidInput(f"{what} must specify a metric_key.", path="metric_key")
    asked = ask.convert(rest, ask.Curve)
    limit = min(ask.limited(asked.max_results, MAX_POINTS, MAX_INT), MAX_POINTS)
    found = curves.whole(
        call.services, call.here, Curves(runs=runs, key=asked.metric_key, limit=limit)
    )
    return _reply(found)


def interval(call: Call) -> Reply:
    """Return each run's curve in few points."""
    runs, rest = _read(call, "run_ids")
    if not runs:
        raise ask.missing("run_ids")
    if len(runs) > MAX_RUNS:
        raise InvalidInput(
            f"GetMetricHistoryBulkInterval request must specify at most {MAX_RUNS} run_ids. "
            f"Received {len(runs)} run_ids.",
            path="run_ids",
        )
    asked = ask.convert(rest, ask.Curve)
    if (
        not 1
        <= (limit := _SAMPLES if asked.max_results is None else asked.max_results)
        <= MAX_SAMPLES
    ):
        raise InvalidInput(f"max_results must be between 1 and {MAX_SAMPLES}.", path="max_results")
    start, end = asked.start_step, asked.end_step
    if (start is None) is not (end is None):
        raise InvalidInput(
            "If either start step or end step are specified, both must be specified.",
            path="start_step",
        )
    if start is not None and end is not None and start > end:
        raise InvalidInput(
            "end_step must be greater than start_step. "
            f"Found start_step={start} and end_step={end}.",
            path="end_step",
        )
    which = Curves(runs=runs, key=asked.metric_key, start=start, end=end, limit=max(4, limit))
    return _reply(curves.sampled(call.services, call.here, which))


def ways() -> list[Way]:
    """Return the routes."""
    return [
        Way("GET", "/metrics/get-history-bulk", Action.READ, bulk),
        Way("GET", "/metrics/get-history-bulk-interval", Action.READ, interval),
    ]


def _read(call: Call, name: str) -> tuple[list[str], dict[str, Any]]:
    """Return the runs that the query names, and the rest of it."""
    query = parse_qs(call.search)
    runs = query.pop(name, [])
    return runs, {key: found[-1] for key, found in query.items()}


def _reply(found: list[tuple[str, Point]]) -> Reply:
    metrics: list[dict[str, Any]] = [{**encode_point(p), "run_id": run} for run, p in found]
    return Reply(body={"metrics": metrics} if metrics else {})
