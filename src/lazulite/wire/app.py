"""The ASGI app: finds the route, lets the caller in, runs the endpoint, renders what went wrong."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from lazulite.domain.access import Principal, Role, authorize
from lazulite.domain.errors import Denied, NotFound, Unauthenticated
from lazulite.domain.ids import LOCAL_GROUP, LOCAL_SUBSCRIPTION, WorkspaceId
from lazulite.services.context import Services
from lazulite.wire.auth import Caller, Tokens, check_signed
from lazulite.wire.http import Call, Route, explained, respond
from lazulite.wire.intake import Intake, Limits, patient

_NOBODY = Principal(name="anyone", role=Role.JOB)

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def build_app(
    services: Services,
    tokens: Tokens,
    routes: Iterable[Route],
    *,
    lifespan: Lifespan | None = None,
    limits: Limits | None = None,
) -> Starlette:
    """Make the one app of both listeners.

    Args:
        services: what endpoints work with.
        tokens: verifies callers.
        routes: every route family.
        lifespan: runs beside the app, the engine for one.
        limits: what all requests together may take.
    """
    desk = Desk(services, tokens, routes, Intake(limits or Limits()))
    app = Starlette(lifespan=lifespan or _idle)
    app.router.default = desk  # a route would not take a path with a line break
    return app


@asynccontextmanager
async def _idle(_: Starlette) -> AsyncIterator[None]:
    yield


@dataclass(slots=True)
class _Segment:
    """A place in the tree of routes."""

    literal: dict[str, _Segment] = field(default_factory=dict)
    variable: _Segment | None = None
    rest: _Segment | None = None
    routes: dict[str, tuple[Route, tuple[str, ...]]] = field(default_factory=dict)  # by method


class RouteTable:
    """Finds the route of a path in time that does not grow with the number of routes."""

    def __init__(self, routes: Iterable[Route]) -> None:
        """Put every route into the tree."""
        self._root = _Segment()
        for route in routes:
            self._add(route)

    def find(self, method: str, raw_path: str) -> tuple[Route, dict[str, str]]:
        """Return the route and the variables of its path, percent-decoded.

        Raises:
            NotFound: there is no such path, or not with this method.
        """
        parts = [part for part in raw_path.split("/") if part]
        place, values = _walk(self._root, parts, 0) or (None, ())
        if place is None:
            raise NotFound(f"there is no {method} {unquote(raw_path)[:300]} here")
        if method not in place.routes:
            known = ", ".join(sorted(place.routes))
            raise NotFound(f"{unquote(raw_path)[:300]} takes {known}, not {method}")
        route, names = place.routes[method]
        return route, dict(zip(names, map(unquote, values), strict=True))

    def _add(self, route: Route) -> None:
        place, names = self._root, []
        for part in route.path.strip("/").split("/"):
            if part.startswith("{"):
                name, _, kind = part.strip("{}").partition(":")
                names.append(name)
                place = _child(place, rest=kind == "path")
            else:
                place = place.literal.setdefault(part.casefold(), _Segment())
        if route.method in place.routes:
            raise ValueError(f"two routes for {route.method} {route.path}")
        place.routes[route.method] = (route, tuple(names))


def _child(place: _Segment, *, rest: bool) -> _Segment:
    if rest:
        place.rest = place.rest or _Segment()
        return place.rest
    place.variable = place.variable or _Segment()
    return place.variable


def _walk(place: _Segment, parts: list[str], at: int) -> tuple[_Segment, tuple[str, ...]] | None:
    if at == len(parts):
        return (place, ()) if place.routes else None
    part = parts[at]
    literal = place.literal.get(unquote(part).casefold())
    if literal and (found := _walk(literal, parts, at + 1)):
        return found
    if place.variable and (found := _walk(place.variable, parts, at + 1)):
        return found[0], (part, *found[1])
    if place.rest:
        return place.rest, ("/".join(parts[at:]),)
    return None


class Desk:
    """Receives every request. The only place where callers are let in and errors rendered."""

    def __init__(
        self, services: Services, tokens: Tokens, routes: Iterable[Route], intake: Intake
    ) -> None:
        """Keep what every call is given."""
        self._intake = intake
        self._services = services
        self._tokens = tokens
        self._table = RouteTable(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        request = Request(scope, receive)
        request_id = uuid.uuid4().hex
        try:
            response = await explained(self._answer(request), request, request_id)
        except ClientDisconnect:
            return
        response.headers["date"] = formatdate(usegmt=True)
        response.headers["x-ms-request-id"] = request_id
        response.headers["x-ms-correlation-request-id"] = request.headers.get(
            "x-ms-correlation-request-id", request_id
        )
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        raw_path = request.scope["raw_path"].decode("latin-1").partition("?")[0]
        route, params = self._table.find(request.method, raw_path)
        caller = self._identify(route, request)
        call = self._call(request, caller.principal, route, params)
        if route.stream:
            call = await run_in_threadpool(self._admit, route, caller, call)
            return await route.stream(call, Request(request.scope, patient(request.receive)))
        if route.action is None:  # whoever has no token is given no memory
            return await run_in_threadpool(self._run, route, caller, call)

        def run(body: bytes) -> Response:
            return self._run(route, caller, replace(call, body=body))

        return await self._intake.take(request.scope, request.receive, route, run)

    def _identify(self, route: Route, request: Request) -> Caller:
        if route.action is None:
            return Caller(principal=_NOBODY)
        _check_site(request)
        return self._tokens.identify(
            request.headers.get("authorization"),
            request.query_params.get("sig"),
            request.scope["path"],
        )

    def _call(
        self, request: Request, principal: Principal, route: Route, params: dict[str, str]
    ) -> Call:
        return Call(
            services=self._services,
            tokens=self._tokens,
            principal=principal,
            workspace=_workspace(params) or route.workspace,
            params=params,
            query=dict(request.query_params),
            search=request.url.query,
            headers=request.headers,
            path=request.scope["path"],
            base=f"{request.url.scheme}://{request.url.netloc}",
        )

    def _run(self, route: Route, caller: Caller, call: Call) -> Response:
        call = self._admit(route, caller, call)
        if route.endpoint is None:
            raise ValueError(f"{route.method} {route.path} has no endpoint")
        return respond(route.endpoint(call))

    def _admit(self, route: Route, caller: Caller, call: Call) -> Call:
        """Check what the route asks for; runs in a worker thread, as it may read the store."""
        if route.action is None:
            return call
        check_signed(caller, route.action)
        call = self._place(call, caller)
        authorize(caller.principal, route.action, call.workspace.key if call.workspace else None)
        if caller.job is not None:
            self._check_alive(caller.job)
        return call

    def _place(self, call: Call, caller: Caller) -> Call:
        """Find the workspace of a path that has only its row id, where that decides something."""
        row = call.params.get("workspace_id")
        if row is None or caller.principal.workspace is None:
            return call
        if not (row.isascii() and row.isdigit() and len(row) < 19):
            raise NotFound(f"there is no workspace {row[:80]!r}")
        found = self._services.store.read(lambda tx: tx.workspaces.by_id(int(row)))
        return replace(call, workspace=found.ids)

    def _check_alive(self, job: int) -> None:
        try:
            final = self._services.store.read(lambda tx: tx.jobs.by_id(job)).is_final
        except NotFound:
            final = True
        if final:
            raise Unauthenticated("the job of this token has ended, and its token with it")


def _check_site(request: Request) -> None:
    """Refuse what a page of another site makes a browser send with credentials it remembers.

    Raises:
        Denied: it is such a request. A Bearer token is never sent by a browser of its own accord.
    """
    headers = request.headers
    if headers.get("authorization", "").lower().startswith("bearer "):
        return
    site, origin = headers.get("sec-fetch-site", "none"), headers.get("origin")
    foreign = origin is not None and origin.partition("://")[2] != headers.get("host")
    if "sig" not in request.query_params and (foreign or site in {"cross-site", "same-site"}):
        raise Denied("a page of another site may not use the token that the browser remembers")


def _workspace(params: Mapping[str, str]) -> WorkspaceId | None:
    if "workspace" not in params:
        return None
    subscription = params.get("subscription", LOCAL_SUBSCRIPTION)
    return WorkspaceId(subscription, params.get("group", LOCAL_GROUP), params["workspace"])
