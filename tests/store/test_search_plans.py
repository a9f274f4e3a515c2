"""SQLite answers the usual searches of runs from indexes: nothing is scanned, little is sorted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from tests.records import a_job, a_workspace

from lazulite.domain.run import Batch, Point, View
from lazulite.domain.search import Search
from lazulite.formats.mlflow.filter import parse_filter, parse_orders
from lazulite.formats.mlflow.names import RUNS
from lazulite.store import conditions
from lazulite.store.database import open_store
from lazulite.store.run_search import RunSearch


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Connection]:
    path = tmp_path_factory.mktemp("plans") / "lazulite.db"
    with closing(open_store(f"sqlite:///{path}")) as store:
        workspace = store.write(lambda tx: tx.workspaces.add(a_workspace())).id
        run = store.write(lambda tx: tx.runs.start(a_job(workspace, "r", experiment="e"), None))
        batch = Batch(metrics=[Point("acc", 1.0, 1, 1)], params=[("lr", "1")], tags=[("t", "1")])
        store.write(lambda tx: tx.runs.log(run, batch))
    engine = sa.create_engine(f"sqlite:///{path}", poolclass=sa.NullPool)
    with engine.connect() as db:
        yield db


def plan(db: sa.Connection, text: str, *orders: str) -> list[str]:
    asked = Search(condition=parse_filter(text, RUNS), orders=parse_orders(orders, RUNS))
    steps = []
    for query in RunSearch(db, 1, [1], View.ACTIVE).queries(asked):
        compiled = query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
        rows = db.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}")
        steps += [row[3] for row in rows]
    return steps


@pytest.mark.parametrize("common", [conditions.COMMON, -1])
@pytest.mark.parametrize(
    ("text", "orders"),
    [
        ("", ()),
        ("", ("metrics.acc DESC",)),
        ("metrics.acc > 0.5", ("metrics.acc DESC",)),
        ("metrics.acc > 0.5", ()),
        ("params.lr = '1'", ()),
        ("params.lr LIKE '%1%' AND tags.t != 'x'", ("metrics.acc",)),
        ("tags.t IS NULL AND max(metrics.acc) < 3", ("metrics.acc",)),
        ("params.lr < 0.5 AND tags.t = '1'", ()),
        ("max(metrics.acc) > 0.5 OR tags.t = '1'", ("params.lr",)),
        ("status = 'FINISHED'", ("metrics.acc ASC",)),
        ("ancestor_id = 'r'", ()),
        ("run_id IN ('r')", ()),
        ("tags.mlflow.parentRunId = 'r'", ()),
    ],
)
def test_no_search_scans_a_table(
    database: sa.Connection,
    text: str,
    orders: tuple[str, ...],
    common: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conditions, "COMMON", common)
    scans = [step for step in plan(database, text, *orders) if step.startswith("SCAN")]
    assert [step for step in scans if "below" not in step] == []


def test_newest_first_needs_no_sort(database: sa.Connection) -> None:
    assert not [step for step in plan(database, "") if "TEMP B-TREE" in step]


@pytest.mark.parametrize("which", ["metrics.acc", "min(metrics.acc)", "max(metrics.acc)"])
@pytest.mark.parametrize("way", ["ASC", "DESC"])
def test_a_sort_by_a_metric_walks_its_index(database: sa.Connection, which: str, way: str) -> None:
    steps = plan(database, f"{which} > 0.5", f"{which} {way}")
    assert "USING COVERING INDEX ix_latest_metrics_" in steps[0] or "INDEX ix_latest" in steps[0]
    sorts = [step for step in steps if "TEMP B-TREE FOR ORDER BY" in step]
    assert sorts == []  # only runs of equal value are sorted among themselves


def test_what_many_runs_have_is_asked_of_each_until_the_page_is_full(
    database: sa.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "params.lr = '1' AND tags.t = '1'"
    assert not [step for step in plan(database, text, "metrics.acc") if "CORRELATED" in step]
    monkeypatch.setattr(conditions, "COMMON", -1)
    assert [step for step in plan(database, text, "metrics.acc") if "CORRELATED" in step]
