"""The engine's inbox, turns and timers. What is decided stands in `commands` and `pipelines`."""

from __future__ import annotations

import heapq
import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from lazulite.domain.asset import Asset, AssetKind
from lazulite.domain.errors import NotFound, StaleLease, Unavailable
from lazulite.domain.job import Job, OutputSpec, OutputValue
from lazulite.engine.live import LiveJob
from lazulite.ports.store import Tx
from lazulite.services.context import Services

T = TypeVar("T")
log = logging.getLogger("lazulite.engine")

LEASE = timedelta(seconds=60)
BEAT = 20.0  # seconds between two extensions of the lease
WORKERS = 8  # threads that launch, look and collect
RETRY_WRITE = 1.0  # seconds between tries while the database is away or the disk full
MOST_ACTS = 2_000  # acts decided in one transaction

Act = Callable[[], None]


@dataclass(slots=True)
class Turn:
    """What one turn decided: written whole or not at all, then acted upon."""

    changes: dict[int, dict[str, Any]] = field(default_factory=dict)
    spawned: list[tuple[LiveJob, bytes | None]] = field(default_factory=list)
    assets: list[tuple[LiveJob, str, OutputSpec]] = field(default_factory=list)
    after: list[tuple[Act, LiveJob | None]] = field(default_factory=list)
    touched: list[LiveJob] = field(default_factory=list)

    def __bool__(self) -> bool:
        """There is something to write or do."""
        return bool(self.changes or self.spawned or self.after)


