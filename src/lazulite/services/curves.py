"""Use cases of many curves at once: what a page of charts asks for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec

from lazulite.domain.errors import InvalidInput, NotFound
from lazulite.domain.ids import WorkspaceId
from lazulite.domain.run import Point, Summary
from lazulite.ports.store import Tx
from lazulite.services.context import Services

MAX_SUMMARIES = 250_000  # of one answer: 20 runs of 12 000 metrics
MAX_RUNS = 1000


class Curves(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a metric, of which runs."""

    runs: Sequence[str]
    key: str
    start: int | None = None  # step; None = from the first
    end: int | None = None
    limit: int  # points of each run


def whole(services: Services, ids: WorkspaceId, asked: Curves) -> list[tuple[str, Point]]:
    """Return the points of a metric of several runs, at most `limit` in all."""

    def work(tx: Tx) -> list[tuple[str, Point]]:
        found: list[tuple[str, Point]] = []
        for run, row in _rows(tx, ids, asked):
            left = asked.limit - len(found)
            if left > 0:
                points = tx.metrics.history(row, asked.key, left, None).items
                found += [(run, point) for point in points]
        return found

    return services.store.read(work)


def sampled(services: Services, ids: WorkspaceId, asked: Curves) -> list[tuple[str, Point]]:
    """Return a metric of several runs in few points each, with every peak."""
    _prepare(services, ids, asked)

    def work(tx: Tx) -> list[tuple[str, Point]]:
        return [
            (run, point)
            for run, row in _rows(tx, ids, asked)
            for point in tx.metrics.sampled(row, asked.key, (asked.start, asked.end), asked.limit)
        ]

    return services.store.read(work)


def summaries(
    services: Services, ids: WorkspaceId, runs: Sequence[str], keys: Sequence[str] | None
) -> list[tuple[str, str, Summary]]:
    """Return last, least, most and first value of metrics of runs; keys None = all.

    Raises:
        InvalidInput: that is more than one answer holds.
    """

    def work(tx: Tx) -> list[tuple[str, str, Summary]]:
        workspace = tx.workspaces.get(ids).id
        return tx.metrics.summaries(workspace, runs, keys, MAX_SUMMARIES + 1)

    found = services.store.read(work)
    if len(found) > MAX_SUMMARIES or len(runs) > MAX_RUNS:
        raise InvalidInput(
            f"ask for at most {MAX_SUMMARIES} metrics of {MAX_RUNS} runs at once: "
            "name fewer runs, or keys",
            path="runs",
        )
    return found


def _prepare(services: Services, ids: WorkspaceId, asked: Curves) -> None:
    """Make the long ones quick to look at, in transactions that hold nobody up."""

    def long(tx: Tx) -> list[int]:
        return [row for _, row in _rows(tx, ids, asked) if tx.metrics.is_long(row, asked.key)]

    for row in services.store.read(long):
        while services.store.write(partial(_roll, row, asked.key)):
            continue


def _roll(row: int, key: str, tx: Tx) -> bool:
    return tx.metrics.roll(row, key)


def _rows(tx: Tx, ids: WorkspaceId, asked: Curves) -> list[tuple[str, int]]:
    workspace = tx.workspaces.get(ids).id
    found = []
    for run in asked.runs:
        try:
            found.append((run, tx.runs.head(workspace, run).id))
        except NotFound:
            continue  # deleted meanwhile: the others are drawn all the same
    return found
