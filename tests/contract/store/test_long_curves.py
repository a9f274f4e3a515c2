"""Curves of so many points that few are shown without looking at all, on both databases."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from tests.records import a_job

from lazulite.domain.job import JobKind, JobStatus
from lazulite.domain.run import Batch, Point, RunHead
from lazulite.ports.store import Store

COUNT = 140_000  # points: twice as many blocks as parts of a curve of 60
LIMIT = 60
PEAKS = {step: 100.0 + step for step in (1, 15_555, 60_000, 60_400, 111_111, COUNT - 2)}

Fill = Callable[[str, str], None]


@pytest.fixture
def run(store: Store, workspace: int) -> RunHead:
    what: dict[str, Any] = {"kind": JobKind.RUN, "status": JobStatus.RUNNING}
    run = store.write(lambda tx: tx.runs.start(a_job(workspace, "r", experiment="e", **what), None))
    log(store, run, *(Point("m", value, 7, step) for step, value in PEAKS.items()))
    return run


@pytest.fixture
def fill(database_url: str, run: RunHead) -> Fill:
    def put(step: str, value: str) -> None:
        engine = sa.create_engine(database_url, poolclass=sa.NullPool)
        nan = "9e999" if database_url.startswith("sqlite") else "CAST('Infinity' AS float8)"
        query = _FILL.format(step=step, value=value.replace("NAN", nan))
        with engine.begin() as db:
            db.execute(sa.text(query), {"run": run.id, "end": COUNT})
        engine.dispose()

    return put


_FILL = """
INSERT INTO metrics (run, key, step, time, value)
WITH RECURSIVE n (i) AS (SELECT CAST(0 AS bigint) UNION ALL SELECT i + 1 FROM n WHERE i < :end - 1)
SELECT :run, (SELECT min(key) FROM metrics WHERE run = :run), {step}, 8, {value} FROM n
"""


def log(store: Store, run: RunHead, *points: Point) -> None:
    store.write(lambda tx: tx.runs.log(run, Batch(metrics=list(points))))


def roll(store: Store, run: RunHead) -> None:
    while store.write(lambda tx: tx.metrics.roll(run.id, "m")):
        continue


def is_long(store: Store, run: RunHead) -> bool:
    return store.read(lambda tx: tx.metrics.is_long(run.id, "m"))


def sample(
    store: Store, run: RunHead, first: int | None = None, last: int | None = None
) -> list[Point]:
    found = store.read(lambda tx: tx.metrics.sampled(run.id, "m", (first, last), LIMIT))
    assert len(found) <= LIMIT + 6
    assert found == sorted(found, key=lambda point: (point.step, point.time, point.value))
    return found


def peaks(found: list[Point]) -> dict[int, float]:
    return {point.step: point.value for point in found if point.value >= 100}


def test_no_peak_is_lost_before_or_after_a_curve_is_prepared(
    store: Store, run: RunHead, fill: Fill
) -> None:
    fill("i", "i % 100")
    assert is_long(store, run)
    before = sample(store, run)
    roll(store, run)
    assert not is_long(store, run)
    after = sample(store, run)
    for found in (before, after):
        assert len(found) > 50
        assert (found[0].step, found[-1].step) == (0, COUNT - 1)
        assert peaks(found).items() <= PEAKS.items()
        assert set(PEAKS) - set(peaks(found)) <= {60_000}  # 60 400 is in the same part and higher
    part = sample(store, run, 15_500, 120_001)
    assert (part[0].step, part[-1].step) == (15_500, 120_001)
    assert {15_555, 60_400, 111_111} <= set(peaks(part)) <= set(PEAKS)


def test_late_points_are_seen(store: Store, run: RunHead, fill: Fill) -> None:
    fill("i", "i % 100")
    roll(store, run)
    log(store, run, Point("m", 1e6, 9, 40_000))
    assert peaks(sample(store, run))[40_000] == 1e6
    log(store, run, Point("m", 2e6, 9, 20_000), Point("m", 3e6, 9, COUNT + 10))
    log(store, run, Point("m", 4e6, 9, -5))
    for _ in range(2):
        found = sample(store, run)
        assert peaks(found)[20_000] == 2e6
        assert peaks(found)[40_000] == 1e6
        assert (found[0].value, found[-1].value) == (4e6, 3e6)
        assert (found[0].step, found[-1].step) == (-5, COUNT + 10)
        roll(store, run)
    assert not is_long(store, run)


def test_what_is_no_number_hides_no_peak(store: Store, run: RunHead, fill: Fill) -> None:
    fill("i", "CASE WHEN i BETWEEN 10000 AND 80000 THEN NAN ELSE 0 END")
    roll(store, run)
    found = sample(store, run)
    assert {15_555, 60_400, 111_111} <= set(peaks(found))
    assert not any(math.isnan(point.value) for point in found)


def test_points_of_one_step_are_left_as_they_are(store: Store, run: RunHead, fill: Fill) -> None:
    fill("5", "i")
    roll(store, run)
    found = sample(store, run)
    assert (5, COUNT - 1.0) in {(point.step, point.value) for point in found}


def test_steps_that_are_far_apart_are_rolled_too(store: Store, run: RunHead, fill: Fill) -> None:
    fill("i * 1000000000", "i % 100")
    before = sample(store, run)
    roll(store, run)
    assert not is_long(store, run)
    after = sample(store, run)
    assert (before[0], before[-1]) == (after[0], after[-1])
    assert max(point.value for point in after) == max(PEAKS.values())


def test_what_was_prepared_goes_with_the_run(
    store: Store, run: RunHead, fill: Fill, database_url: str
) -> None:
    fill("i", "0")
    roll(store, run)
    assert _blocks(database_url) > 50
    store.write(lambda tx: tx.runs.purge(run.id))
    assert _blocks(database_url) == 0


def _blocks(url: str) -> int:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as db:
        count = int(db.execute(sa.text("SELECT count(*) FROM metric_blocks")).scalar_one())
    engine.dispose()
    return count
