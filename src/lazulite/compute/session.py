"""The processes of a job's session: find them, signal them, prove they are ours."""

from __future__ import annotations

import contextlib
import os
import signal

import psutil

from lazulite.ports.compute import Launch


def signal_group(leader: int, number: signal.Signals) -> None:
    """Send a signal to the process group of `leader`; nothing happens when it is gone."""
    # macOS answers EPERM for a group of which only a zombie is left
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def kill_session(leader: int) -> None:
    """Kill the group of `leader` and every other group of its session, until none is left."""
    signal_group(leader, signal.SIGKILL)
    for _ in range(10):  # a process may fork while we look
        left = members(leader)
        if not left:
            return
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def members(leader: int) -> list[int]:
    """List the living processes of the session that `leader` began, itself left out."""
    found = []
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if pid != leader and os.getsid(pid) == leader and not _is_zombie(pid):
                found.append(pid)
    return found


def kill_orphans(leader: int, launch: Launch) -> str | None:
    """Kill what outlived its shim, if it is proven to be that job's.

    While one member of a session lives, the kernel gives its id to no other process; so a
    session whose id is `leader`, with no living process of that pid, began as one `leader`'s.
    That it was our `leader` shows in a member that has the job's log open, or its environment.

    Args:
        leader: the pid the shim claimed, in this boot; the shim is dead.
        launch: the job; its environment may be left empty.

    Returns:
        What was done, for the reason of the loss; None when nothing was left.
    """
    if psutil.pid_exists(leader) and not _is_zombie(leader):
        return None
    left = members(leader)
    if any(_belongs(pid, launch) for pid in left):
        kill_session(leader)
        return "what it left behind was killed"
    left = members(leader)  # one that is about to end has no files and no environment
    if not left:
        return None
    return f"processes {left} of session {leader} may be its own; they were left alone"


def _is_zombie(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return True


def _belongs(pid: int, launch: Launch) -> bool:
    log = str(launch.log.resolve())
    try:
        process = psutil.Process(pid)
        if any(file.path == log for file in process.open_files()):
            return True
        return bool(launch.env) and launch.env.items() <= process.environ().items()
    except (psutil.Error, OSError):
        return False
