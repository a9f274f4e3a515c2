"""Times, durations and statuses, as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

PHASES = ("created", "preparing", "queued", "starting", "running", "finalizing", "ended")
_COLORS = {
    "Completed": "green",
    "Failed": "bold red",
    "Canceled": "yellow",
    "CancelRequested": "yellow",
    "Running": "cyan",
    "Finalizing": "cyan",
    "Starting": "blue",
    "Preparing": "blue",
    "FINISHED": "green",
    "FAILED": "bold red",
    "KILLED": "yellow",
    "RUNNING": "cyan",
}

_WORTH_BYTES = 1_000_000  # of disk use; every program touches a few
_WORTH = {False: 0.0005, True: 0.01}  # seconds a phase must last to be told; `created` says little


def status_style(status: str) -> str:
    """Return the rich style of a status."""
    return _COLORS.get(status.split(" ", maxsplit=1)[0], "dim")


def moment(text: str | None) -> datetime | None:
    """Read an ISO 8601 time."""
    if not text:
        return None
    found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def span(seconds: float) -> str:
    """Return a duration: 35 ms, 12.4 s, 3 m 05 s, 2 h 07 m."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} m {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} m"


def between(start: str | None, end: str | None, now: datetime | None = None) -> str:
    """Return how long something took, or takes so far; empty if it did not start."""
    begun, done = moment(start), moment(end) or now
    if begun is None or done is None:
        return ""
    return span(max(0.0, (done - begun).total_seconds()))


def split(timeline: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Return each phase a job was in, with its seconds, in order."""
    known = [(phase, moment(timeline.get(phase))) for phase in PHASES]
    marks = [(phase, time) for phase, time in known if time is not None]
    marks.sort(key=lambda mark: (mark[1], PHASES.index(mark[0])))
    pairs = pairwise(marks)
    spent = [(phase, (after - time).total_seconds()) for (phase, time), (_, after) in pairs]
    return [(phase, seconds) for phase, seconds in spent if seconds >= _WORTH[phase == "created"]]


def counted(count: int, noun: str) -> str:
    """Return `1 file`, `2 files`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def size(count: int) -> str:
    """Return bytes as 512 B, 3.4 MB."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def used(usage: Mapping[str, Any]) -> str:
    """Return what a job used: CPU 29.9 s in 41.9 s, memory 210.6 MB, disk 1.0 MB read."""
    parts = []
    if usage.get("cpu") is not None:
        wall = f" in {span(usage['wall'])}" if usage.get("wall") is not None else ""
        parts.append(f"CPU {span(usage['cpu'])}{wall}")
    if usage.get("memory"):
        parts.append(f"memory {size(usage['memory'])}")
    moved = [
        f"{size(usage[key])} {key}"
        for key in ("read", "written")
        if (usage.get(key) or 0) >= _WORTH_BYTES
    ]
    if moved:
        parts.append(f"disk {', '.join(moved)}")
    return ", ".join(parts)


def ago(when: str | float | None, now: datetime) -> str:
    """Return how long ago an ISO time, or seconds since 1970, was: 12 s ago, 3 h ago."""
    then = datetime.fromtimestamp(when, UTC) if isinstance(when, float) else moment(when)
    if then is None:
        return ""
    seconds = max(0, int((now - then).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"
