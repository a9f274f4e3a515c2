"""Much at once, much of it, and odd: what runs must bear, on both databases."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest
import sqlalchemy as sa
from tests.records import a_job

from lazulite.domain.errors import InvalidInput
from lazulite.domain.job import JobKind, JobStatus
from lazulite.domain.run import Batch, Point, RunHead, RunRecord, View
from lazulite.domain.search import Search
from lazulite.formats.mlflow.filter import parse_filter, parse_orders
from lazulite.formats.mlflow.names import RUNS
from lazulite.ports.store import Store

Start = Callable[[str], RunHead]
MB = 1 << 20
MILLIONS = 10_000_000
ODD = "größe 😀 \u202e 名前 é́ \u200d"


@pytest.fixture
def start(store: Store, workspace: int) -> Start:
    def run(name: str) -> RunHead:
        what: dict[str, Any] = {"kind": JobKind.RUN, "status": JobStatus.RUNNING}
        job = a_job(workspace, name, experiment="e", **what)
        return store.write(lambda tx: tx.runs.start(job, None))

    return run


def log(store: Store, run: RunHead, batch: Batch) -> None:
    store.write(lambda tx: tx.runs.log(run, batch))


def points(store: Store, run: RunHead, key: str) -> list[Point]:
    found = store.read(lambda tx: tx.metrics.history(run.id, key, 100_000, None))
    assert found.next is None
    return found.items


def latest(store: Store, workspace: int, run: RunHead) -> dict[str, float]:
    record = store.read(lambda tx: tx.runs.get(workspace, run.name))
    return {point.key: point.value for point in record.metrics}


def search(store: Store, workspace: int, text: str, *orders: str) -> list[RunRecord]:
    asked = Search(condition=parse_filter(text, RUNS), orders=parse_orders(orders, RUNS))
    return store.read(lambda tx: tx.runs.search(workspace, None, asked, View.ACTIVE)).items


def at_once(count: int, act: Callable[[int], object]) -> list[object]:
    """Do something in as many threads; return what was raised."""

    def safely(number: int) -> object:
        try:
            act(number)
        except InvalidInput as error:
            return error
        return None

    with ThreadPoolExecutor(count) as pool:
        return [raised for raised in pool.map(safely, range(count)) if raised is not None]


def test_two_clients_that_log_the_same_points_at_once_log_each_once(
    store: Store, start: Start
) -> None:
    run = start("r")
    batch = Batch(metrics=[Point("m", step / 2, 7, step) for step in range(100)])
    assert at_once(8, lambda _: log(store, run, batch)) == []
    assert [point.step for point in points(store, run, "m")] == list(range(100))


def test_two_clients_that_log_other_points_of_a_key_at_once_lose_none(
    store: Store, workspace: int, start: Start
) -> None:
    run = start("r")

    def write(writer: int) -> None:
        for step in range(20):
            log(store, run, Batch(metrics=[Point("m", float(writer), 7, step)]))

    assert at_once(8, write) == []
    found = points(store, run, "m")
    assert [(p.step, p.value) for p in found] == [(s, v) for s in range(20) for v in range(8)]
    assert latest(store, workspace, run) == {"m": 7.0}  # step, then time, then value


def test_of_two_clients_that_set_a_param_at_once_one_is_refused(
    store: Store, workspace: int, start: Start
) -> None:
    run = start("r")
    raised = at_once(8, lambda n: log(store, run, Batch(params=[("p", str(n % 2))])))
    assert len(raised) == 4
    assert all("Changing param values is not allowed" in str(error) for error in raised)
    assert len(store.read(lambda tx: tx.runs.get(workspace, "r")).params) == 1


def test_the_same_param_at_once_from_all_is_fine(store: Store, start: Start) -> None:
    run = start("r")
    assert at_once(8, lambda _: log(store, run, Batch(params=[("p", "1"), ("q", "2")]))) == []


@pytest.mark.timeout(60)
def test_a_hundred_writers_at_once_are_all_served(store: Store, start: Start) -> None:
    runs = [start(f"r{number}") for number in range(10)]

    def write(writer: int) -> None:
        for step in range(3):
            metrics = [Point(f"w{writer}", float(step), 1, step)]
            log(store, runs[writer % 10], Batch(metrics=metrics, tags=[(f"t{writer}", "x")]))

    assert at_once(100, write) == []
    for writer in range(100):
        assert len(points(store, runs[writer % 10], f"w{writer}")) == 3


def test_a_clock_that_goes_back_changes_no_order(
    store: Store, workspace: int, start: Start
) -> None:
    run = start("r")
    log(store, run, Batch(metrics=[Point("m", 1.0, 5000, 1), Point("t", 1.0, 5000, 1)]))
    log(store, run, Batch(metrics=[Point("m", 2.0, 1000, 2), Point("t", 2.0, 1000, 1)]))
    assert latest(store, workspace, run) == {"m": 2.0, "t": 1.0}  # the step decides, then the time
    assert [p.value for p in points(store, run, "t")] == [2.0, 1.0]


def test_of_equal_steps_and_times_the_highest_value_is_the_last(
    store: Store, workspace: int, start: Start
) -> None:
    run = start("r")
    for value in (1.0, 3.0, 2.0):
        log(store, run, Batch(metrics=[Point("m", value, 1, 1)]))
    assert latest(store, workspace, run) == {"m": 3.0}


def test_numbers_that_are_none_come_last_and_the_largest_first(
    store: Store, workspace: int, start: Start
) -> None:
    values = {"nan": math.nan, "low": -1.7976931348623157e308, "high": 1.7976931348623157e308}
    for name, value in {**values, "zero": 0.0}.items():
        log(store, start(name), Batch(metrics=[Point("m", value, 1, 1)]))
    start("none")
    names = [run.head.name for run in search(store, workspace, "", "metrics.m DESC")]
    assert names[:3] == ["high", "zero", "low"]
    assert set(names[3:]) == {"nan", "none"}
    names = [run.head.name for run in search(store, workspace, "", "metrics.m ASC")]
    assert names[:3] == ["low", "zero", "high"]


def test_odd_characters_are_kept_and_found(store: Store, workspace: int, start: Start) -> None:
    run = start("r")
    batch = Batch(metrics=[Point("mé", 1.0, 1, 1)], params=[("p", ODD)], tags=[(ODD, ODD)])
    log(store, run, batch)
    found = search(store, workspace, f"params.p = '{ODD}' AND tags.\"{ODD}\" = '{ODD}'")[0]
    assert (found.head.tags, found.params) == ({ODD: ODD}, [("p", ODD)])
    assert [p.key for p in found.metrics] == ["mé"]


@pytest.mark.timeout(120)
def test_a_run_of_12_000_metrics_stays_quick(store: Store, workspace: int, start: Start) -> None:
    run = start("r")
    keys = [f"layer{n // 100}/weight{n % 100}" for n in range(12_000)]
    for first in range(0, len(keys), 1000):
        part = keys[first : first + 1000]
        log(store, run, Batch(metrics=[Point(key, 1.0, 1, 1) for key in part]))
    assert _seconds(lambda: latest(store, workspace, run)) < 1
    assert _seconds(lambda: log(store, run, Batch(metrics=[Point(keys[0], 2.0, 1, 2)]))) < 0.5
    found = search(store, workspace, f"metrics.`{keys[-1]}` = 1", f"metrics.`{keys[0]}` DESC")
    assert len(found[0].metrics) == 12_000


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_run_of_ten_million_points(
    store: Store, database_url: str, workspace: int, start: Start
) -> None:
    """The first and the last come through the store, those between straight from the database.

    A tenth of them on PostgreSQL.
    """
    count = MILLIONS if database_url.startswith("sqlite") else MILLIONS // 10
    run, process = start("r"), psutil.Process()
    part, before = 50_000, 0

    def write(first: int) -> None:
        metrics = [Point("m", n % 1000 / 2, 7, n) for n in range(first, first + part)]
        log(store, run, Batch(metrics=metrics))

    for first in range(0, 8 * part, part):
        write(first)
        before = before or process.memory_info().rss
    assert process.memory_info().rss - before < 64 * MB
    last = count - part
    engine = sa.create_engine(database_url, poolclass=sa.NullPool)
    with engine.begin() as db:
        db.execute(sa.text(_FILL), {"run": run.id, "first": 8 * part, "end": last})
    engine.dispose()
    write(last)
    assert latest(store, workspace, run) == {"m": 499.5}
    few: list[Point] = []

    def sample(first: int | None, last: int | None) -> None:
        few[:] = store.read(lambda tx: tx.metrics.sampled(run.id, "m", (first, last), 320))

    sample(None, None)
    assert 300 < len(few) <= 330
    assert (few[0].step, few[-1].step) == (0, count - 1)
    assert {0.0, 499.5} <= {point.value for point in few}
    sample(last, count)
    assert (few[0].step, few[-1].step) == (last, count - 1)
    page = store.read(lambda tx: tx.metrics.history(run.id, "m", 1000, None))
    assert [point.step for point in page.items] == list(range(1000))


_FILL = """
INSERT INTO metrics (run, key, step, time, value)
WITH RECURSIVE n (step) AS (SELECT :first UNION ALL SELECT step + 1 FROM n WHERE step < :end - 1)
SELECT :run, (SELECT min(key) FROM metrics WHERE run = :run), step, 7, (step % 1000) / 2.0 FROM n
"""


def _seconds(act: Callable[[], object]) -> float:
    """Return the least of three times."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        act()
        times.append(time.perf_counter() - began)
    return min(times)
