"""What every use case is given: the ports, and the way to the engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lazulite.domain.usage import Host
from lazulite.ports.clock import Clock
from lazulite.ports.compute import Capacity
from lazulite.ports.environments import Environments
from lazulite.ports.files import DataFiles, Snapshots
from lazulite.ports.store import Store
from lazulite.services.changes import Changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The ports a use case may touch. Made once, in `wiring`."""

    store: Store
    snapshots: Snapshots
    files: DataFiles
    environments: Environments
    clock: Clock
    capacity: Capacity  # of the local compute
    host: Host = field(default_factory=Host)  # this machine
    wake: Callable[[int], None]  # tell the engine that this job (row id) changed; any thread
    why: Callable[[int], str | None] = field(default=lambda _job: None)  # why a job waits
    changes: Changes = field(default_factory=Changes)
    runs: Path | None = None  # folder of the jobs' run folders; None = they are elsewhere
