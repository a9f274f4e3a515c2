"""Jobs on Azure's wire."""

from __future__ import annotations

from typing import Any

from lazulite.domain.access import Action
from lazulite.domain.errors import Conflict
from lazulite.domain.job import FINAL, Job, JobStatus
from lazulite.formats.azure.envelope import properties_of
from lazulite.formats.azure.job import encode_job
from lazulite.ports.store import JobFilter, Listed
from lazulite.services import jobs, runs, workspaces
from lazulite.wire.azure.arm import SCOPE, done, listing, page_of
from lazulite.wire.http import Call, Reply, Route

_ONE = SCOPE + "/jobs/{name}"
_ARCHIVED: dict[str, bool | None] = {"activeonly": False, "archivedonly": True, "all": None}


def list_all(call: Call) -> Reply:
    """List the jobs of a workspace, newest first; neither jobs nor text of pipelines' nodes.

    `listViewType`, `jobType`, `status` and `experimentName` choose.
    """
    workspace = workspaces.get(call.services, call.here)
    page = jobs.list_jobs(call.services, workspace, _filter(call), page_of(call))
    return listing(call, page, lambda job: _brief(call, job))


def get(call: Call) -> Reply:
    """Return a job."""
    workspace = workspaces.get(call.services, call.here)
    job = jobs.get(call.services, workspace, call.params["name"])
    parent = runs.get(call.services, call.here, job.name).parent if job.parent else None
    return Reply(body=encode(call, job, parent))


def put(call: Call) -> Reply:
    """Submit a job."""
    workspace = workspaces.get(call.services, call.here)
    properties = properties_of(call.json())
    name = call.params["name"]
    job = jobs.submit(call.services, workspace, name, properties, call.principal)
    is_new = job.modified_at == job.timeline.created
    return Reply(body=encode(call, job, None), status=201 if is_new else 200)


def cancel(call: Call) -> Reply:
    """Ask for a job to be canceled.

    Raises:
        Conflict: it ended before, and not by being canceled.
    """
    workspace = workspaces.get(call.services, call.here)
    job = jobs.cancel(call.services, workspace, call.params["name"])
    if job.status in FINAL - {JobStatus.CANCELED}:
        raise Conflict(f"job '{job.name}' is {job.status} already: it cannot be canceled")
    return done(call, status=202)


def delete(call: Call) -> Reply:
    """Delete a job that has ended, with all below it; its outputs stay.

    Raises:
        Conflict: it has not ended.
    """
    workspace = workspaces.get(call.services, call.here)
    jobs.delete(call.services, workspace, call.params["name"])
    return done(call, status=202)


def list_children(call: Call) -> Reply:
    """List the jobs of a pipeline's nodes, one level deep; Azure has this in run history only."""
    found = runs.children(call.services, call.here, call.params["name"])
    page = Listed(found, None)
    return listing(call, page, lambda run: encode(call, run.job, run.parent))


def encode(call: Call, job: Job, parent: str | None) -> dict[str, Any]:
    """Return a job as ARM does, with the name of its parent among our own fields."""
    body = encode_job(job, call.here, portal=f"{call.base}{call.here.arm}")
    body["properties"]["lazulite"]["parent"] = parent
    return body


def _brief(call: Call, job: Job) -> dict[str, Any]:
    body = encode(call, job, None)
    if "jobs" in body["properties"]:
        body["properties"]["jobs"] = {}  # 500 nodes are 0.2 MB, a page of them 20
    return body


def routes() -> list[Route]:
    """Return the routes of jobs."""
    table = [
        ("GET", SCOPE + "/jobs", Action.READ, list_all),
        ("GET", _ONE, Action.READ, get),
        ("PUT", _ONE, Action.WRITE, put),
        ("DELETE", _ONE, Action.MANAGE, delete),
        ("POST", _ONE + "/cancel", Action.MANAGE, cancel),
        ("GET", _ONE + "/children", Action.READ, list_children),
    ]
    return [Route(method=m, path=p, action=a, endpoint=e) for m, p, a, e in table]


def _filter(call: Call) -> JobFilter:
    view = call.query.get("listViewType", "ActiveOnly").lower()
    known = {status.casefold(): status for status in JobStatus}
    asked = [word.strip().casefold() for word in call.query.get("status", "").split(",")]
    kind = call.query.get("jobType", "")
    return JobFilter(
        kinds=(kind[:1].upper() + kind[1:],) if kind else (),
        archived=_ARCHIVED.get(view, False),
        status=tuple(known[word] for word in asked if word in known),
        experiment=call.query.get("experimentName") or None,
    )
