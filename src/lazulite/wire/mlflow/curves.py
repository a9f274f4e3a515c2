"""Histories of a metric over many runs, as MLflow's charts ask for them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from lazulite.domain.access import Action
from lazulite.domain.errors import InvalidInput
from lazulite.domain.run import Point
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
    asked = _read(call, "run_id", (MAX_POINTS, MAX_POINTS))
    return _reply(curves.whole(call.services, call.here, asked))


def interval(call: Call) -> Reply:
    """Return each run's curve in few points."""
    asked = _read(call, "run_ids", (_SAMPLES, MAX_SAMPLES))
    if (asked.start is None) is not (asked.end is None):
        raise InvalidInput("If either start_step or end_step are specified, both must be specified")
    if asked.start is not None and asked.end is not None and asked.start > asked.end:
        raise InvalidInput("end_step must be greater than start_step")
    return _reply(curves.sampled(call.services, call.here, asked))


def ways() -> list[Way]:
    """Return the routes."""
    return [
        Way("GET", "/metrics/get-history-bulk", Action.READ, bulk),
        Way("GET", "/metrics/get-history-bulk-interval", Action.READ, interval),
    ]


def _read(call: Call, name: str, limits: tuple[int, int]) -> Curves:
    query = parse_qs(call.search)
    runs = query.pop(name, [])
    if not runs:
        raise ask.missing(name)
    if len(runs) > MAX_RUNS:
        raise InvalidInput(f"{name}: at most {MAX_RUNS} runs at once, got {len(runs)}", path=name)
    rest = ask.convert({key: found[-1] for key, found in query.items()}, ask.Curve)
    return Curves(
        runs=runs,
        key=rest.metric_key,
        start=rest.start_step,
        end=rest.end_step,
        limit=max(4, ask.limited(rest.max_results, *limits)),
    )


def _reply(found: list[tuple[str, Point]]) -> Reply:
    metrics: list[dict[str, Any]] = [{**encode_point(p), "run_id": run} for run, p in found]
    return Reply(body={"metrics": metrics} if metrics else {})
