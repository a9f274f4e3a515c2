"""What jobs use of NVIDIA's GPUs, as the driver's library tells; nothing where there is none.

The library is asked only on machines that have its file, and through the package `nvidia-ml-py` if
that is installed beside Lazulite (`lazulite[gpu]`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from lazulite.ports.compute import GpuLoad

DEVICES = Path("/dev/nvidiactl")

log = logging.getLogger(__name__)


class Gpus:
    """The GPUs of this machine, by the library `pynvml`."""

    def __init__(self, library: Any) -> None:
        """Open every GPU; `library` is ready to be asked."""
        self._library = library
        count = library.nvmlDeviceGetCount()
        self._handles = [library.nvmlDeviceGetHandleByIndex(index) for index in range(count)]

    def names(self) -> tuple[str, ...]:
        """Return the GPUs' names."""
        found = (self._library.nvmlDeviceGetName(handle) for handle in self._handles)
        return tuple(name.decode() if isinstance(name, bytes) else str(name) for name in found)

    def loads(self, jobs: Sequence[Sequence[int]]) -> list[tuple[GpuLoad, ...]]:
        """Return of each job, given by its pids, what it uses of the GPUs that it is on."""
        found: list[list[GpuLoad]] = [[] for _ in jobs]
        for index, handle in enumerate(self._handles):
            try:
                held = self._held(handle)
                if not held:
                    continue
                busy = float(self._library.nvmlDeviceGetUtilizationRates(handle).gpu)
            except self._library.NVMLError as error:
                log.debug("GPU %d: %s", index, error)
                continue
            for job, pids in enumerate(jobs):
                mine = [held[pid] for pid in pids if pid in held]
                if mine:
                    found[job].append(GpuLoad(index=index, busy=busy, memory=sum(mine)))
        return [tuple(one) for one in found]

    def _held(self, handle: Any) -> dict[int, int]:
        """Return the bytes that processes hold of a GPU."""
        ask = self._library.nvmlDeviceGetComputeRunningProcesses
        return {one.pid: one.usedGpuMemory or 0 for one in ask(handle)}


@cache
def find_gpus(devices: Path = DEVICES) -> Gpus | None:
    """Open the GPUs of this machine; None if there are none, or nobody can be asked."""
    if not devices.exists():
        return None
    try:
        library = import_module("pynvml")
    except ImportError:
        return None
    try:
        library.nvmlInit()
        return Gpus(library)
    except library.NVMLError as error:
        log.info("GPUs are not watched: %s", error)
        return None
