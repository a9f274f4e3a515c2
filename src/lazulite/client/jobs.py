"""What one can do with jobs: show, list, cancel, edit, watch, read logs. It prints nothing."""

from __future__ import annotations

import json
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


def get(session: Session, name: str) -> dict[str, Any]:
    """Return a job as Azure's JSON."""
    return dict(session.arm("GET", f"jobs/{name}"))


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
    return list(session.pages(f"jobs/{name}/children"))


def cancel(session: Session, name: str) -> None:
    """Ask for a job to be canceled; it is, once it says so."""
    session.arm("POST", f"jobs/{name}/cancel", repeat=True)


def edit(session: Session, job: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    """Change what may change on a job: displayName, description, tags, properties, hidden."""
    experiment = quote(str(job["properties"].get("experimentName") or "Default"), safe="")
    rest = f"experiments/{experiment}/runs/{quote(str(job['name']), safe='')}"
    session.history("PATCH", rest, dict(changes))


def explain(session: Session, name: str) -> dict[str, Any]:
    """Return per step whose outputs it has, or what made it run again."""
    return dict(session.connection.json("GET", session.own(f"jobs/{quote(name)}/explain")))


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
    path, broken = session.own(f"jobs/{quote(name)}/watch"), 0
    try:
        while True:
            final = False
            try:
                with connection.stream(path, silence=silence) as pieces:
                    for line in lines(pieces):
                        if line.strip():
                            broken = 0
                            change = json.loads(line)
                            final = (change.get("job") or {}).get("status") in FINAL or final
                            yield change
            except Unavailable:
                broken += 1
                if broken > _REPEATS:
                    raise
            if final:
                return
            broken += 1
            if broken > _REPEATS:
                raise Unavailable(f"job {name}: the stream of its state ends before the job does")
    finally:
        connection.close()


def log(
    session: Session, name: str, *, file: str = STD_LOG, offset: int = 0, follow: bool = False
) -> Iterator[bytes]:
    """Yield a log of a job from byte `offset`; `follow` = until the job is final."""
    connection = session.connection.another()
    query = {"file": file, "offset": offset, "follow": int(follow)}
    path = session.own(f"jobs/{quote(name)}/log")
    try:
        with connection.stream(path, query=query, silence=None if follow else TIMEOUT) as pieces:
            yield from pieces
    finally:
        connection.close()
