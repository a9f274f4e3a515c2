"""Several connections to one server, for calls that go side by side."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from lazulite.client.rest import Connection
from lazulite.domain.errors import Unavailable

LANES = 4  # calls at once
_TRIES = 4  # of a call, while the server is busy or the connection breaks
S = TypeVar("S")
T = TypeVar("T")


class Lanes:
    """A pool of threads, each with a connection of its own. Use it as a context manager."""

    def __init__(self, connection: Connection) -> None:
        """Connect where `connection` does, when first needed."""
        self._connection = connection
        self._local = threading.local()
        self._open: list[Connection] = []
        self._pool = ThreadPoolExecutor(LANES, "lane")

    def __enter__(self) -> Lanes:
        """Begin."""
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        """Drop what was not begun, wait for the rest, and hang up."""
        self._pool.shutdown(cancel_futures=True)
        for connection in self._open:
            connection.close()

    def each(self, work: Callable[[Connection, S], T], items: Iterable[S]) -> Iterator[T]:
        """Yield what `work` makes of items, as it is done; few of them are in hand at once.

        A call that the server could not answer is repeated; the first that fails ends it all.
        """
        running: set[Future[T]] = set()
        for item in items:
            running.add(self._pool.submit(self._run, work, item))
            if len(running) > 2 * LANES:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (one.result() for one in done)
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (one.result() for one in done)

    def _run(self, work: Callable[[Connection, S], T], item: S) -> T:
        for trial in range(1, _TRIES + 1):
            try:
                return work(self._mine(), item)
            except Unavailable:
                if trial == _TRIES:
                    raise
                time.sleep(0.05 * 4 ** (trial - 1))
        raise AssertionError("unreachable: the last try raises")

    def _mine(self) -> Connection:
        if not hasattr(self._local, "connection"):
            self._local.connection = self._connection.another()
            self._open.append(self._local.connection)
        found: Connection = self._local.connection
        return found
