"""What tests of a compute backend share: make backends and launches, leave no process behind."""

from __future__ import annotations

import contextlib
import importlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import psutil

from lazulite.domain.errors import LazuliteError
from lazulite.ports.compute import Alive, ComputeBackend, Launch, Sight

PATIENCE = 20.0  # seconds until a wait is given up
TICK = 0.005  # seconds between two looks at what gives no event

# Launches in a process of its own, which then waits to be killed.
_LAUNCHER = """
import signal, sys
from lazulite.testing.processes import decode, load
print(load(sys.argv[1]).launch(decode(sys.argv[2])), flush=True)
signal.pause()
"""


def load(entry: str) -> ComputeBackend:
    """Make the backend that `package.module:Class` names."""
    module, _, name = entry.partition(":")
    backend: ComputeBackend = getattr(importlib.import_module(module), name)()
    return backend


def encode(launch: Launch) -> str:
    """Spell a launch as JSON."""
    return msgspec.json.encode(launch, enc_hook=str).decode()


def decode(text: str) -> Launch:
    """Read what `encode` wrote."""
    return msgspec.json.decode(text, type=Launch, dec_hook=lambda kind, value: kind(value))


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for what gives no event.

    Raises:
        TimeoutError: it did not come true in `PATIENCE` seconds.
    """
    give_up = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > give_up:
            raise TimeoutError(what)
        time.sleep(TICK)


def is_running(pid: int) -> bool:
    """Tell whether the process lives; a zombie does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


class ComputeCase:
    """What the tests of a backend share: make backends and launches, and leave none behind."""

    entry: str  # the backend, as `package.module:Class`; it takes no arguments

    def setup_method(self) -> None:
        """Begin with no backend and no launch."""
        self._backends: list[ComputeBackend] = []
        self._launches: list[Launch] = []

    def teardown_method(self) -> None:
        """End what still runs, and close what was made."""
        backend = self.make()
        for launch in self._launches:
            with contextlib.suppress(LazuliteError):
                backend.stop(launch, grace=0)
                self.await_end(backend, launch)
        for each in self._backends:
            each.close()

    def make(self) -> ComputeBackend:
        """Make a backend; it is closed after the test."""
        backend = load(self.entry)
        self._backends.append(backend)
        return backend

    def prepare(
        self,
        folder: Path,
        command: str,
        *,
        key: str = "job",
        attempt: int = 1,
        env: dict[str, str] | None = None,
    ) -> Launch:
        """Describe a launch in `folder`; what it starts is ended after the test."""
        launch = Launch(
            key=key,
            attempt=attempt,
            fence="1",
            command=command,
            cwd=folder,
            env={"PATH": os.environ["PATH"], "JOB": key} if env is None else env,
            log=folder / key / "user_logs" / "std_log.txt",
            records=folder / key / "records",
        )
        self._launches.append(launch)
        return launch

    def await_end(self, backend: ComputeBackend, launch: Launch) -> Sight:
        """Wait for the exit callback, then look."""
        gone = threading.Event()
        backend.watch(launch, gone.set)
        if not gone.wait(PATIENCE):
            raise TimeoutError(f"{launch.command!r} did not end")
        return backend.look(launch)

    def run(self, launch: Launch) -> Sight:
        """Launch with a new backend, wait for the end, look."""
        backend = self.make()
        backend.launch(launch)
        return self.await_end(backend, launch)

    def launch_waiting(self, launch: Launch, backend: ComputeBackend) -> int:
        """Launch a command that prints `ready`, and wait until it did; its pid."""
        sight = backend.launch(launch)
        until(lambda: "ready" in said(launch), f"{launch.command!r} did not begin")
        if not isinstance(sight, Alive):
            raise TypeError(f"launched, but {sight}")
        return sight.pid

    def launch_elsewhere(self, launch: Launch) -> subprocess.Popen[str]:
        """Launch in another process, which goes on until it is killed."""
        argv = [sys.executable, "-c", _LAUNCHER, self.entry, encode(launch)]
        other = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)  # noqa: S603
        if other.stdout is None or "Alive" not in other.stdout.readline():
            raise RuntimeError("the other process did not launch")
        return other


def said(launch: Launch) -> str:
    """Read the log as it is now."""
    return launch.log.read_text(encoding="utf-8") if launch.log.exists() else ""
