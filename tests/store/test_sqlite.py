"""What only SQLite does: one writer thread, a file that can be full, locked or read-only."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from threading import Event, current_thread
from typing import Any

import pytest
from tests.records import a_workspace

from lazulite.domain.errors import Conflict, InvalidInput, Unavailable
from lazulite.ports.store import Page, Tx
from lazulite.store import sqlite as module
from lazulite.store.database import open_store
from lazulite.store.sqlite import SqliteStore

SOON = 20  # seconds


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lazulite.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(open_store(f"sqlite:///{path}")) as opened:
        assert isinstance(opened, SqliteStore)
        yield opened


def adding(name: str, size: int = 0) -> Callable[[Tx], Any]:
    return lambda tx: tx.workspaces.add(a_workspace(name, description="x" * size))


def names(store: SqliteStore) -> list[str]:
    page = store.read(lambda tx: tx.workspaces.page("0000-sub", None, Page()))
    return [item.ids.name for item in page.items]


def pragma(store: SqliteStore, text: str) -> Any:
    def work(tx: Any) -> Any:
        result = tx._db.exec_driver_sql(f"PRAGMA {text}")
        return result.scalar() if result.returns_rows else None

    return store.write(work)


def together(
    store: SqliteStore, *works: Callable[[Tx], Any], first: Callable[[], object] | None = None
) -> list[Future[Any]]:
    """Submit works while the writer is busy, so that they share a commit; `first` runs before."""
    gate, busy = Event(), Event()

    def hold(tx: Tx) -> None:
        busy.set()
        assert gate.wait(SOON)

    holding = store.submit(hold)
    if first is not None:
        holding.add_done_callback(lambda _: first())
    assert busy.wait(SOON)
    pending = [store.submit(work) for work in works]
    gate.set()
    holding.result(SOON)
    return pending


def test_the_file_is_in_wal_mode_and_checks_foreign_keys(store: SqliteStore) -> None:
    assert pragma(store, "journal_mode") == "wal"
    assert pragma(store, "synchronous") == 1  # NORMAL
    assert pragma(store, "foreign_keys") == 1


def test_all_writes_run_in_one_named_thread(store: SqliteStore) -> None:
    threads = {store.write(lambda tx: current_thread().name) for _ in range(3)}
    assert threads == {"lazulite-writer"}


def test_works_that_wait_share_one_commit(store: SqliteStore, path: Path) -> None:
    seen: list[int] = []

    def visible(tx: Tx) -> None:
        with closing(sqlite3.connect(path)) as other:
            seen.append(other.execute("SELECT count(*) FROM workspaces").fetchone()[0])

    pending = together(store, adding("a"), visible, adding("b"), visible)
    for future in pending:
        future.result(SOON)
    assert seen == [0, 0]
    assert names(store) == ["a", "b"]


def test_a_future_is_done_only_after_the_commit(store: SqliteStore, path: Path) -> None:
    seen: list[int] = []

    def look(_: Future[Any]) -> None:
        with closing(sqlite3.connect(path)) as other:
            seen.append(other.execute("SELECT count(*) FROM workspaces").fetchone()[0])

    future = store.submit(adding("a"))
    future.add_done_callback(look)
    store.write(lambda tx: None)
    assert seen == [1]


def test_a_group_is_not_without_bound(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROUP", 3)
    pending = together(store, *[adding(f"w{i}") for i in range(10)])
    assert [future.result(SOON).id for future in pending] == list(range(1, 11))


def test_a_canceled_work_is_not_run(store: SqliteStore) -> None:
    gate, busy = Event(), Event()

    def hold(tx: Tx) -> None:
        busy.set()
        assert gate.wait(SOON)

    store.submit(hold)
    assert busy.wait(SOON)
    unwanted = store.submit(adding("unwanted"))
    assert unwanted.cancel()
    gate.set()
    store.write(adding("wanted"))
    assert names(store) == ["wanted"]


def test_a_write_inside_a_work_is_refused(store: SqliteStore) -> None:
    with pytest.raises(RuntimeError, match="wait for itself"):
        store.write(lambda tx: store.write(adding("a")))


# -- a disk that is full, a file that is read-only, another process ------------------------------


@pytest.fixture
def full(store: SqliteStore) -> Iterator[None]:
    """The file may grow by a few pages more only."""
    pragma(store, f"max_page_count = {pragma(store, 'page_count') + 3}")
    yield
    pragma(store, "max_page_count = 1000000")


@pytest.mark.usefixtures("full")
def test_a_full_disk_is_said_and_the_writer_lives(store: SqliteStore, path: Path) -> None:
    with pytest.raises(Unavailable, match=rf"database '{path}': the disk is full: free some"):
        store.write(adding("big", 100_000))
    assert names(store) == []
    store.write(adding("small"))
    pragma(store, "max_page_count = 1000000")
    store.write(adding("big", 100_000))
    assert names(store) == ["big", "small"]


@pytest.mark.usefixtures("full")
def test_a_work_that_fills_the_disk_does_not_undo_its_neighbours(store: SqliteStore) -> None:
    before, big, after = together(store, adding("a"), adding("big", 100_000), adding("b"))
    assert before.result(SOON).ids.name == "a"
    assert after.result(SOON).ids.name == "b"
    assert isinstance(big.exception(SOON), Unavailable)
    assert names(store) == ["a", "b"]


def test_a_read_only_file_is_said_and_the_writer_lives(store: SqliteStore) -> None:
    raw: Any = store._writer.connection.dbapi_connection
    raw.execute("PRAGMA query_only = 1").close()
    with pytest.raises(Unavailable, match="it is read-only: make the home"):
        store.write(adding("a"))
    raw.execute("PRAGMA query_only = 0").close()
    store.write(adding("a"))
    assert names(store) == ["a"]


def test_a_file_that_another_process_locks_is_said(store: SqliteStore, path: Path) -> None:
    pragma(store, "busy_timeout = 10")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="another process holds it"):
            store.write(adding("a"))
        other.execute("ROLLBACK")
    store.write(adding("a"))


def test_a_group_that_another_process_locks_out_fails_whole(store: SqliteStore, path: Path) -> None:
    pragma(store, "busy_timeout = 10")
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        works = [adding("b"), adding("c")]
        pending = together(store, *works, first=lambda: other.execute("BEGIN IMMEDIATE"))
        failures = [type(future.exception(SOON)) for future in pending]
        other.execute("ROLLBACK")
    assert failures == [Unavailable, Unavailable]
    store.write(adding("a"))
    assert names(store) == ["a"]


@pytest.mark.parametrize("folder", ["missing", "/proc/self"])
def test_a_folder_that_takes_no_file_is_said(tmp_path: Path, folder: str) -> None:
    with pytest.raises(Unavailable, match="cannot be opened: check that its folder exists"):
        open_store(f"sqlite:///{tmp_path / folder / 'lazulite.db'}")


def test_a_file_that_is_no_database_is_said(path: Path) -> None:
    path.write_bytes(b"not a database " * 100)
    with pytest.raises(Unavailable, match="not a SQLite database: move it away"):
        open_store(f"sqlite:///{path}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_home_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(Unavailable, match="cannot be opened"):
            open_store(f"sqlite:///{tmp_path / 'lazulite.db'}")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "mysql://u:secret@h/db", "nonsense"]
)
def test_a_url_of_no_known_database_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"use sqlite:////absolute/path\.db or") as caught:
        open_store(url)
    assert caught.value.path == "LAZULITE_DATABASE_URL"
    assert "secret" not in caught.value.message


def test_a_home_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "a?b=c %20 ü#:@"
    folder.mkdir()
    with closing(open_store(f"sqlite:///{folder / 'lazulite.db'}")) as store:
        store.write(adding("a"))
    assert (folder / "lazulite.db").exists()


def test_what_was_committed_outlives_a_killed_process(path: Path) -> None:
    program = (
        "import os, signal, sys; from lazulite.store.database import open_store;"
        "from tests.records import a_workspace;"
        "store = open_store(sys.argv[1]);"
        "store.write(lambda tx: tx.workspaces.add(a_workspace('kept')));"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    root = Path(__file__).parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", program, f"sqlite:///{path}"], cwd=root, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    with closing(open_store(f"sqlite:///{path}")) as store:
        assert isinstance(store, SqliteStore)
        assert names(store) == ["kept"]


def test_a_broken_rule_of_the_tables_is_a_conflict(store: SqliteStore) -> None:
    def twice(tx: Any) -> None:
        for _ in range(2):
            tx._db.exec_driver_sql("INSERT INTO engines VALUES ('t', 'h', 1)")

    with pytest.raises(Conflict, match="UNIQUE"):
        store.write(twice)


def test_a_fault_of_our_own_is_not_dressed_up(store: SqliteStore) -> None:
    with pytest.raises(Exception, match="syntax error") as caught:
        store.write(lambda tx: tx._db.exec_driver_sql("SELEC"))
    assert type(caught.value).__module__.startswith("sqlalchemy")