class Core:
    """State and primitives of the engine's one thread. Only `post` may be called from others."""

    def __init__(self, services: Services, token: str, host: str) -> None:
        """`token`: this engine's lease; `host`: which home on which machine it serves."""
        self.services = services
        self.token = token
        self.host = host
        self.live: dict[int, LiveJob] = {}
        self.turn = Turn()
        self.closing = threading.Event()
        self._inbox: queue.SimpleQueue[tuple[Act, LiveJob | None]] = queue.SimpleQueue()
        self._timers: list[tuple[float, int, Act, LiveJob | None]] = []
        self._order = itertools.count()
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="lazulite-worker")
        self.on_crash: Callable[[LiveJob, BaseException], None] = lambda _live, _error: None

    def now(self) -> datetime:
        """The services' clock."""
        return self.services.clock.now()

    def post(self, act: Act, live: LiveJob | None = None) -> None:
        """Let the engine's thread run `act`; if it raises, `live` fails. Any thread."""
        self._inbox.put((act, live))

    def work(self, live: LiveJob, blocking: Callable[[], T], then: Callable[[T], None]) -> None:
        """Run `blocking` in a worker, then `then` with its result in the engine's thread."""

        def run() -> None:
            try:
                result = blocking()
            except Exception as error:  # noqa: BLE001 - a loop of the engine: the job fails, logged
                failure = error
                self.post(lambda: self.on_crash(live, failure))
            else:
                self.post(lambda: then(result), live)

        if not self.closing.is_set():
            self._pool.submit(run)

    def at(self, delay: float, act: Act, live: LiveJob | None = None) -> None:
        """Run `act` in `delay` seconds in the engine's thread."""
        heapq.heappush(self._timers, (time.monotonic() + delay, next(self._order), act, live))

    def write(self, live: LiveJob, **fields: Any) -> None:
        """Change fields of a held job: in memory now, on disk with this turn."""
        fields["modified_at"] = self.now()
        self.turn.changes.setdefault(live.job.id, {}).update(fields)
        live.change(fields)
        self.turn.touched.append(live)

    def spawn(self, live: LiveJob, definition: bytes | None, then: Act) -> None:
        """Store a new child with this turn; `live.job` gets its id, then `then` runs."""
        self.turn.spawned.append((live, definition))
        self.turn.touched.append(live)
        self.after(then, live)

    def after(self, act: Act, live: LiveJob) -> None:
        """Run `act` once this turn is written; if it raises, `live` fails."""
        self.turn.after.append((act, live))

    def register(self, live: LiveJob) -> None:
        """Register, with this turn, the data assets that a completed job's outputs name."""
        for name, spec in live.outputs.items():
            if spec.name and name in live.job.outputs:
                self.turn.assets.append((live, name, spec))

    def run(self) -> None:
        """Take turns until `closing`; the body of the engine's thread."""
        while not self.closing.is_set():
            self._guarded(*self._next())
            for _ in range(MOST_ACTS):
                try:
                    act, live = self._inbox.get_nowait()
                except queue.Empty:
                    break
                self._guarded(act, live)
            self.commit()

    def _next(self) -> tuple[Act, LiveJob | None]:
        while True:
            wait = self._timers[0][0] - time.monotonic() if self._timers else None
            if wait is not None and wait <= 0:
                _, _, act, live = heapq.heappop(self._timers)
                return act, live
            try:
                return self._inbox.get(timeout=wait)
            except queue.Empty:
                continue

    def _guarded(self, act: Act, live: LiveJob | None) -> None:
        try:
            act()
        except Exception as error:  # a loop of the engine: one job's fault must not stop the others
            log.exception("job %s", live.job.name if live else "-")
            if live is not None:
                self.on_crash(live, error)

    def commit(self) -> None:
        """Write what was decided and act on it, until nothing is left to decide."""
        while self.turn:
            turn, self.turn = self.turn, Turn()
            if not self._apply(turn):
                continue
            if turn.touched:
                changed = {id(one): one for one in turn.touched}.values()
                self.services.changes.publish((one.job, one.path) for one in changed)
            for act, live in turn.after:
                self._guarded(act, live)

    def _apply(self, turn: Turn) -> bool:
        """Write a turn, waiting out a database that is away; False if the lease was lost."""
        while turn.changes or turn.spawned or turn.assets:
            try:
                stored = self.services.store.write(lambda tx: self._write_turn(tx, turn))
            except StaleLease as error:
                self._drop(turn, error)
                return False
            except Unavailable as error:
                log.warning("nothing can be written, trying again: %s", error)
                if self.closing.wait(RETRY_WRITE):
                    return False
            else:
                for (live, _), job in zip(turn.spawned, stored, strict=True):
                    live.job = job
                    if not job.is_final:
                        self.live[job.id] = live
                break
        return True

    def _write_turn(self, tx: Tx, turn: Turn) -> list[Job]:
        for live, output, spec in turn.assets:
            value = live.job.outputs[output]
            asset = self._add_asset(tx, live.job, spec, value)
            value = OutputValue(
                type=value.type,
                uri=value.uri,
                digest=value.digest,
                asset=asset,
                origin=value.origin,
            )
            outputs = {**live.job.outputs, output: value}
            live.change({"outputs": outputs})
            if live.job.id in turn.changes:
                turn.changes[live.job.id]["outputs"] = outputs
        rows = [(live.job, definition) for live, definition in turn.spawned]
        stored = tx.executions.spawn(self.token, rows) if rows else []
        if turn.changes:  # after the children: a parent that ends here drops its lease
            tx.executions.advance(self.token, list(turn.changes.items()))
        return stored

    def _add_asset(self, tx: Tx, job: Job, spec: OutputSpec, value: OutputValue) -> str:
        name = spec.name or ""
        version = spec.version or next_version(tx, job.workspace, name)
        now = self.now()
        kind = AssetKind.DATA
        body = {"dataType": value.type, "dataUri": value.uri, "isAnonymous": False}
        tx.assets.add(
            job.workspace,
            Asset(
                kind=kind,
                name=name,
                version=version,
                body=body,
                created_at=now,
                created_by=job.created_by,
                modified_at=now,
            ),
        )
        return f"{name}:{version}"

    def _drop(self, turn: Turn, error: StaleLease) -> None:
        """Forget the trees that another engine took over."""
        log.warning("%s", error)
        roots = {live.root.job.id for live in turn.touched}
        for job, live in list(self.live.items()):
            if live.root.job.id in roots:
                del self.live[job]

    def close(self) -> None:
        """Let the thread end; running processes go on."""
        self.closing.set()
        self.post(lambda: None)
        self._pool.shutdown(wait=False, cancel_futures=True)


def next_version(tx: Tx, workspace: int, name: str) -> str:
    """Return the version that a new data asset of this name gets."""
    try:
        return tx.assets.container(workspace, AssetKind.DATA, name).next
    except NotFound:
        return "1"
