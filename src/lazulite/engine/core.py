"""The engine's inbox, turns and timers. What is decided stands in `commands` and `pipelines`."""

from __future__ import annotations

import heapq
import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, TypeVar

from lazulite.domain.errors import Unavailable
from lazulite.domain.job import OutputValue
from lazulite.engine.ledger import RETRY_WRITE, Ledger
from lazulite.engine.live import LiveJob
from lazulite.engine.turn import Act, Turn, clash
from lazulite.services.context import Services

T = TypeVar("T")
log = logging.getLogger("lazulite.engine")

LEASE = timedelta(minutes=5)  # a restart within it loses nothing to another machine's engine
BEAT = 60.0  # seconds between two extensions of the lease
WORKERS = 8  # threads that launch, look and collect
SOON = 0.1  # seconds until what can wait is written
LONGEST = 3600.0  # seconds of one wait; a longer timer takes several
MOST_ACTS = 2_000  # acts decided in one transaction


class Core:
    """State and primitives of the engine's one thread. Only `post` may be called from others."""

    def __init__(self, services: Services, token: str, host: str) -> None:
        """`token`: this engine's lease; `host`: which home on which machine it serves."""
        self.services = services
        self.token = token
        self.host = host
        self.live: dict[int, LiveJob] = {}
        self.foreign: set[int] = set()  # taken over from an engine of another machine or home
        self.turn = Turn()
        self.closing = threading.Event()
        self._inbox: queue.SimpleQueue[tuple[Act, LiveJob | None]] = queue.SimpleQueue()
        self._timers: list[tuple[float, int, Act, LiveJob | None]] = []
        self._order = itertools.count()
        self._soon: dict[int, dict[str, Any]] = {}
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="lazulite-worker")
        self.on_crash: Callable[[LiveJob, BaseException], None] = lambda _live, _error: None
        self._ledger = Ledger(self)
        self.on_drop: Callable[[LiveJob], None] = lambda _live: None
        self.on_process: Callable[[LiveJob], None] = lambda _live: None

    def now(self) -> datetime:
        """The services' clock."""
        return self.services.clock.now()

    def post(self, act: Act, live: LiveJob | None = None) -> None:
        """Let the engine's thread run `act`; if it raises, `live` fails. Any thread."""
        self._inbox.put((act, live))

    def work(
        self,
        live: LiveJob,
        blocking: Callable[[], T],
        then: Callable[[T], None],
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """Run `blocking` in a worker, then `then` with its result in the engine's thread.

        Args:
            live: the job it is for; it fails if `blocking` or `then` raises.
            blocking: what may wait for files, processes or the network.
            then: gets the result.
            failed: gets what `blocking` raised, instead of the job failing.
        """

        def run() -> None:
            try:
                result = blocking()
            except Exception as error:  # noqa: BLE001 - a loop of the engine: the job fails, logged
                failure = error
                if failed is not None:
                    self.post(lambda: failed(failure), live)
                else:
                    self.post(lambda: self._crash(live, failure))
            else:
                self.post(lambda: then(result), live)

        if self.closing.is_set():
            return
        try:
            self._pool.submit(run)
        except RuntimeError:
            if not self.closing.is_set():  # else it was closed in between: the next engine goes on
                raise

    def at(self, delay: float, act: Act, live: LiveJob | None = None) -> None:
        """Run `act` in `delay` seconds in the engine's thread."""
        heapq.heappush(self._timers, (time.monotonic() + delay, next(self._order), act, live))

    def persist(self, act: Act) -> None:
        """Run an act that only reads or claims; again later while the database is away."""
        try:
            act()
        except Unavailable as error:
            log.warning("nothing can be read, trying again: %s", error)
            self.at(RETRY_WRITE, lambda: self.persist(act))

    def write(self, live: LiveJob, **fields: Any) -> None:
        """Change fields of a held job: in memory now, on disk with this turn."""
        fields["modified_at"] = self.now()
        if live.job.id:  # else it is stored with this turn, as it is at the turn's end
            self.turn.changes.setdefault(live.job.id, {}).update(fields)
        live.change(fields)
        self.turn.touched.append(live)

    def write_soon(self, live: LiveJob, **fields: Any) -> None:
        """Change fields that a restart would find out again: in memory now, on disk within `SOON`.

        They go with the next turn that writes, so that a short step costs one transaction less.
        """
        if not self._soon:
            self.at(SOON, self._flush)
        self._soon.setdefault(live.job.id, {}).update(fields)
        live.change(fields)
        self.services.changes.publish([(live.job, live.path)])

    def _flush(self) -> None:
        """Let what `write_soon` left be written with this turn."""
        soon, self._soon = self._soon, {}
        for job, fields in soon.items():
            if job in self.live or job in self.turn.changes:
                self.turn.changes[job] = fields | self.turn.changes.get(job, {})

    def spawn(self, live: LiveJob, definition: bytes | None, then: Act) -> None:
        """Store a new child with this turn; `live.job` gets its id, then `then` runs."""
        self.turn.spawned.append((live, definition))
        self.turn.touched.append(live)
        self.after(then, live)

    def after(self, act: Act, live: LiveJob) -> None:
        """Run `act` once this turn is written; if it raises, `live` fails."""
        self.turn.after.append((act, live))

    def clash(self, live: LiveJob, outputs: Mapping[str, OutputValue]) -> str | None:
        """Say which output names a version of a data asset that is something else. Any thread."""
        specs = live.outputs.items()
        asked = [(name, spec, outputs[name].uri) for name, spec in specs if name in outputs]
        if not any(spec.name and spec.version for _, spec, _ in asked):
            return None
        return self.services.store.read(lambda tx: clash(tx, live.job, asked))

    def register(self, live: LiveJob) -> None:
        """Register, with this turn, the data assets that a completed job's outputs name."""
        for name, spec in live.outputs.items():
            if spec.name and name in live.job.outputs:
                self.turn.assets.append((live, name, spec))

    def run(self) -> None:
        """Take turns until `closing`; the body of the engine's thread."""
        while not self.closing.is_set():
            self.guard(*self._next())
            for _ in range(MOST_ACTS):
                try:
                    act, live = self._inbox.get_nowait()
                except queue.Empty:
                    break
                self.guard(act, live)
            self.commit()

    def _next(self) -> tuple[Act, LiveJob | None]:
        while True:
            wait = self._timers[0][0] - time.monotonic() if self._timers else None
            if wait is not None and wait <= 0:
                _, _, act, live = heapq.heappop(self._timers)
                return act, live
            try:
                return self._inbox.get(timeout=wait if wait is None else min(wait, LONGEST))
            except queue.Empty:
                continue

    def guard(self, act: Act, live: LiveJob | None = None) -> None:
        """Run `act`; if it raises, `live` fails and all others go on."""
        if live is not None and live.dropped:
            return
        try:
            act()
        except Exception as error:  # a loop of the engine: one job's fault must not stop the others
            log.exception("job %s", live.job.name if live else "-")
            if live is not None:
                self._crash(live, error)

    def _crash(self, live: LiveJob, error: BaseException) -> None:
        if live.dropped:
            return
        try:
            self.on_crash(live, error)
        except Exception:  # a loop of the engine, as above
            log.exception("job %s could not be failed", live.job.name)

    def commit(self) -> None:
        """Write what was decided and act on it, until nothing is left to decide."""
        while self.turn:
            if self.turn.changes:
                self._flush()
            turn, self.turn = self.turn, Turn()
            if not self._ledger.write(turn):
                continue
            if turn.touched:
                changed = {id(one): one for one in turn.touched}.values()
                news = [(one.job, one.path) for one in changed if not one.dropped]
                self.guard(lambda news=news: self.services.changes.publish(news))  # type: ignore[misc]
            for act, live in turn.after:
                self.guard(act, live)

    def close(self) -> None:
        """Let the thread end; running processes go on."""
        self.closing.set()
        self.post(lambda: None)
        self._pool.shutdown(wait=False, cancel_futures=True)
