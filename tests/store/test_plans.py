"""SQLite answers the frequent queries from an index: a scan would grow with every job ever run."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from lazulite.store import assets, executions, jobs
from lazulite.store.database import open_store

QUERIES = {
    f"{module.__name__.rpartition('.')[2]}.{name}": value
    for module in (assets, executions, jobs)
    for name, found in vars(module).items()
    for value in (found if isinstance(found, tuple) else (found,))
    if isinstance(value, sa.Select | sa.Update | sa.Delete) and "workspace" not in name
    if name not in ("_ALL", "_GROUPS", "_BURY") and not name.startswith("SELECT")
}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    path = tmp_path / "lazulite.db"
    open_store(f"sqlite:///{path}").close()
    with closing(sqlite3.connect(path)) as db:
        yield db


@pytest.mark.parametrize("name", QUERIES)
def test_no_query_scans_a_table(database: sqlite3.Connection, name: str) -> None:
    query: Any = QUERIES[name]
    text = str(query.compile(dialect=sqlite.dialect(paramstyle="named")))
    values = dict.fromkeys(re.findall(r":(\w+)", text), "[1]")
    plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {text}", values)]
    scans = [step for step in plan if step.startswith("SCAN") and "json_each" not in step]
    assert scans == []
