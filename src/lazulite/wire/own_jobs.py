"""Watching a job and explaining it: what Azure's wire has no route for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from lazulite.domain.access import Action
from lazulite.domain.errors import NotFound
from lazulite.domain.job import Job
from lazulite.services import runs, workspaces
from lazulite.services.changes import Subscription
from lazulite.services.explain import Explanation, explain
from lazulite.wire.azure.arm import SCOPE
from lazulite.wire.http import Call, Reply, Route

LOOK_AGAIN = 5.0  # seconds without news after which the store is asked: another engine may run it
_JOB = f"/lazulite/v1{SCOPE}/jobs/{{name}}"
_encode = msgspec.json.Encoder().encode


def summary(job: Job, path: str) -> dict[str, Any]:
    """Return the summary of a job that `watch` sends; `path` is its dotted node path."""
    return {
        "name": job.name,
        "displayName": job.display_name,
        "node": job.node,
        "path": path,
        "status": job.status,
        "kind": job.kind,
        "reusedFrom": job.reused_from,
        "waitsFor": job.waits_for,
        "created": job.timeline.created,
        "started": job.timeline.running,
        "ended": job.timeline.ended,
        "error": job.error,
    }


async def watch(call: Call, request: Request) -> Response:
    """Send a job's state as a line of JSON, then a line per change in it or below it.

    The first line has the job and everything below it, the last a final job.
    """
    del request  # everything is in the path
    job = (await _state(call))[0]
    changes = call.services.changes
    loop, news = asyncio.get_running_loop(), asyncio.Event()
    subscription = changes.subscribe(
        job.root or job.id, lambda: loop.call_soon_threadsafe(news.set)
    )
    lines = _lines(call, subscription, news)
    return StreamingResponse(lines, media_type="application/x-ndjson")


async def _lines(
    call: Call, subscription: Subscription, news: asyncio.Event
) -> AsyncIterator[bytes]:
    try:
        job, path, below = await _state(call)
        yield _line(job=summary(job, path), children=[summary(*child) for child in below])
        while not job.is_final:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), LOOK_AGAIN)
            news.clear()
            found = subscription.take()
            if not found:
                found = [((await _state(call))[0], path)]
            for changed, where in found:
                if changed.id == job.id:
                    if changed != job:
                        job = changed
                        yield _line(job=summary(job, path))
                elif _is_below(where, path):
                    yield _line(child=summary(changed, where))
    except NotFound:
        return  # it was deleted with its workspace
    finally:
        call.services.changes.unsubscribe(subscription)


async def _state(call: Call) -> tuple[Job, str, list[tuple[Job, str]]]:
    run, path, below = await run_in_threadpool(
        runs.family, call.services, call.here, call.params["name"]
    )
    return run.job, path, below


def _is_below(path: str, above: str) -> bool:
    return not above or path.startswith(above + ".")


def _line(**parts: Any) -> bytes:
    return _encode(parts) + b"\n"


def explained(call: Call) -> Reply:
    """Say for each step whose outputs it has, or what made it run again."""
    workspace = workspaces.get(call.services, call.here)
    name = call.params["name"]
    found = explain(call.services, workspace, name)
    return Reply(body={"job": name, "nodes": [_node(node) for node in found]})


def _node(node: Explanation) -> dict[str, Any]:
    return {
        "path": node.path,
        "job": node.job,
        "status": node.status,
        "reusedFrom": node.reused_from,
        "fingerprint": node.fingerprint,
        "reason": node.reason,
        "differs": [
            {"part": one.part, "was": one.was, "is": one.now, "of": node.compared_with}
            for one in node.differs
        ],
    }


def routes() -> list[Route]:
    """Return our own routes of jobs."""
    return [
        Route(method="GET", path=_JOB + "/watch", action=Action.READ, stream=watch),
        Route(method="GET", path=_JOB + "/explain", action=Action.READ, endpoint=explained),
    ]
