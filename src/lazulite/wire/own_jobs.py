"""Our own routes for jobs: watch one change by change, and explain why it ran."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Any

import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from lazulite.domain.access import Action
from lazulite.domain.job import Job
from lazulite.services import explain, runs, workspaces
from lazulite.services.changes import Subscription
from lazulite.wire.azure.arm import SCOPE
from lazulite.wire.http import Call, Reply, Route
from lazulite.wire.own import PREFIX

GATHER = 0.02  # seconds that changes are gathered into one message, but for the end
LOOK = 5.0  # seconds after which a silent watch looks at the store: another server may have acted
_ONE = PREFIX + SCOPE + "/jobs/{name}"
_encode = msgspec.json.Encoder().encode


def job_routes() -> list[Route]:
    """Return our own routes for jobs."""
    return [
        Route(method="GET", path=_ONE + "/watch", action=Action.READ, stream=watch),
        Route(method="GET", path=_ONE + "/explain", action=Action.READ, endpoint=explain_job),
    ]


def explain_job(call: Call) -> Reply:
    """Say of each node whose outputs it has, or what differs from the nearest earlier one."""
    workspace = workspaces.get(call.services, call.here)
    found = explain.explain(call.services, workspace, call.params["name"])
    return Reply(body={"job": call.params["name"], "nodes": [_node(one) for one in found]})


def _node(one: explain.Explanation) -> dict[str, Any]:
    return {
        "path": one.path,
        "job": one.job,
        "status": one.status,
        "reusedFrom": one.reused_from,
        "fingerprint": one.fingerprint,
        "reason": one.reason,
        "comparedWith": one.compared_with,
        "differs": [
            {"part": d.part, "was": d.was, "is": d.now, "of": one.compared_with}
            for d in one.differs
        ],
    }


async def watch(call: Call, request: Request) -> Response:
    """Send the job and all below it, then each change, until it is final: one JSON a line."""
    del request  # the path says it all
    job, path = await anyio.to_thread.run_sync(_find, call)
    return StreamingResponse(_changes(call, job, path), media_type="application/x-ndjson")


def _find(call: Call) -> tuple[Job, str]:
    job = runs.get(call.services, call.here, _name(call)).job
    return job, call.services.store.read(lambda tx: runs.node_path(tx, job))


def _name(call: Call) -> str:
    return call.params["name"]


async def _changes(call: Call, job: Job, path: str) -> AsyncIterator[bytes]:
    loop, news, end = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    def tell(ended: bool) -> None:  # noqa: FBT001 - `Notify`
        news.set()
        if ended:
            end.set()

    def notify(ended: bool) -> None:  # noqa: FBT001 - `Notify`
        loop.call_soon_threadsafe(tell, ended)

    subscription = call.services.changes.subscribe(job.root or job.id, notify)
    try:  # subscribed before the first look, so that nothing falls between the two
        final, line = await anyio.to_thread.run_sync(_look, call)
        yield line
        while not final:
            final, lines = await _next(call, (job, path), subscription, news)
            yield lines
            with suppress(TimeoutError):
                await asyncio.wait_for(end.wait(), GATHER)
    finally:
        call.services.changes.unsubscribe(subscription)


async def _next(
    call: Call, watched: tuple[Job, str], subscription: Subscription, news: asyncio.Event
) -> tuple[bool, bytes]:
    """Wait for changes; after a long silence look at the store instead."""
    try:
        async with asyncio.timeout(LOOK):
            await news.wait()
    except TimeoutError:
        return await anyio.to_thread.run_sync(_look, call)
    news.clear()
    job, above = watched
    changed = [
        (one, path)
        for one, path in subscription.take()
        if one.id == job.id or not above or path.startswith(f"{above}.")
    ]
    mine = any(one.id == job.id and one.is_final for one, _ in changed)
    return mine, _lines(job, changed)


def _lines(job: Job, changed: Iterable[tuple[Job, str]]) -> bytes:
    parts = [
        _encode({"job" if one.id == job.id else "child": _summary(one, path)}) + b"\n"
        for one, path in changed
    ]
    return b"".join(parts)


def _look(call: Call) -> tuple[bool, bytes]:
    run, below = runs.family(call.services, call.here, _name(call))
    waits = None if run.job.is_final else call.services.why(run.job.id)
    summary = _summary(run.job, "") | ({"waitsFor": waits} if waits else {})
    children = [_summary(job, path) for job, path in below]
    return run.job.is_final, _encode({"job": summary, "children": children}) + b"\n"


def _summary(job: Job, path: str) -> dict[str, Any]:
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
        "error": job.error.message if job.error else None,
    }
