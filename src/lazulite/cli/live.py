"""A living table on stderr: a line per step, with its state and time. Needs a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from lazulite.cli.view import label, state
from lazulite.cli.words import between, status_style

_REDRAWS = 5  # per second
_UNKNOWN: dict[str, Any] = {"status": "NotStarted"}
_FIRST = ("Failed", "Running", "Finalizing", "Starting", "Preparing", "CancelRequested", "Queued")


class LiveView(AbstractContextManager["LiveView"]):
    """The table of one job."""

    def __init__(self, name: str, planned: Iterable[str] = ()) -> None:
        """Begin with a job of which nothing is known but its steps' names."""
        self._planned = dict.fromkeys(planned)
        self._job: dict[str, Any] = {"name": name, "status": "NotStarted"}
        self._steps: dict[str, dict[str, Any]] = {}
        self._held = False
        self._console = Console(stderr=True)
        self._live = Live(
            console=self._console, get_renderable=self.draw, refresh_per_second=_REDRAWS
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._held:
            self._live.stop()

    def job(self, job: dict[str, Any]) -> None:
        """Take the job's new state."""
        self._job = job

    def step(self, step: dict[str, Any]) -> None:
        """Take a step's new state."""
        self._steps[str(step["name"])] = step

    def hold(self) -> None:
        """Draw no more."""
        if not self._held:
            self._held = True
            self._live.stop()

    def draw(self) -> Table:
        """Return the table of this moment."""
        table = Table(box=None, show_header=False, pad_edge=False)
        self._row(table, str(self._job["name"]), self._job)
        steps = {label(step): step for step in list(self._steps.values())}
        every = {name: steps.get(name, _UNKNOWN) for name in {**self._planned, **steps}}
        room = max(4, self._console.height - 4)
        for name, step in _most_telling(every, room).items():
            self._row(table, f"  {name}", step)
        if len(every) > room:
            counts = Counter(str(step.get("status")) for step in every.values())
            table.add_row("  ...", ", ".join(f"{n} {word}" for word, n in counts.items()), "")
        return table

    @staticmethod
    def _row(table: Table, title: str, one: dict[str, Any]) -> None:
        text = state(one)
        took = between(one.get("started"), one.get("ended"), datetime.now(UTC))
        style = status_style(text.split(":")[0])
        table.add_row(title, Text(text, style=style), "" if one.get("reusedFrom") else took)


def _most_telling(steps: dict[str, dict[str, Any]], room: int) -> dict[str, dict[str, Any]]:
    """Return the steps there is room for, in their order: what failed or runs before the rest."""
    if len(steps) <= room:
        return steps
    ranks = {word: rank for rank, word in enumerate(_FIRST)}
    ranked = sorted(steps, key=lambda name: ranks.get(str(steps[name].get("status")), len(ranks)))
    chosen = set(ranked[:room])
    return {name: step for name, step in steps.items() if name in chosen}
