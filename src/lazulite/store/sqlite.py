"""SQLite: one writer thread that commits what waits in one go, readers beside it. See ADR 0001."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Lock, Thread, get_ident
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from lazulite.domain.errors import LazuliteError
from lazulite.ports.store import Tx
from lazulite.store.failures import closed, explained
from lazulite.store.schema import bring_up_to_date
from lazulite.store.transaction import SqlTx

T = TypeVar("T")

GROUP = 128  # works in one commit at most: the first of them must not wait for long
BUSY = 10.0  # seconds to wait for a lock another process holds (a backup, a curious user)
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",  # a killed process loses nothing; a power cut the last moments
    "PRAGMA foreign_keys=ON",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-8192",  # KiB, per connection
)


class _Work(Generic[T]):
    """A function that waits for the writer, and the promise of its result."""

    __slots__ = ("future", "run")

    def __init__(self, run: Callable[[Tx], T]) -> None:
        self.run = run
        self.future: Future[T] = Future()


class _Lost(Exception):
    """The transaction of a group is gone with all that was done in it."""


class SqliteStore:
    """`ports.store.Store` on one SQLite file."""

    def __init__(self, path: str) -> None:
        self._where = f"'{path}'"
        self._engine = sa.create_engine(
            sa.URL.create("sqlite+pysqlite", database=path),
            poolclass=sa.NullPool,
            connect_args={"timeout": BUSY, "isolation_level": None, "check_same_thread": False},
        )
        sa.event.listen(self._engine, "connect", _set_up)
        sa.event.listen(self._engine, "begin", _begin)
        self._readers: list[tuple[sa.Connection, SqlTx]] = []  # those not in use
        self._lock = Lock()
        self._closed = False
        with explained(self._where):
            self._writer = self._connect(immediate=True)
            bring_up_to_date(self._writer, self._where)
        self._queue: SimpleQueue[_Work[Any] | None] = SimpleQueue()
        self._thread = Thread(target=self._serve, name="lazulite-writer", daemon=True)
        self._thread.start()

    def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on a consistent snapshot, beside every writer."""
        if self._closed:
            raise closed(self._where)
        with explained(self._where):
            reader = self._reader()
            try:
                with reader[0].begin():
                    return work(reader[1])
            finally:
                self._put_back(reader)

    def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in the writer thread and wait for its commit."""
        if get_ident() == self._thread.ident:
            raise RuntimeError("a work must not call write: it would wait for itself")
        return self.submit(work).result()

    def submit(self, work: Callable[[Tx], T]) -> Future[T]:
        """Queue `work` for the writer thread; the future is done after its commit."""
        item = _Work(work)
        with self._lock:  # so that nothing is queued behind the end
            if self._closed:
                raise closed(self._where)
            self._queue.put(item)
        return item.future

    def close(self) -> None:
        """Write what waits, then close every connection. Safe to repeat."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._thread.join()
        self._writer.close()
        with self._lock:
            idle, self._readers = self._readers, []
        for db, _ in idle:
            db.close()
        self._engine.dispose()

    def _connect(self, *, immediate: bool) -> sa.Connection:
        return self._engine.connect().execution_options(lazulite_immediate=immediate)

    def _reader(self) -> tuple[sa.Connection, SqlTx]:
        try:
            return self._readers.pop()
        except IndexError:
            db = self._connect(immediate=False)
            return db, SqlTx(db)

    def _put_back(self, reader: tuple[sa.Connection, SqlTx]) -> None:
        with self._lock:
            if not self._closed:
                self._readers.append(reader)
                return
        reader[0].close()

    def _serve(self) -> None:
        tx = SqlTx(self._writer)
        ends = False
        while not ends:
            group, ends = self._next_group()
            group = [work for work in group if work.future.set_running_or_notify_cancel()]
            if len(group) > 1:
                self._run_group(tx, group)
            elif group:
                self._run_alone(tx, group[0])

    def _next_group(self) -> tuple[list[_Work[Any]], bool]:
        """Wait for a work, then take whatever waits too; also tell whether the end was reached."""
        item = self._queue.get()
        group: list[_Work[Any]] = []
        while item is not None:
            group.append(item)
            if len(group) == GROUP:
                return group, False
            try:
                item = self._queue.get_nowait()
            except Empty:
                return group, False
        return group, True

    def _run_alone(self, tx: SqlTx, work: _Work[Any]) -> None:
        try:
            with explained(self._where), self._writer.begin():
                result = work.run(tx)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the caller's
            work.future.set_exception(error)
        else:
            work.future.set_result(result)

    def _run_group(self, tx: SqlTx, group: Sequence[_Work[Any]]) -> None:
        """Run works in one transaction, each in a savepoint; if it breaks, each in its own."""
        try:
            with explained(self._where):
                transaction = self._writer.begin()
        except LazuliteError as error:  # another process holds the lock: none of them can run
            for work in group:
                work.future.set_exception(error)
            return
        try:
            with transaction:
                outcomes = [self._run_within(tx, work) for work in group]
        except BaseException:  # noqa: BLE001 - nothing of it was written; alone, each tells its own
            for work in group:
                self._run_alone(tx, work)
            return
        for work, (result, failure) in zip(group, outcomes, strict=True):
            if failure is None:
                work.future.set_result(result)
            else:
                work.future.set_exception(failure)

    def _run_within(self, tx: SqlTx, work: _Work[Any]) -> tuple[Any, BaseException | None]:
        db = self._writer
        db.exec_driver_sql("SAVEPOINT work")
        try:
            with explained(self._where):
                result = work.run(tx)
        except BaseException as error:
            if not _in_transaction(db):
                raise _Lost from error  # SQLite rolls all back by itself, on a full disk say
            db.exec_driver_sql("ROLLBACK TO work")
            db.exec_driver_sql("RELEASE work")
            return None, error
        db.exec_driver_sql("RELEASE work")
        return result, None


def _set_up(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in _PRAGMAS:
        connection.execute(pragma).close()


def _begin(db: sa.Connection) -> None:
    immediate = db.get_execution_options().get("lazulite_immediate")
    db.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _in_transaction(db: sa.Connection) -> bool:
    raw: Any = db.connection.dbapi_connection  # a sqlite3.Connection
    return bool(raw.in_transaction)
