"""What one can do with jobs: show, list, cancel, edit, watch, read logs. It prints nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any
from urllib.parse import quote

from lazulite.client.rest import TIMEOUT, lines
from lazulite.client.session import Session
from lazulite.domain.errors import Unavailable

STD_LOG = "user_logs/std_log.txt"
FINAL = frozenset({"Completed", "Failed", "Canceled"})
_REPEATS = 5  # times a broken stream is taken up again in a row
_PAUSE = 0.05  # seconds before the first time; each pause is twice the one before


def get(session: Session, name: str) -> dict[str, Any]:
    """Return a job as Azure's JSON."""
    return dict(session.arm("GET", f"jobs/{quote(name, safe='')}"))


def listed(
    session: Session, *, view: str = "ActiveOnly", most: int | None = None
) -> list[dict[str, Any]]:
    """Return jobs that are in no pipeline, newest first.

    Args:
        session: where.
        view: ActiveOnly, ArchivedOnly or All.
        most: at most so many; None = all.
    """
    query = {"listViewType": view, "$top": most if most and most < 1000 else 1000}
    return list(islice(session.pages("jobs", query), most))


def children(session: Session, name: str) -> list[dict[str, Any]]:
    """Return the jobs of a pipeline's steps."""
    return list(session.pages(f"jobs/{quote(name, safe='')}/children"))


def cancel(session: Session, name: str) -> None:
    """Ask for a job to be canceled; it is, once it says so."""
    session.arm("POST", f"jobs/{quote(name, safe='')}/cancel", repeat=True)


def edit(session: Session, job: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    """Change what may change on a job: displayName, description, tags, properties, hidden."""
    experiment = quote(str(job["properties"].get("experimentName") or "Default"), safe="")
    rest = f"experiments/{experiment}/runs/{quote(str(job['name']), safe='')}"
    session.history("PATCH", rest, dict(changes))


def explain(session: Session, name: str) -> dict[str, Any]:
    """Return per step whose outputs it has, or what made it run again."""
    return dict(session.connection.json("GET", session.own(f"jobs/{quote(name, safe='')}/explain")))


def watch(session: Session, name: str, *, silence: float | None = None) -> Iterator[dict[str, Any]]:
    """Yield the job's state, then each change of it and its steps, until it is final.

    The first is {"job": ..., "children": [...]}, then {"job": ...} or {"child": ...}. A stream
    that breaks is taken up again and begins with a whole state.

    Args:
        session: where.
        name: of the job.
        silence: seconds without any change after which to give up; None = never.

    Raises:
        Unavailable: the server went away, or was silent for too long.
    """
    connection = session.connection.another()
    path, broken = session.own(f"jobs/{quote(name, safe='')}/watch"), 0
    try:
        while True:
            final, reason = False, Unavailable(f"job {name}: its states end before the job does")
            try:
                with connection.stream(path, silence=silence) as pieces:
                    for line in lines(pieces):
                        if line.strip():
                            broken = 0
                            change = json.loads(line)
                            final = (change.get("job") or {}).get("status") in FINAL or final
                            yield change
            except Unavailable as error:
                reason = error
            if final:
                return
            broken = _once_more(broken, reason)
    finally:
        connection.close()


def log(
    session: Session, name: str, *, file: str = STD_LOG, offset: int = 0, follow: bool = False
) -> Iterator[bytes]:
    """Yield a log of a job from byte `offset`; `follow` = until the job is final.

    A log that is followed and breaks off is taken up again where it broke.
    """
    connection = session.connection.another()
    path, broken = session.own(f"jobs/{quote(name, safe='')}/log"), 0
    try:
        while True:
            query = {"file": file, "offset": offset, "follow": int(follow)}
            silence = None if follow else TIMEOUT
            try:
                with connection.stream(path, query=query, silence=silence) as pieces:
                    for piece in pieces:
                        offset, broken = offset + len(piece), 0
                        yield piece
            except Unavailable as error:
                if not follow:
                    raise
                broken = _once_more(broken, error)
            else:
                return
    finally:
        connection.close()


def _once_more(broken: int, reason: Unavailable) -> int:
    """Wait a little before a stream that broke `broken` times is taken up again; count it."""
    if broken == _REPEATS:
        raise reason
    time.sleep(_PAUSE * 2**broken)
    return broken + 1
