"""A database of each release opens with this one, and everything in it is still there."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from lazulite.domain.asset import AssetKind, Stage
from lazulite.domain.ids import WorkspaceId
from lazulite.domain.job import JobStatus
from lazulite.ports.store import JobFilter, Page, Store
from lazulite.store.database import open_store
from lazulite.store.tables import metadata

DUMPS = sorted(Path(__file__).parent.glob("*.sql"))


@pytest.fixture(params=DUMPS, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    old = tmp_path / "lazulite.db"
    with closing(sqlite3.connect(old)) as db:
        db.executescript(request.param.read_text())
    return old


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{path}")) as opened:
        yield opened


@pytest.fixture
def workspace(store: Store) -> int:
    return store.read(lambda tx: tx.workspaces.get(WorkspaceId("0000-SUB", "team", "main"))).id


def test_there_is_a_database_of_every_release() -> None:
    assert "0.1.0" in [path.stem for path in DUMPS]


def test_things_are_still_there(store: Store, workspace: int) -> None:
    found = store.read(lambda tx: tx.workspaces.by_id(workspace))
    assert (found.ids.name, found.tags, found.body) == ("Main", {"a": "ö"}, {"x": 1})
    assert store.read(lambda tx: tx.computes.get(workspace, "cpu")).slots == 2
    assert store.read(lambda tx: tx.datastores.secrets(workspace, "blob")) == {"key": "value"}


@pytest.mark.parametrize("kind", AssetKind)
def test_assets_are_still_there(store: Store, workspace: int, kind: AssetKind) -> None:
    newest = store.read(lambda tx: tx.assets.resolve(workspace, kind, "thing", "latest"))
    oldest = store.read(lambda tx: tx.assets.get(workspace, kind, "thing", "1"))
    assert (newest.version, newest.body, oldest.stage) == ("2", {"b": [1]}, Stage.ARCHIVED)


def test_jobs_are_still_there(store: Store, workspace: int) -> None:
    roots = store.read(lambda tx: tx.jobs.page(workspace, JobFilter(), Page())).items
    assert [job.name for job in roots] == ["run", "root"]
    children = store.read(lambda tx: tx.jobs.children(roots[1].id))
    states = [JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.NOT_STARTED]
    assert [job.status for job in children] == states
    assert children[1].error is not None
    assert list(store.read(lambda tx: tx.executions.twins(workspace, ["f"]))) == ["f"]


def test_an_engine_goes_on_where_the_older_one_stopped(store: Store, workspace: int) -> None:
    root = store.read(lambda tx: tx.jobs.get(workspace, "root"))
    taken = store.write(lambda tx: tx.executions.takeover("new", root.modified_at, "host"))
    names = store.read(lambda tx: tx.jobs.names(taken))
    assert sorted(names.values()) == ["root", "root-c"]
    end = [(row, {"status": JobStatus.CANCELED}) for row in taken]
    store.write(lambda tx: tx.executions.advance("new", end))


def test_the_upgraded_schema_is_that_of_a_new_database(
    store: Store, path: Path, tmp_path: Path
) -> None:
    new = tmp_path / "new.db"
    open_store(f"sqlite:///{new}").close()
    assert _definitions(path) == _definitions(new)
    assert {table.name for table in metadata.sorted_tables} <= _definitions(path).keys()
    with sa.create_engine(f"sqlite:///{path}", poolclass=sa.NullPool).connect() as db:
        assert db.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        assert db.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


def _definitions(path: Path) -> dict[str, list[str]]:
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {name: sorted(re.findall(r"[\w']+", text)) for name, text in rows}
