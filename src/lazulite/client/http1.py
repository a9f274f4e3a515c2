"""HTTP/1.1 over one socket: a call goes out whole, its reply is read as it comes.

It knows no route, follows nowhere and repeats nothing. `http.client` does the same, but imports the
library for mail, which takes a fifth of the time that a command has.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any
from urllib.parse import SplitResult

import httptools

Body = bytes | IO[bytes] | None

_PIECE = 256 * 1024  # bytes received at once
_TOGETHER = 64 * 1024  # bytes of a body that travel in one packet with its head


class BadReply(ConnectionError):
    """The server hung up within a reply, or what it said is not HTTP."""


class Channel:
    """One connection. It carries one call at a time, each reply read to its end."""

    def __init__(self, url: SplitResult, ca: Path | None, timeout: float) -> None:
        """Connect.

        Args:
            url: scheme, host and port of the server.
            ca: PEM to trust for https; None = the system's roots.
            timeout: seconds without a byte that are an error.

        Raises:
            OSError: nobody is there, or it is not who it should be.
        """
        self._host = url.netloc.rpartition("@")[2]
        self._reply: Reply | None = None
        port = url.port or (443 if url.scheme == "https" else 80)
        self._socket = _connect(url.hostname or "127.0.0.1", port, timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if url.scheme == "https":
            self._socket = _secured(self._socket, url.hostname or "", ca)

    @property
    def is_free(self) -> bool:
        """Whether it can carry another call."""
        return self._reply is None or (self._reply.is_whole and self._reply.keeps)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def wait_at_most(self, seconds: float | None) -> None:
        """Change how long a silence is an error; None = no silence is too long."""
        self._socket.settimeout(seconds)

    def call(
        self, method: str, path: str, headers: Mapping[str, str], body: Body, size: int
    ) -> Reply:
        """Send a call and return its reply, of which the head was read.

        Args:
            method: GET, PUT ...
            path: with the query.
            headers: besides Host and Content-Length.
            body: a file is sent from where it stands.
            size: bytes of the body.

        Raises:
            OSError: the connection broke.
        """
        lines = {"Host": self._host, **headers}
        if body is not None or method != "GET":
            lines["Content-Length"] = str(size)
        head = "\r\n".join((f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in lines.items())))
        self._reply = Reply(self._socket, has_body=method != "HEAD")
        # A server that refuses a body hangs up while it is sent, and says why.
        with suppress(BrokenPipeError, ConnectionResetError):
            self._send(f"{head}\r\n\r\n".encode("ascii"), body, size)
        self._reply.await_head()
        return self._reply

    def _send(self, head: bytes, body: Body, size: int) -> None:
        if isinstance(body, bytes) and size <= _TOGETHER:
            self._socket.sendall(head + body)
            return
        self._socket.sendall(head)
        if isinstance(body, bytes):
            self._socket.sendall(body)
        elif body is not None and self._socket.sendfile(body, body.tell(), size) < size:
            raise BadReply(f"{body.name} became shorter while it was sent")


class Reply:
    """The answer to one call. The parser calls its `on_...` methods."""

    def __init__(self, connection: socket.socket, *, has_body: bool = True) -> None:
        """Prepare; nothing was read yet.

        Args:
            connection: where it comes from.
            has_body: False for the answer to HEAD, which only says how long its body would be.
        """
        self.status = 0
        self.headers: dict[str, str] = {}  # names in lower case
        self.is_whole = False
        self.keeps = False  # the connection may carry another call
        self._socket = connection
        self._parser = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._has_body = has_body
        self._is_measured = False  # its head tells where it ends; else it ends with the connection

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower().decode("latin-1")] = value.decode("latin-1")
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self._is_measured = True

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        self.status = status if status >= 200 else 0  # 1xx: the answer is still to come
        if self.status and not self._has_body:
            self.is_whole, self.keeps = True, self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        if self.status:
            self.is_whole, self.keeps = True, self._parser.should_keep_alive()

    def await_head(self) -> None:
        """Read until the status is known."""
        while not self.status:
            self._receive()

    def pieces(self) -> Iterator[bytes]:
        """Yield the body as it comes."""
        while True:
            if self._pieces:
                yield b"".join(self._pieces)
                self._pieces.clear()
            if self.is_whole:
                return
            self._receive()

    def _receive(self) -> None:
        data = self._socket.recv(_PIECE)
        if not data:
            if not self.status or self._is_measured:
                raise BadReply("the server hung up")
            self.is_whole = True
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise BadReply(f"what it says is not HTTP: {error}") from None


def _connect(host: str, port: int, timeout: float) -> socket.socket:
    # As bytes: for a host in text Python loads its tables of all scripts.
    place: Any = (host.encode() if host.isascii() else host, port)
    return socket.create_connection(place, timeout)


def _secured(plain: socket.socket, host: str, ca: Path | None) -> socket.socket:
    import ssl

    try:
        context = ssl.create_default_context(cafile=ca)
        return context.wrap_socket(plain, server_hostname=host)
    except OSError:
        plain.close()
        raise
