"""Run uv: its output to a log as it comes, and an end to all of it on request. Never a shell."""

from __future__ import annotations

import codecs
import contextlib
import os
import selectors
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from lazulite.environments.secrets import mask
from lazulite.ports.environments import BuildCanceled

TAIL = 200  # lines of output kept for the error of a failed build
_TICK = 0.1  # seconds between looks at the cancel event while uv is silent
_CHUNK = 65536  # bytes


class BuildLog:
    """The log of one build: appended live, credentials masked, its last lines kept."""

    def __init__(self, path: Path, progress: Callable[[str], None] | None = None) -> None:
        """Open the log for appending; its folder is made.

        Args:
            path: the log file.
            progress: told each short line that `say` is given.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = path.open("ab", buffering=0)
        self._progress = progress
        self.tail: deque[str] = deque(maxlen=TAIL)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def write(self, line: str) -> None:
        """Append one line."""
        masked = mask(line)
        self.tail.append(masked)
        self._file.write(f"{masked}\n".encode(errors="replace"))

    def say(self, line: str) -> None:
        """Tell the caller how far the build is."""
        if self._progress:
            self._progress(mask(line))


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """How uv is run for one build."""

    env: Mapping[str, str]
    cwd: Path
    cancel: threading.Event
    started: Callable[[int], None] = field(default=lambda _: None)  # told each process group's id

    def run(self, argv: Sequence[str], on_line: Callable[[str], None]) -> int:
        """Run `argv` and return its exit status; `on_line` gets stdout and stderr line by line.

        Raises:
            BuildCanceled: the cancel event was set; the whole process group is dead.
        """
        process = subprocess.Popen(  # noqa: S603 - an argument list, no shell
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(self.env),
            cwd=self.cwd,
            start_new_session=True,
        )
        ended = False
        try:
            self.started(process.pid)
            ended = self._pump(process, on_line)
        finally:
            if not ended:
                kill_group(process.pid)
            process.wait()
            if process.stdout:
                process.stdout.close()
        return process.returncode

    def _pump(self, process: subprocess.Popen[bytes], on_line: Callable[[str], None]) -> bool:
        """Pass output on until the process ends. What outlives it and holds its pipe is let go."""
        lines = _Lines(on_line)
        assert process.stdout is not None  # noqa: S101 - PIPE was asked for
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while True:
                if self.cancel.is_set():
                    raise BuildCanceled
                gone = process.poll() is not None
                if selector.select(0 if gone else _TICK):
                    chunk = os.read(process.stdout.fileno(), _CHUNK)
                    lines.feed(chunk)
                    if chunk:
                        continue
                    gone = True
                if gone:
                    lines.feed(b"", final=True)
                    return process.wait() is not None


class _Lines:
    """Cuts a stream of bytes into lines of text."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._rest = ""
        self._on_line = on_line

    def feed(self, chunk: bytes, *, final: bool = False) -> None:
        *lines, self._rest = (self._rest + self._decode(chunk, final)).split("\n")
        if final and self._rest:
            lines.append(self._rest)
        for line in lines:
            self._on_line(line.rstrip("\r"))


def kill_group(group: int) -> None:
    """Kill every process of a group, if there is one."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
