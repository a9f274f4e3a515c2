"""Writes turns: waits out a database that is away, and lets one tree's fault stay one tree's."""

from __future__ import annotations

import logging
import threading
from datetime import datetime
from typing import Protocol

from lazulite.domain.errors import StaleLease, Unavailable
from lazulite.domain.job import JobError, JobStatus
from lazulite.engine.live import LiveJob
from lazulite.engine.turn import Turn
from lazulite.services.context import Services

RETRY_WRITE = 1.0  # seconds between tries while the database is away or the disk full
log = logging.getLogger("lazulite.engine")


class Owner(Protocol):
    """The engine's core, as far as the ledger knows it."""

    services: Services
    token: str
    live: dict[int, LiveJob]
    closing: threading.Event

    def now(self) -> datetime: ...

    def on_drop(self, live: LiveJob, /) -> None: ...


class Ledger:
    """Writes what the engine decided, under its lease."""

    def __init__(self, core: Owner) -> None:
        self._core = core

    def write(self, turn: Turn) -> bool:
        """Write a turn; False if the engine closes before it could.

        What belongs to trees that another engine took over is left out, and they are forgotten.
        """
        core = self._core
        while turn.writes:
            try:
                self._try(turn)
            except StaleLease as error:
                log.warning("%s", error)
                self._leave_out(turn, self._roots(turn, error.facts.get("jobs")))
            except Unavailable as error:
                log.warning("nothing can be written, trying again: %s", error)
                if core.closing.wait(RETRY_WRITE):
                    return False
            except Exception as error:  # a loop of the engine: only one tree's jobs may fail
                log.exception("what a turn decided cannot be written")
                self._apart(turn, error)
            else:
                break
        return True

    def _try(self, turn: Turn) -> None:
        core, now = self._core, self._core.now()
        stored = core.services.store.write(lambda tx: turn.write(tx, core.token, now))
        for (live, _), job in zip(turn.spawned, stored, strict=True):
            live.job = job
            if not job.is_final:
                core.live[job.id] = live

    def _known(self, turn: Turn) -> dict[int, LiveJob]:
        return {live.job.id: live for live in (*self._core.live.values(), *turn.touched)}

    def _roots(self, turn: Turn, jobs: object = None) -> set[LiveJob]:
        """Return the roots of the trees of these rows; of all in the turn if none is known."""
        known = self._known(turn)
        rows = jobs if isinstance(jobs, list) else []
        found = {known[row].root for row in rows if row in known}
        every = {known[row].root for row in turn.changes if row in known}
        return found or every | {live.root for live in turn.touched}

    def _leave_out(self, turn: Turn, roots: set[LiveJob]) -> None:
        known = self._known(turn)
        for live in {*known.values(), *turn.touched}:
            if live.root in roots and not live.dropped:
                live.dropped = True
                self._core.live.pop(live.job.id, None)
                self._core.on_drop(live)
        held = {live for live in (*known.values(), *turn.touched) if not live.dropped}
        turn.keep(turn.of(held))

    def _apart(self, turn: Turn, error: Exception) -> None:
        """Write each tree by itself; fail the one that cannot be written."""
        roots = self._roots(turn)
        lives = {*self._known(turn).values(), *turn.touched}
        if len(roots) > 1:
            for root in roots:
                mine = {live for live in lives if live.root is root}
                one = turn.of(mine)
                one.touched = list(mine)
                self.write(one)
            turn.keep(Turn())
            return
        rows = [live.job.id for live in lives if live.job.id and live.root in roots]
        self._leave_out(turn, roots)
        self._fail(rows, error)

    def _fail(self, rows: list[int], error: Exception) -> None:
        core = self._core
        failed = JobError(
            code="SystemError",
            message=f"what the engine decided could not be stored ({type(error).__name__}); "
            "see the server's log",
        )
        fields = {"status": JobStatus.FAILED, "ended": core.now(), "error": failed}
        changes = [(row, fields) for row in rows]
        try:
            core.services.store.write(lambda tx: tx.executions.advance(core.token, changes))
        except Exception:  # a loop of the engine: nothing more can be done for them
            log.exception("jobs %s could not be failed", rows)
