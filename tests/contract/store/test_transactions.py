"""What `read`, `write` and `submit` promise, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from threading import Event
from typing import Any

import pytest
from tests.records import a_compute, a_job, a_workspace

from lazulite.domain.errors import Conflict, InvalidInput, NotFound, Unavailable
from lazulite.ports.store import JobFilter, Page, Store, Tx
from lazulite.store.database import open_store

SOON = 20  # seconds; nobody waits that long when all is well


def names(store: Store) -> list[str]:
    page = store.read(lambda tx: tx.workspaces.page("0000-sub", None, Page()))
    return [item.ids.name for item in page.items]


def adding(name: str) -> Any:
    return lambda tx: tx.workspaces.add(a_workspace(name))


def test_what_raises_writes_nothing(store: Store) -> None:
    def work(tx: Tx) -> None:
        tx.workspaces.add(a_workspace("half"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.write(work)
    assert names(store) == []


def test_what_is_written_is_read_by_all_at_once(store: Store) -> None:
    store.write(adding("a"))
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: names(store), range(8))) == [["a"]] * 8


def test_a_written_result_comes_back(store: Store) -> None:
    assert store.write(lambda tx: 7) == 7
    assert store.read(lambda tx: 8) == 8
    assert store.submit(lambda tx: 9).result(SOON) == 9


def test_a_transaction_sees_its_own_writes(store: Store) -> None:
    def work(tx: Tx) -> str:
        stored = tx.workspaces.add(a_workspace("a"))
        return tx.workspaces.by_id(stored.id).ids.name

    assert store.write(work) == "a"


def test_a_read_sees_one_moment(store: Store) -> None:
    store.write(adding("a"))

    def work(tx: Tx) -> tuple[int, int]:
        before = tx.workspaces.page("0000-sub", None, Page())
        with ThreadPoolExecutor(1) as pool:
            pool.submit(store.write, adding("b")).result(SOON)
        return len(before.items), len(tx.workspaces.page("0000-sub", None, Page()).items)

    assert store.read(work) == (1, 1)
    assert names(store) == ["a", "b"]


def test_a_reader_does_not_stop_a_writer_nor_the_other_way(store: Store) -> None:
    writing, done = Event(), Event()

    def slow(tx: Tx) -> None:
        tx.workspaces.add(a_workspace("slow"))
        writing.set()
        assert done.wait(SOON)

    pending = store.submit(slow)
    assert writing.wait(SOON)
    assert names(store) == []
    done.set()
    pending.result(SOON)
    assert names(store) == ["slow"]


def test_one_failing_write_does_not_undo_its_neighbours(store: Store) -> None:
    store.write(adding("taken"))
    gate, waiting = Event(), Event()

    def hold(tx: Tx) -> None:
        waiting.set()
        assert gate.wait(SOON)

    holding = store.submit(hold)
    assert waiting.wait(SOON)
    group = [store.submit(adding(name)) for name in ("a", "taken", "b")]
    group.append(store.submit(lambda tx: tx.computes.put(99, a_compute())))
    group.append(store.submit(lambda tx: 1 // 0))
    group.append(store.submit(adding("c")))
    gate.set()
    holding.result(SOON)
    failures = [type(future.exception(SOON)) for future in group]
    nothing = type(None)
    assert failures == [nothing, Conflict, nothing, Conflict, ZeroDivisionError, nothing]
    assert names(store) == ["a", "b", "c", "taken"]


def test_32_writers_at_once_all_succeed(store: Store) -> None:
    workspace = store.write(adding("ws")).id

    def add(i: int) -> None:
        for k in range(3):
            job = a_job(workspace, f"job-{i}-{k}", experiment=f"experiment-{i % 3}")
            store.write(lambda tx, j=job: tx.jobs.add(j, b"{}"))

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(add, range(32)))
    page = store.read(lambda tx: tx.jobs.page(workspace, JobFilter(), Page(limit=1000)))
    assert len({job.id for job in page.items}) == 96


def test_two_programs_on_one_database_both_write(database_url: str) -> None:
    with closing(open_store(database_url)) as one, closing(open_store(database_url)) as two:
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(lambda: [one.write(adding(f"a{i}")) for i in range(10)])
            second = pool.submit(lambda: [two.write(adding(f"b{i}")) for i in range(10)])
            first.result(SOON)
            second.result(SOON)
        assert len(names(one)) == 20


def test_a_store_that_was_closed_says_so(store: Store) -> None:
    store.close()
    store.close()
    for act in (store.read, store.write, store.submit):
        with pytest.raises(Unavailable, match="closed"):
            act(lambda tx: None)


def test_what_was_submitted_is_written_before_the_end(database_url: str) -> None:
    store = open_store(database_url)
    pending = [store.submit(adding(f"w{i}")) for i in range(5)]
    store.close()
    assert [future.result(0).ids.name for future in pending] == [f"w{i}" for i in range(5)]
    with closing(open_store(database_url)) as again:
        assert len(names(again)) == 5


def test_text_that_no_database_takes_is_refused_or_kept(store: Store) -> None:
    given = a_workspace("nul", description="a\0b", tags={"k": "\0"})
    with suppress(InvalidInput):  # PostgreSQL refuses NUL in text
        store.write(lambda tx: tx.workspaces.add(given))
        assert store.read(lambda tx: tx.workspaces.get(given.ids)).description == "a\0b"
    assert names(store) in ([], ["nul"])


def test_a_lone_surrogate_is_refused(store: Store) -> None:
    with pytest.raises(InvalidInput, match="not valid Unicode"):
        store.write(lambda tx: tx.workspaces.add(a_workspace("x", description="\ud800")))
    assert names(store) == []


def test_a_failure_inside_leaves_the_store_working(store: Store) -> None:
    with pytest.raises(NotFound):
        store.write(lambda tx: tx.workspaces.by_id(1))
    with pytest.raises(KeyboardInterrupt):
        store.write(lambda tx: _interrupt())
    store.write(adding("a"))
    assert names(store) == ["a"]


def _interrupt() -> None:
    raise KeyboardInterrupt
