"""Removes the run folders of jobs that completed. It decides nothing about jobs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from lazulite.engine.core import Core
from lazulite.engine.live import LiveJob

LATEST = 30.0  # seconds that a folder may wait for the machine to have nothing better to do


class Tidy:
    """Waits until no job runs: beside 500 short steps, removing each folder costs a tenth of all.

    Runs in the engine's thread.
    """

    def __init__(self, core: Core, is_idle: Callable[[], bool]) -> None:
        """`is_idle` tells whether no job holds a slot."""
        self._core = core
        self._is_idle = is_idle
        self._folders: list[Path] = []

    def add(self, folder: Path, live: LiveJob) -> None:
        """Remove the run folder of a job whose end is written."""
        if not self._folders:
            self._core.at(LATEST, lambda: self._sweep(live))
        self._folders.append(folder)
        if self._is_idle():
            self._sweep(live)

    def _sweep(self, live: LiveJob) -> None:
        folders, self._folders = self._folders, []
        if not folders:
            return

        def blocking() -> None:
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)

        self._core.work(live, blocking, lambda _none: None)
