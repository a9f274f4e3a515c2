"""Follows a job: its states, its steps, its logs. One thread per log, one for the states."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, TextIO

import click

from lazulite.cli.call import Call
from lazulite.cli.view import PlainView, View, label
from lazulite.client import jobs
from lazulite.domain.errors import LazuliteError, NotFound

_TAIL = 6  # lines of the log of each finished step that are shown at the end
_STEPS = 12  # steps whose tails are shown: those that ended last
_HAS_LOG = frozenset({"Running", "Finalizing", "Completed", "Failed", "Canceled"})


class Follower:
    """Shows one job until it is final."""

    def __init__(self, call: Call, name: str, *, logs: bool, to: TextIO) -> None:
        """Prepare.

        Args:
            call: session and stderr.
            name: of the job.
            logs: of a pipeline: every step's log, live.
            to: where logs go.
        """
        self._call, self._name, self._logs, self._out = call, name, logs, to
        self.is_heard = True  # False once the reader of the logs is gone
        self._threads: dict[str, threading.Thread] = {}
        self._print = threading.Lock()
        self._steps: dict[str, dict[str, Any]] = {}
        self._done: list[dict[str, Any]] = []  # steps that completed, in that order

    def run(self) -> dict[str, Any]:
        """Follow to the end; return the final job as Azure's JSON."""
        session = self._call.session
        with self._view() as view:
            for change in jobs.watch(session, self._name):
                self._take(change, view)
        for thread in self._threads.values():
            thread.join()
        for step in self._done[-_STEPS:]:
            if step["name"] not in self._threads:  # else its whole log was shown
                self._show_tail(step)
        self._out.flush()
        return jobs.get(session, self._name)

    def has_shown(self, name: str) -> bool:
        """Say whether the whole log of a job was shown."""
        return name in self._threads

    def _view(self) -> View:
        live = sys.stderr.isatty() and not self._call.quiet and not self._logs
        if not live:
            return PlainView(self._call.say)
        from lazulite.cli.live import LiveView

        job = jobs.get(self._call.session, self._name)
        return LiveView(self._name, job["properties"].get("jobs") or ())

    def _take(self, change: dict[str, Any], view: View) -> None:
        for step in [
            *change.get("children", ()),
            *([change["child"]] if "child" in change else ()),
        ]:
            self._step(step)
            view.step(step)
        if job := change.get("job"):
            view.job(job)
            if str(job.get("kind")).lower() != "pipeline" and job.get("status") in _HAS_LOG:
                self._follow(job, "", hold=view.hold)

    def _step(self, step: dict[str, Any]) -> None:
        before = self._steps.get(step["name"], {}).get("status")
        self._steps[step["name"]] = step
        status, leaf = step.get("status"), str(step.get("kind")).lower() != "pipeline"
        if not leaf or status not in _HAS_LOG:
            return
        if self._logs and not step.get("reusedFrom"):
            self._follow(step, f"{label(step)} | ", hold=None)
        if status == "Completed" and before != status:
            self._done.append(step)

    def _follow(self, job: dict[str, Any], prefix: str, *, hold: Callable[[], Any] | None) -> None:
        name = str(job["name"])
        if name in self._threads:
            return
        if hold is not None:
            hold()  # a live view and a log on one terminal would tear each other
        thread = threading.Thread(target=self._pump, args=(name, prefix), daemon=True)
        self._threads[name] = thread
        thread.start()

    def _pump(self, name: str, prefix: str) -> None:
        """Copy a log to stdout as it grows, whole lines if they need a prefix."""
        rest = b""
        try:
            for piece in jobs.log(self._call.session, name, follow=True):
                if not prefix:
                    self._write(piece.decode("utf-8", "replace"))
                    continue
                *whole, rest = (rest + piece).split(b"\n")
                self._write("".join(f"{prefix}{_line(line)}\n" for line in whole))
        except NotFound:  # it ended before its command began: there is no log, and a reason
            return
        except LazuliteError as error:
            self._call.say(f"the log of {name} cannot be followed: {error.message}")
        except BrokenPipeError:
            self.is_heard = False
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)  # it waits
            return
        if rest:
            self._write(f"{prefix}{_line(rest)}\n")

    def _write(self, text: str) -> None:
        with self._print:
            click.echo(text, nl=False, file=self._out)

    def _show_tail(self, step: dict[str, Any]) -> None:
        """Show how a step's log ends: what a pipeline found out is often printed there."""
        try:
            text = b"".join(jobs.log(self._call.session, str(step["name"]))).decode(
                "utf-8", "replace"
            )
        except LazuliteError:
            return
        name = label(step)
        self._write("".join(f"{name} | {line}\n" for line in text.rstrip().splitlines()[-_TAIL:]))


def _line(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").rstrip("\r")
