"""What running jobs use, sampled for all at once and kept as metrics of their runs.

Nothing is set up before a process starts, and nothing is left when the last has ended: a timer of
the engine looks for jobs that are due, a thread that lives for one sample measures them, and one
transaction keeps what it saw. A job that ends before its first sample costs nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from datetime import timedelta

import msgspec

from lazulite.domain.errors import LazuliteError, Unavailable
from lazulite.domain.run import Point
from lazulite.domain.usage import (
    CPU,
    MEMORY,
    PROCESSES,
    READ,
    WRITTEN,
    Host,
    Usage,
    gpu_memory,
    gpu_use,
)
from lazulite.engine.core import Core
from lazulite.engine.live import LiveCommand, LiveJob, Meter
from lazulite.ports.compute import ComputeBackend, Ended, Launch, Load, Sight

PART = 60  # a job is sampled again after this part of its age, if that is longer than the interval
MEGA = 1e6

log = logging.getLogger("lazulite.engine")


class Sampling:
    """Samples the jobs of one engine. Runs in the engine's thread, but for the measuring."""

    def __init__(self, core: Core, backend: ComputeBackend, every: float) -> None:
        """`every`: seconds between two samples of a young job; 0 = none are taken."""
        self._core = core
        self._backend = backend
        self._every = every
        self._armed = False
        self._busy = False

    def wake(self, _live: LiveJob) -> None:
        """Hear that a process runs."""
        if self._every and not self._armed:
            self._armed = True
            self._core.at(self._every / 2, self._look)

    def _look(self) -> None:
        running = [
            (live, live.launch)
            for live in self._core.live.values()
            if isinstance(live, LiveCommand) and live.launch is not None
        ]
        self._armed = bool(running)
        if not running:
            return
        self._core.at(self._every / 2, self._look)
        due = [(live, launch) for live, launch in running if self._is_due(live, launch)]
        if due and not self._busy:
            self._busy = True
            threading.Thread(
                target=self._measure, args=(due,), name="lazulite-sample", daemon=True
            ).start()

    def _is_due(self, live: LiveCommand, launch: Launch) -> bool:
        if live.meter is None or live.meter.launch is not launch:
            live.meter = Meter(launch=launch)
        last, age = live.meter.age, self._age(live)
        wait = max(self._every, last / PART) if last else self._every / 2
        return age - last >= wait * 0.9  # timers are not exact

    def _age(self, live: LiveCommand) -> float:
        begun = live.job.timeline.running or live.job.timeline.starting
        return 0.0 if begun is None else (self._core.now() - begun) / timedelta(seconds=1)

    def _measure(self, due: Sequence[tuple[LiveCommand, Launch]]) -> None:
        loads: list[Load | None] = []
        try:
            loads = self._backend.measure([launch for _, launch in due])
        except (LazuliteError, OSError) as error:
            log.warning("running jobs cannot be measured: %s", error)
        finally:
            self._core.post(lambda: self._keep(due, loads))

    def _keep(
        self, due: Sequence[tuple[LiveCommand, Launch]], loads: Sequence[Load | None]
    ) -> None:
        self._busy = False
        found: dict[int, list[Point]] = {}
        time = int(self._core.now().timestamp() * 1000)
        for (live, launch), load in zip(due, loads, strict=False):
            meter = live.meter
            if load is not None and meter is not None and meter.launch is launch:
                found[live.job.id] = _points(meter, load, self._age(live), time)
        if found:
            self._core.services.store.submit(lambda tx: tx.runs.sample(found))


def _points(meter: Meter, load: Load, age: float, time: int) -> list[Point]:
    """Return a sample as points of metrics; the step is the seconds since the process began."""
    spent = max(0.0, load.cpu - meter.cpu)  # less when a process went that nobody waited for
    passed = age - meter.age
    values = {
        CPU: 100 * spent / passed if passed > 0 else 0.0,
        MEMORY: load.memory / MEGA,
        PROCESSES: float(load.processes),
    }
    if load.read is not None:
        values[READ] = load.read / MEGA
    if load.written is not None:
        values[WRITTEN] = load.written / MEGA
    for gpu in load.gpus:
        values[gpu_use(gpu.index)] = gpu.busy
        values[gpu_memory(gpu.index)] = gpu.memory / MEGA
    meter.age, meter.cpu = age, load.cpu
    meter.peak = max(meter.peak, load.memory)
    return [Point(key, round(value, 3), time, round(age)) for key, value in values.items()]


def usage_of(live: LiveCommand, sight: Sight) -> Usage | None:
    """Return what an attempt used that is over: what the system says, or samples if those say more.

    None if it never ran.
    """
    usage = getattr(sight, "usage", None) or Usage()
    if isinstance(sight, Ended):
        usage = msgspec.structs.replace(usage, wall=round(sight.ended - sight.started, 4))
    peak = live.meter.peak if live.meter is not None else 0
    if peak > (usage.memory or 0):
        usage = msgspec.structs.replace(usage, memory=peak)
    return usage if usage != Usage() else None


class Hosts:
    """The rows of the states of this machine that jobs ran in. Called in workers."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._known: dict[str, Host] = {}

    def of(self, python: str) -> Host | None:
        """Return this machine as it is to jobs of one Python's version; stored once a server.

        None while the database is away: a job does not fail for want of it.
        """
        if python not in self._known:
            services = self._core.services
            here = msgspec.structs.replace(services.host, python=python)
            try:
                stored = services.store.write(lambda tx: tx.executions.host(here))
            except Unavailable:
                return None
            self._known[python] = stored
        return self._known[python]
