"""Our own routes, where Azure has none: health, the server itself, cached environments."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any

from lazulite.domain.access import Action
from lazulite.domain.ids import LOCAL_SUBSCRIPTION
from lazulite.domain.job import JobStatus
from lazulite.ports.store import JobFilter, Page, Tx
from lazulite.wire.http import Call, Endpoint, Reply, Route

PREFIX = "/lazulite/v1"
_MANY = Page(limit=1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """What a server says of itself."""

    version: str
    pid: int
    started: datetime
    home: str


def health(_: Call) -> Reply:
    """Say that the process answers."""
    return Reply(body={"status": "ok"})


def ready(call: Call) -> Reply:
    """Say that the database answers too.

    Raises:
        Unavailable: it does not.
    """
    call.services.store.read(lambda tx: tx.jobs.names([]))
    return Reply(body={"status": "ready"})


def server(info: ServerInfo, call: Call) -> Reply:
    """Describe the server and how busy it is."""
    found = call.services.store.read(_census)
    body = {
        "version": info.version,
        "pid": info.pid,
        "started": info.started,
        "home": info.home,
        **found,
    }
    return Reply(body=body)


def list_environments(call: Call) -> Reply:
    """List the environments that are built and kept."""
    found = call.services.environments.cached()
    return Reply(body={"value": [asdict(one) for one in found]})


def remove_environment(call: Call) -> Reply:
    """Delete a built environment; a job that needs it builds it again.

    Raises:
        NotFound: there is none of this key.
        Conflict: a job uses it.
    """
    freed = call.services.environments.remove(call.params["key"])
    return Reply(body={"freed": freed})


def routes(info: ServerInfo) -> list[Route]:
    """Return our own routes."""
    table: list[tuple[str, str, Action | None, Endpoint]] = [
        ("GET", "/healthz", None, health),
        ("GET", "/readyz", None, ready),
        ("GET", PREFIX + "/server", Action.READ, partial(server, info)),
        ("GET", PREFIX + "/environments", Action.READ, list_environments),
        ("DELETE", PREFIX + "/environments/{key}", Action.ADMIN, remove_environment),
    ]
    return [Route(method=m, path=p, action=a, endpoint=e) for m, p, a, e in table]


def _census(tx: Tx) -> dict[str, Any]:
    """Count workspaces of the local subscription, and their jobs that no pipeline started."""
    workspaces = tx.workspaces.page(LOCAL_SUBSCRIPTION, None, _MANY).items
    status = (JobStatus.RUNNING, JobStatus.QUEUED)
    which = JobFilter(status=status, archived=None)
    found = [job.status for w in workspaces for job in tx.jobs.page(w.id, which, _MANY).items]
    counts = {word.lower(): found.count(word) for word in status}
    return {"workspaces": len(workspaces), "jobs": counts}
