"""What only PostgreSQL does: races between servers, connections that break."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
from tests.databases import empty_database
from tests.records import a_compute, a_workspace

from lazulite.domain.errors import Unavailable
from lazulite.ports.store import Page, Store, Tx
from lazulite.store.database import open_store

pytestmark = pytest.mark.postgres
SOON = 20  # seconds


@pytest.fixture
def database_url(tmp_path: Path) -> Iterator[str]:
    with empty_database("postgresql", tmp_path) as url:
        yield url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with closing(open_store(database_url)) as opened:
        yield opened


def test_a_transaction_that_lost_a_race_runs_again(store: Store) -> None:
    workspace = store.write(lambda tx: tx.workspaces.add(a_workspace())).id
    store.write(lambda tx: tx.computes.put(workspace, a_compute(slots=0)))
    barrier = Barrier(2)
    tries: list[int] = []

    def count_up(_: int) -> None:
        first = True

        def work(tx: Tx) -> None:
            nonlocal first
            tries.append(1)
            compute = tx.computes.get(workspace, "cpu")
            if first:
                first = False
                barrier.wait(SOON)
            tx.computes.put(workspace, a_compute(slots=(compute.slots or 0) + 1))

        store.write(work)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(count_up, range(2)))
    assert store.read(lambda tx: tx.computes.get(workspace, "cpu")).slots == 2
    assert len(tries) >= 3


def test_what_one_assumes_another_cannot_break(store: Store) -> None:
    """Each adds a workspace only if the other's is not there: only a serial order is right."""
    barrier = Barrier(2)

    def add(name: str, other: str) -> None:
        first = True

        def work(tx: Tx) -> None:
            nonlocal first
            there = {w.ids.name for w in tx.workspaces.page("0000-sub", None, Page()).items}
            if first:
                first = False
                barrier.wait(SOON)
            if other not in there:
                tx.workspaces.add(a_workspace(name))

        store.write(work)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(add, ["a", "b"], ["b", "a"]))
    assert len(store.read(lambda tx: tx.workspaces.page("0000-sub", None, Page())).items) == 1


def _kill_others(store: Store) -> None:
    def work(tx: Any) -> None:
        tx._db.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND application_name = current_setting('application_name')"
        )

    store.write(work)


def test_connections_that_broke_are_made_anew(database_url: str) -> None:
    url = sa.make_url(database_url)
    mine = url.update_query_dict({"application_name": "test-break"}).render_as_string(
        hide_password=False
    )
    with closing(open_store(mine)) as store, closing(open_store(mine)) as killer:
        store.write(lambda tx: tx.workspaces.add(a_workspace("a")))
        _kill_others(killer)
        store.write(lambda tx: tx.workspaces.add(a_workspace("b")))
        _kill_others(killer)
        found = store.read(lambda tx: tx.workspaces.page("0000-sub", None, Page()))
        assert [item.ids.name for item in found.items] == ["a", "b"]


def test_a_database_that_is_away_is_said_without_its_password() -> None:
    with pytest.raises(Unavailable, match="check that PostgreSQL runs") as caught:
        open_store("postgresql://u:s3cret@127.0.0.1:1/db")
    assert "postgresql://u:***@127.0.0.1:1/db" in caught.value.message
    assert "s3cret" not in caught.value.message


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(Unavailable, match=r"install lazulite\[postgres\]"):
        open_store("postgresql://u:p@127.0.0.1:1/db")


def test_a_wrong_password_is_said(database_url: str) -> None:
    wrong = sa.make_url(database_url).set(password="wrong").render_as_string(hide_password=False)
    with pytest.raises(Unavailable, match="password authentication failed"):
        open_store(wrong)


def test_a_user_without_rights_is_told(database_url: str) -> None:
    with closing(open_store(database_url)) as store:
        url = sa.make_url(database_url).update_query_dict({"options": "-csearch_path=pg_catalog"})
        with pytest.raises(Unavailable, match="grant CREATE"):
            open_store(url.render_as_string(hide_password=False))
        assert store.read(lambda tx: 1) == 1
