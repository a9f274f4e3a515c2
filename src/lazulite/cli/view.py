"""A job's states while it runs: plain lines when piped, a living table on a terminal."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol, Self

from lazulite.cli.words import between


class View(Protocol):
    """Shows states. `hold` stops drawing for good: logs follow on the same terminal."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def job(self, job: dict[str, Any]) -> None: ...

    def step(self, step: dict[str, Any]) -> None: ...

    def hold(self) -> None: ...


def state(one: dict[str, Any]) -> str:
    """Return status and what goes with it: whose outputs, why it waits, what went wrong."""
    status = str(one.get("status"))
    if one.get("reusedFrom"):
        return f"{status} (reused from {one['reusedFrom']})"
    if one.get("waitsFor") and status in ("Queued", "Preparing", "NotStarted"):
        return f"{status} ({one['waitsFor']})"
    error = one.get("error")
    if status == "Failed" and error:
        text = error.get("message") if isinstance(error, dict) else str(error)
        return f"{status}: {str(text).splitlines()[0][:100]}"
    return status


def label(step: dict[str, Any]) -> str:
    """Return a step's name: its path from the root."""
    return str(step.get("path") or step.get("node") or step.get("name"))


class PlainView(AbstractContextManager["PlainView"]):
    """One line per change of state."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Keep where to say it."""
        self._say = say
        self._said: dict[str, str] = {}

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def job(self, job: dict[str, Any]) -> None:
        if job.get("status") not in ("Completed", "Failed", "Canceled"):
            self._tell(str(job["name"]), job)  # of the end there is a report

    def step(self, step: dict[str, Any]) -> None:
        self._tell(label(step), step)

    def hold(self) -> None:
        """Lines and logs get along."""

    def _tell(self, name: str, one: dict[str, Any]) -> None:
        text = state(one)
        if self._said.get(name, "").split(" (")[0] == text or self._said.get(name) == text:
            return  # why it waits was said, and that it still waits is no news
        self._said[name] = text
        ended = one.get("ended") and not one.get("reusedFrom")
        took = between(one.get("started"), one.get("ended")) if ended else ""
        self._say(f"{name}: {text}{f' in {took}' if took else ''}")
