"""SQLite answers the usual searches of traces from indexes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from tests.records import NOW, a_workspace

from lazulite.domain.run import DEFAULT_EXPERIMENT
from lazulite.domain.search import Search
from lazulite.domain.trace import Trace
from lazulite.formats.mlflow.filter import parse_filter, parse_orders
from lazulite.formats.mlflow.names import TRACES
from lazulite.store.database import open_store
from lazulite.store.trace_search import TraceSearch


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Connection]:
    path = tmp_path_factory.mktemp("plans") / "lazulite.db"
    with closing(open_store(f"sqlite:///{path}")) as store:
        workspace = store.write(lambda tx: tx.workspaces.add(a_workspace())).id
        home = store.write(lambda tx: tx.experiments.ensure(workspace, DEFAULT_EXPERIMENT, NOW)).id
        labelled = Trace(trace="a", experiment=home, created=1, tags={"t": "1"})
        store.write(lambda tx: tx.traces.add(workspace, [labelled]))
    engine = sa.create_engine(f"sqlite:///{path}", poolclass=sa.NullPool)
    with engine.connect() as db:
        yield db


def plan(db: sa.Connection, text: str, *orders: str) -> list[str]:
    asked = Search(condition=parse_filter(text, TRACES), orders=parse_orders(orders, TRACES))
    query = TraceSearch(db, 1, [1]).query(asked)
    compiled = query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    return [row[3] for row in db.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tags.t = '1'",
        "metadata.t LIKE 'a%' OR NOT tags.t = '1'",
        "name = 'x'",
        "run_id = 'r'",
        "status = 'ERROR'",
        "timestamp > 5 AND timestamp < 9",
        "client_request_id = 'q'",
        "trace_id IN ('a', 'b')",
        "span.name = 'x'",
        "span.type = 'LLM' AND span.status = 'ERROR'",
        "span.attributes.x = '1'",
        "text LIKE '%x%'",
        "feedback.ok = 'true'",
        "expectation.x IS NOT NULL",
    ],
)
def test_no_search_scans_a_table(database: sa.Connection, text: str) -> None:
    steps = plan(database, text)
    scans = [step for step in steps if step.startswith("SCAN")]
    assert not [step for step in scans if "json_each" not in step], steps  # one document


@pytest.mark.parametrize("text", ["", "status = 'OK'", "timestamp > 5", "span.attributes.x = '1'"])
def test_the_newest_are_found_without_sorting(database: sa.Connection, text: str) -> None:
    steps = plan(database, text)
    assert any("ix_traces_created" in step for step in steps), steps
    assert not [step for step in steps if "TEMP B-TREE" in step], steps


def test_spans_are_found_by_name_and_type_without_their_documents(
    database: sa.Connection,
) -> None:
    for text, index in (("span.name = 'x'", "name"), ("span.status = 'ERROR'", "type")):
        steps = plan(database, text)
        assert any(f"COVERING INDEX ix_spans_{index}" in step for step in steps), steps
