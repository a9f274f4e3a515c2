"""What a compute backend tells of the resources that attempts use; a part of `ComputeSuite`."""

from __future__ import annotations

import os
import resource
import shlex
import sys
from pathlib import Path

from lazulite.ports.compute import Ended, Load
from lazulite.testing.processes import ComputeCase, said, until

BURNT = 0.3  # seconds of CPU
MORE = 40_000_000  # bytes that a job holds beyond what the test itself ever had: see `usage_of`
_BURN = """
import time
held = bytearray(HELD)
held[::4096] = b"x" * len(held[::4096])
while time.process_time() < BURNT:
    sum(range(1000))
"""


def burning(then: str = "") -> str:
    """Return a command that takes memory and CPU time in a process of its own."""
    text = _BURN.replace("HELD", str(held())).replace("BURNT", str(BURNT))
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(text + then)}"


def held() -> int:
    """Return how many bytes it takes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most * (1024 if sys.platform == "linux" else 1) + MORE


class UsageSuite(ComputeCase):
    """How attempts are measured, while they run and when they end."""

    def test_what_an_attempt_used_is_told_when_it_ends(self, tmp_path: Path) -> None:
        least = held()
        sight = self.run(self.prepare(tmp_path, f"true; {burning()}; true"))
        assert isinstance(sight, Ended)
        assert sight.usage is not None
        assert sight.usage.cpu is not None
        assert sight.usage.memory is not None
        assert BURNT * 0.9 <= sight.usage.cpu < 30
        assert sight.usage.memory >= least

    def test_an_attempt_that_ended_unseen_tells_its_cpu_time(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "go")
        launch = self.prepare(tmp_path, f"echo ready; read x <go; {burning()}")
        with self.launch_elsewhere(launch) as server:
            until(lambda: "ready" in said(launch), "it did not begin")
            server.kill()
        (tmp_path / "go").write_text("\n", encoding="utf-8")
        sight = self.await_end(self.make(), launch)
        assert isinstance(sight, Ended)
        assert sight.usage is not None
        assert sight.usage.cpu is not None
        assert sight.usage.cpu >= BURNT * 0.9

    def test_attempts_are_measured_while_they_run(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "go")
        backend = self.make()
        wait = "print('ready', flush=True); open('go').read()"
        busy = self.prepare(tmp_path, f"true; {burning(wait)}", key="busy")
        idle = self.prepare(tmp_path, "echo ready; read x <go", key="idle")
        ended = self.prepare(tmp_path, "true", key="ended")
        for launch in (busy, idle):
            self.launch_waiting(launch, backend)
        backend.launch(ended)
        self.await_end(backend, ended)
        unknown = self.prepare(tmp_path, "true", key="unknown")
        one, other, *none = backend.measure([busy, idle, ended, unknown])
        assert none == [None, None]
        assert isinstance(one, Load)
        assert isinstance(other, Load)
        assert one.cpu >= BURNT * 0.9
        assert other.cpu < one.cpu
        assert one.memory >= MORE > other.memory
        assert one.processes >= 2
        assert backend.measure([]) == []
