"""One keep-alive HTTP connection to a server, and its errors as ours. It knows no route."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from lazulite.client.http1 import Body, Channel, Reply
from lazulite.domain import errors
from lazulite.domain.errors import LazuliteError

TIMEOUT = 60.0  # seconds without a byte; a stream that waits for a job has none
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_TRIES = 4  # of a repeatable call, while the server is busy or the connection breaks


class Unreachable(errors.Unavailable):
    """No server answers at the address."""

    code = "Unreachable"


_BY_STATUS: dict[int, type[LazuliteError]] = {
    400: errors.InvalidInput,
    401: errors.Unauthenticated,
    403: errors.Denied,
    404: errors.NotFound,
    409: errors.Conflict,
    412: errors.Conflict,
    413: errors.TooLarge,
    422: errors.InvalidInput,
    503: errors.Unavailable,
}


class Address(NamedTuple):
    """Where a server is and what opens it."""

    url: str  # http://127.0.0.1:5080
    token: str
    ca: Path | None = None  # PEM to trust for https; None = the system's roots


class _Call(NamedTuple):
    """What is sent."""

    method: str
    path: str  # with the query
    body: Body = None
    size: int = 0  # bytes of the body
    headers: Mapping[str, str] = MappingProxyType({})


def _json_call(method: str, path: str, body: Any, headers: Mapping[str, str]) -> _Call:
    if body is None:
        return _Call(method, path, headers=headers)
    data = json.dumps(body, separators=(",", ":")).encode()
    return _Call(method, path, data, len(data), {"Content-Type": "application/json", **headers})


class Connection:
    """A connection for one thread; another thread takes `another()`."""

    def __init__(self, address: Address) -> None:
        """Remember where to connect; the first call does."""
        self.address = address
        self._parts = urlsplit(address.url)
        self._open: Channel | None = None

    def another(self) -> Connection:
        """Return a new connection to the same server."""
        return Connection(self.address)

    def close(self) -> None:
        """Hang up. A later call connects again."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def json(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        repeat: bool | None = None,
    ) -> Any:
        """Call and return the decoded reply; {} for an empty one.

        Args:
            method: GET, PUT ...
            path: from the root of the server.
            body: JSON-encodable; None = none.
            query: appended; None values are left out.
            headers: added to the call.
            repeat: whether a second try does no harm; None = by the method.

        Raises:
            LazuliteError: the server said no, in the class that says why.
            Unreachable: it did not answer, or is another program.
        """
        call = _json_call(method, with_query(path, query), body, headers)
        again = method in _REPEATABLE if repeat is None else repeat
        for trial in range(1, _TRIES + 1):
            try:
                text = b"".join(self._call(call, again=again))
                return self._read(text) if text.strip() else {}
            except errors.Unavailable:
                if not again or trial == _TRIES:
                    raise
                time.sleep(0.05 * 4 ** (trial - 1))
        raise AssertionError("unreachable: the last try raises")

    def _read(self, text: bytes) -> Any:
        try:
            return json.loads(text)
        except ValueError:
            where = self.address.url
            raise Unreachable(
                f"what answers at {where} is no Lazulite server: see `lazulite status`, or "
                "correct LAZULITE_URL"
            ) from None

    def send(
        self,
        method: str,
        path: str,
        body: bytes | IO[bytes],
        size: int,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Send raw bytes, `size` of them, and drop the reply."""
        sent = {"Content-Type": "application/octet-stream", **headers}
        call = _Call(method, path, body, size, sent)
        for _ in self._call(call, again=isinstance(body, bytes)):
            pass

    @contextmanager
    def stream(
        self,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        silence: float | None = TIMEOUT,
    ) -> Iterator[Iterator[bytes]]:
        """GET and yield the pieces of the reply as they come.

        Args:
            path: from the root of the server.
            query: appended; None values are left out.
            headers: added to the call.
            silence: seconds without a byte that are an error; None = no time is too long.
        """
        call = _Call("GET", with_query(path, query), headers=headers or {})
        pieces = self._call(call, again=True)
        if self._open is not None:
            self._open.wait_at_most(silence)
        try:
            yield pieces
        finally:
            self.close()  # what was not read cannot be skipped

    def head(self, path: str) -> Mapping[str, str]:
        """Return the headers of what is at a path; names in lower case."""
        return self._reply(_Call("HEAD", path), again=True).headers

    def put(self, path: str, body: bytes, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Send bytes and return the headers of the reply."""
        reply = self._reply(_Call("PUT", path, body, len(body), headers), again=True)
        for _ in self._pieces(reply):
            pass
        return reply.headers

    @contextmanager
    def get(
        self, path: str, headers: Mapping[str, str]
    ) -> Iterator[tuple[int, Mapping[str, str], Iterator[bytes]]]:
        """GET and yield the status, the headers and the pieces of the reply."""
        reply = self._reply(_Call("GET", path, headers=headers), again=True)
        try:
            yield reply.status, reply.headers, self._pieces(reply)
        finally:
            if not reply.is_whole:
                self.close()

    def _call(self, call: _Call, *, again: bool) -> Iterator[bytes]:
        """Make a call and return the body of its reply, as it comes."""
        return self._pieces(self._reply(call, again=again))

    def _reply(self, call: _Call, *, again: bool) -> Reply:
        """Make a call and return its reply, of which the head was read."""
        try:
            reply = self._exchange(call, again=again)
        except OSError as error:
            raise self._unreachable(error) from None
        if reply.status >= 400:
            raise read_error(reply.status, b"".join(self._pieces(reply)))
        return reply

    def _pieces(self, reply: Reply) -> Iterator[bytes]:
        try:
            yield from reply.pieces()
        except OSError as error:
            raise self._unreachable(error) from None

    def _exchange(self, call: _Call, *, again: bool) -> Reply:
        """Make a call; once more if the connection had been closed while it was idle."""
        if self._open is not None and self._open.is_free:
            try:
                return self._send(self._open, call)
            except OSError:
                if not again:
                    raise
        self.close()
        self._open = Channel(self._parts, self.address.ca, TIMEOUT)
        return self._send(self._open, call)

    def _send(self, channel: Channel, call: _Call) -> Reply:
        headers = {"Authorization": f"Bearer {self.address.token}", **call.headers}
        return channel.call(call.method, call.path, headers, call.body, call.size)

    def _unreachable(self, error: OSError) -> Unreachable:
        self.close()
        reason = error.strerror or str(error) or type(error).__name__
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            return Unreachable(
                f"the certificate of {self.address.url} is not trusted here: name the PEM file of "
                "its authority in LAZULITE_CA_BUNDLE"
            )
        return Unreachable(
            f"no answer from {self.address.url} ({reason}): start the server with `lazulite up`, "
            "or see `lazulite status`"
        )


def with_query(path: str, query: Mapping[str, object] | None) -> str:
    """Append the values of a query that are not None."""
    given = {key: value for key, value in (query or {}).items() if value is not None}
    if not given:
        return path
    return f"{path}{'&' if '?' in path else '?'}{urlencode(given)}"


def read_error(status: int, body: bytes) -> LazuliteError:
    """Return Azure's or MLflow's error body as the error it stands for."""
    try:
        whole = json.loads(body)
        found = whole if "error_code" in whole else whole["error"]
        message, code, target = found["message"], found.get("code"), found.get("target")
    except (ValueError, KeyError, TypeError):
        found, message, code, target = {}, f"the server answered {status}", None, None
    kind = _by_code().get(code) or _BY_STATUS.get(status, LazuliteError)
    at = found.get("position") if isinstance(found, dict) else None  # in a filter of MLflow's
    if at is not None:
        which = "order_by" if message.startswith("Invalid order_by") else "filter"
        return kind(message, path=which, at=at)
    return kind(message, path=target or None)


def _by_code() -> dict[str | None, type[LazuliteError]]:
    known = (
        errors.InvalidInput, errors.Unsupported, errors.NotFound, errors.Conflict,
        errors.Denied, errors.Unauthenticated, errors.TooLarge, errors.Unavailable,
    )  # fmt: skip
    return {kind.code: kind for kind in known}


def lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield whole lines, without their ends, as soon as each is complete."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        yield rest
