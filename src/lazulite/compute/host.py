"""What this machine is. Read once, when the server starts."""

from __future__ import annotations

import platform

from lazulite.compute.gpus import find_gpus
from lazulite.domain.usage import Host
from lazulite.ports.compute import Capacity


def find_host(capacity: Capacity, server: str) -> Host:
    """Return this machine; no process is started.

    Args:
        capacity: what jobs may use of it.
        server: version of Lazulite.
    """
    gpus = find_gpus()
    names = gpus.names() if gpus else ("GPU",) * capacity.gpus
    about = platform.uname()
    return Host(
        name=about.node,
        system=f"{about.system} {about.release}",
        machine=about.machine,
        cpus=capacity.cores,
        memory=capacity.memory,
        gpus=names,
        server=server,
    )
