"""Calls, replies, routes and the table of errors: what every endpoint shares. It lets nobody in."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec
from starlette.concurrency import iterate_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from lazulite.domain import errors
from lazulite.domain.access import Action, Principal
from lazulite.domain.ids import WorkspaceId
from lazulite.formats.azure.error import encode_error
from lazulite.formats.mlflow import error as mlflow
from lazulite.services.context import Services
from lazulite.wire.auth import Tokens

_log = logging.getLogger("lazulite.wire")
_encode = msgspec.json.Encoder().encode

_MLFLOW = re.compile(r"/(?:ajax-)?api/\d\.\d/(?:preview/)?mlflow|/v1/traces$")

MAX_BODY = 16 << 20  # bytes of a JSON request, where its route says nothing else
MAX_DEPTH = 100  # nested objects and lists of a JSON request

STATUS: dict[type[errors.LazuliteError], int] = {
    errors.LazuliteError: 500,
    errors.InvalidInput: 400,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Denied: 403,
    errors.Unauthenticated: 401,
    errors.TooLarge: 413,
    errors.TooSlow: 408,
    errors.TooManyRequests: 429,
    errors.Unavailable: 503,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One admitted request. `headers` has lower-case names; `params` is what the path held."""

    services: Services
    tokens: Tokens
    principal: Principal
    workspace: WorkspaceId | None = None  # None = the route is in no workspace
    params: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    search: str = ""  # the query as it came, for names that occur more than once
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    path: str = "/"
    base: str = ""  # scheme://host:port as the caller wrote it, no slash at the end

    @property
    def here(self) -> WorkspaceId:
        """The workspace of a route that is in one."""
        if self.workspace is None:
            raise errors.InvalidInput(f"{self.path} names no workspace")
        return self.workspace

    def json(self) -> dict[str, Any]:
        """Decode the body, which must be a JSON object; nothing at all counts as `{}`.

        Raises:
            InvalidInput: it is not JSON, not an object, or nested too deep.
        """
        return read_json(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a sync endpoint answers: JSON-encodable `body`, or bytes with their own type.

    The bytes are `raw`, or `pieces` that are made one by one as the caller takes them.
    """

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    pieces: Iterator[bytes] | None = None
    media_type: str = "application/json"


Endpoint: TypeAlias = Callable[[Call], Reply]
StreamEndpoint: TypeAlias = Callable[[Call, Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method on one path.

    Literal segments compare without case; `{name}` takes one segment, `{name:path}` the rest.
    A path with `{subscription}`, `{group}` and `{workspace}` is in that workspace, one with
    `{workspace_id}` in the workspace of that row id. Exactly one of `endpoint` (sync, runs in a
    worker thread, body read beforehand) and `stream` (async, reads the request itself) is set.
    """

    method: str
    path: str
    action: Action | None  # None = open: needs no token
    endpoint: Endpoint | None = None
    stream: StreamEndpoint | None = None
    workspace: WorkspaceId | None = None  # that the path means; None = what the path says, if any
    limit: int = MAX_BODY  # bytes of the body that an `endpoint` takes
    logs: bool = False  # it stands in the line of those who log: see docs/adr/0014


def read_json(body: bytes) -> dict[str, Any]:
    """Decode a JSON object; see `Call.json`."""
    if not body:
        return {}
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise errors.InvalidInput(f"the request body is not JSON: {error}") from None
    except RecursionError:
        raise _too_deep() from None
    if not isinstance(value, dict):
        raise errors.InvalidInput("the request body must be a JSON object")
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> errors.InvalidInput:
    return errors.InvalidInput(f"the request body is nested deeper than {MAX_DEPTH} levels")


def status_of(error: errors.LazuliteError) -> int:
    """Return the HTTP status of an error: that of its nearest class in `STATUS`."""
    return next(STATUS[cls] for cls in type(error).__mro__ if cls in STATUS)


def azure_error(error: errors.LazuliteError, request_id: str) -> Reply:
    """Render an error as Azure does."""
    headers = {"x-ms-error-code": error.code}
    if isinstance(error, errors.Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    headers |= _when_to_retry(error)
    return Reply(body=encode_error(error, request_id), status=status_of(error), headers=headers)


def mlflow_error(error: errors.LazuliteError) -> Reply:
    """Render an error as MLflow does."""
    status = mlflow.code_of(error)[1]
    return Reply(body=mlflow.encode_error(error), status=status, headers=_when_to_retry(error))


def _when_to_retry(error: errors.LazuliteError) -> dict[str, str]:
    if isinstance(error, errors.Unavailable | errors.TooSlow):
        return {"Retry-After": "1"}
    after = error.facts.get("retry_after")
    return {} if after is None else {"Retry-After": str(after)}


def told(error: errors.LazuliteError, path: str, request_id: str) -> Reply:
    """Render an error as the client of a path understands it."""
    return mlflow_error(error) if _MLFLOW.search(path) else azure_error(error, request_id)


def respond(reply: Reply) -> Response:
    """Encode a reply."""
    if reply.pieces is not None:
        made = iterate_in_threadpool(reply.pieces)
        return StreamingResponse(
            made, reply.status, dict(reply.headers), media_type=reply.media_type
        )
    content = reply.raw
    if content is None:
        content = b"" if reply.body is None else _encode(reply.body)
    media = reply.media_type if content or reply.raw is not None else None
    return Response(content, reply.status, dict(reply.headers), media_type=media)


async def explained(answer: Awaitable[Response], request: Request, request_id: str) -> Response:
    """Return the answer, or what went wrong with it; what nobody expected stays in the log."""
    try:
        return await answer
    except errors.LazuliteError as error:
        _let_go(error)
        return respond(told(error, request.url.path, request_id))
    except ClientDisconnect as error:
        _let_go(error)
        raise
    except Exception as error:  # noqa: BLE001 - the last one to see it
        _log.exception("%s %s failed (%s)", request.method, request.url.path, request_id)
        _let_go(error)
        sentence = f"the server made an error; its log has the details under {request_id}"
        return respond(told(errors.LazuliteError(sentence), request.url.path, request_id))


def _let_go(error: BaseException) -> None:
    """Free what the frames of an error hold: a worker thread keeps its last one, body and all."""
    error.__traceback__ = error.__context__ = error.__cause__ = None
