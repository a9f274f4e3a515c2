"""One keep-alive HTTP connection to a server, and its errors as ours. It knows no route.

Standard library only: the command line must start fast.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode, urlsplit

from lazulite.domain import errors
from lazulite.domain.errors import LazuliteError

TIMEOUT = 60.0  # seconds without a byte; a stream that waits for a job has none
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_TRIES = 4  # of a repeatable call, while the server is busy or the connection breaks
_PIECE = 256 * 1024  # bytes read at once


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server is and what opens it."""

    url: str  # http://127.0.0.1:5080
    token: str
    ca: Path | None = None  # PEM to trust for https; None = the system's roots


class Connection:
    """A connection for one thread; another thread takes `another()`."""

    def __init__(self, address: Address) -> None:
        """Remember where to connect; the first call does."""
        self.address = address
        self._parts = urlsplit(address.url)
        self._open: http.client.HTTPConnection | None = None

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
        repeat: bool | None = None,
    ) -> Any:
        """Call and return the decoded reply; {} for an empty one.

        Args:
            method: GET, PUT ...
            path: from the root of the server.
            body: JSON-encodable; None = none.
            query: appended; None values are left out.
            repeat: whether a second try does no harm; None = by the method.

        Raises:
            LazuliteError: the server said no, in the class that says why.
            Unreachable: it did not answer.
        """
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        again = method in _REPEATABLE if repeat is None else repeat
        for trial in range(1, _TRIES + 1):
            try:
                with self._call(method, with_query(path, query), data, again=again) as reply:
                    text = reply.read()
                    return json.loads(text) if text.strip() else {}
            except errors.Unavailable:
                if not again or trial == _TRIES:
                    raise
                time.sleep(0.05 * 4 ** (trial - 1))
        raise AssertionError("unreachable: the last try raises")

    def send(self, method: str, path: str, body: bytes | IO[bytes], size: int) -> None:
        """Send raw bytes, `size` of them, and drop the reply."""
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        again = isinstance(body, bytes)
        with self._call(method, path, body, headers=headers, again=again) as reply:
            reply.read()

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
        with self._call("GET", with_query(path, query), None, headers=headers, again=True) as reply:
            if self._open is not None and self._open.sock is not None:
                self._open.sock.settimeout(silence)
            try:
                yield _pieces(reply)
            finally:
                self.close()  # what was not read cannot be skipped

    @contextmanager
    def _call(
        self,
        method: str,
        path: str,
        body: bytes | IO[bytes] | None,
        *,
        headers: Mapping[str, str] | None = None,
        again: bool = False,
    ) -> Iterator[http.client.HTTPResponse]:
        fresh = self._open is None
        try:
            reply = self._exchange(method, path, body, headers)
        except (http.client.HTTPException, OSError) as error:
            self.close()
            if fresh or not again:
                raise self._unreachable(error) from None
            reply = self._once_more(method, path, body, headers)
        if reply.status >= 400:
            raise read_error(reply.status, reply.read())
        try:
            yield reply
        except (http.client.HTTPException, OSError) as error:
            self.close()
            raise self._unreachable(error) from None

    def _once_more(
        self,
        method: str,
        path: str,
        body: bytes | IO[bytes] | None,
        headers: Mapping[str, str] | None,
    ) -> http.client.HTTPResponse:
        """Repeat a call on a new connection: the old one had been closed while it was idle."""
        try:
            return self._exchange(method, path, body, headers)
        except (http.client.HTTPException, OSError) as error:
            self.close()
            raise self._unreachable(error) from None

    def _exchange(
        self,
        method: str,
        path: str,
        body: bytes | IO[bytes] | None,
        headers: Mapping[str, str] | None,
    ) -> http.client.HTTPResponse:
        connection = self._connect()
        sent = {"Authorization": f"Bearer {self.address.token}", **(headers or {})}
        if body is not None and "Content-Type" not in sent:
            sent["Content-Type"] = "application/json"
        connection.request(method, path, body=body, headers=sent)
        return connection.getresponse()

    def _connect(self) -> http.client.HTTPConnection:
        if self._open is not None:
            return self._open
        host, port = self._parts.hostname or "127.0.0.1", self._parts.port
        if self._parts.scheme == "https":
            import ssl

            context = ssl.create_default_context(cafile=self.address.ca)
            self._open = http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context)
        else:
            self._open = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        self._open.connect()
        self._open.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._open

    def _unreachable(self, error: Exception) -> Unreachable:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
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
    """Return Azure's error body as the error it stands for."""
    try:
        found = json.loads(body)["error"]
        message, code, target = found["message"], found.get("code"), found.get("target")
    except (ValueError, KeyError, TypeError):
        message, code, target = f"the server answered {status}", None, None
    kind = _by_code().get(code) or _BY_STATUS.get(status, LazuliteError)
    return kind(message, path=target or None)


def _by_code() -> dict[str | None, type[LazuliteError]]:
    known = (
        errors.InvalidInput, errors.Unsupported, errors.NotFound, errors.Conflict,
        errors.Denied, errors.Unauthenticated, errors.TooLarge, errors.Unavailable,
    )  # fmt: skip
    return {kind.code: kind for kind in known}


def _pieces(reply: http.client.HTTPResponse) -> Iterator[bytes]:
    while piece := reply.read1(_PIECE):
        yield piece


def lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield whole lines, without their ends, as soon as each is complete."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        yield rest
