"""PostgreSQL: serializable transactions that run again when they lose a race. See ADR 0001."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import sqlalchemy as sa

from lazulite.domain.errors import Unavailable
from lazulite.ports.store import Tx
from lazulite.store.failures import RETRY, closed, explained, sqlstate
from lazulite.store.schema import bring_up_to_date
from lazulite.store.transaction import SqlTx

T = TypeVar("T")

CONNECTIONS = 16  # of one server process; each costs PostgreSQL some 10 MB
SUBMITTERS = 4  # threads of `submit`
PATIENCE = 20.0  # seconds to go on trying a transaction that loses its races
PAUSE = 0.001, 0.1  # seconds before the second try, and at most before a further one
CONNECT = 10  # seconds to wait for a connection


class PostgresStore:
    """`ports.store.Store` on one PostgreSQL schema; several servers may share it."""

    def __init__(self, url: sa.URL) -> None:
        self._where = f"'{url.set(query={}).render_as_string(hide_password=True)}'"
        engine = self._engine = self._create_engine(url)
        self._reads = engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        self._writes = engine.execution_options(isolation_level="SERIALIZABLE")
        self._submitters = ThreadPoolExecutor(SUBMITTERS, "lazulite-writer")
        self._closed = False
        try:
            with explained(self._where), engine.connect() as db:
                bring_up_to_date(db, self._where)
        except BaseException:
            self.close()
            raise

    def _create_engine(self, url: sa.URL) -> sa.Engine:
        try:
            return sa.create_engine(
                url.set(drivername="postgresql+psycopg"),
                pool_size=CONNECTIONS,
                max_overflow=0,
                pool_use_lifo=True,
                connect_args={} if "connect_timeout" in url.query else {"connect_timeout": CONNECT},
            )
        except ModuleNotFoundError as error:
            raise Unavailable(
                f"database {self._where}: PostgreSQL needs the package {error.name}: "
                "install lazulite[postgres]"
            ) from error

    def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on a consistent snapshot."""
        if self._closed:
            raise closed(self._where)
        return self._run(self._reads, work)

    def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work` as if it were alone, in this thread; again when it lost a race."""
        if self._closed:
            raise closed(self._where)
        return self._run(self._writes, work)

    def submit(self, work: Callable[[Tx], T]) -> Future[T]:
        """Run `write` in a thread of ours."""
        if self._closed:
            raise closed(self._where)
        return self._submitters.submit(self._run, self._writes, work)

    def close(self) -> None:
        """Finish what was submitted, then close every connection. Safe to repeat."""
        self._closed = True
        self._submitters.shutdown()
        self._engine.dispose()

    def _run(self, engine: sa.Engine, work: Callable[[Tx], T]) -> T:
        """Run `work` until it neither loses a race nor meets a connection that was dead already."""
        give_up = time.monotonic() + PATIENCE
        pause, longest = PAUSE
        with explained(self._where):
            while True:
                attempt = _Attempt(engine)
                try:
                    return attempt.run(work)
                except sa.exc.DBAPIError as error:
                    if time.monotonic() > give_up or not attempt.may_repeat(error):
                        raise
                except sa.exc.TimeoutError as error:  # of the pool
                    raise Unavailable(
                        f"database {self._where}: all {CONNECTIONS} connections are in use: "
                        "try again"
                    ) from error
                time.sleep(pause * random.random())  # noqa: S311 - only spreads the tries
                pause = min(pause * 2, longest)


class _Attempt:
    """One transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._connected = False
        self._committing = False

    def run(self, work: Callable[[Tx], T]) -> T:
        """Run `work` and commit."""
        with self._engine.connect() as db, db.begin() as transaction:
            self._connected = True
            result = work(SqlTx(db))
            self._committing = True
            transaction.commit()
            return result

    def may_repeat(self, error: sa.exc.DBAPIError) -> bool:
        """Tell whether nothing was written, and another try may fare better."""
        if sqlstate(error) in RETRY:
            return True
        broke = self._connected and error.connection_invalidated  # PostgreSQL restarted, say
        return broke and not self._committing  # else it may be written: only the caller can know
