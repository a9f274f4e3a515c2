"""Listeners: sockets and the HTTP server on them. What they serve is `app`."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Generator

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lazulite.domain.errors import Unavailable
from lazulite.wire.tls import TlsFiles

KEEP_ALIVE = 75  # seconds an idle connection stays open
HEAD_WAIT = 30.0  # seconds in which a client must have sent the head of a request
MAX_HEAD = 64 << 10  # bytes of a request's line and headers; what others allow is 8 to 80 KB
DRAIN = 2  # seconds that open requests get when the server stops
CONNECTIONS = 1000  # of a listener; one that idles costs some 30 KB
PIPELINED = 16  # requests that a client may send before it has read the first answer
LINGER = 5.0  # seconds in which a client may go on sending what is not wanted any more
READ_WAIT = 30.0  # seconds in which a client must have read READ_LEAST of an answer
READ_LEAST = 32 << 10  # bytes
_TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)
_TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"retry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)


class Connection(HttpToolsProtocol):
    """One connection. It gives up on a client that is too slow: see docs/adr/0014."""

    _refused = False  # it was answered, and what it sends is not looked at
    _head = 0  # bytes of the head that is coming; -1 = it is here
    _coming = False  # the body of the newest request
    _waiting: asyncio.TimerHandle | None = None  # for a head
    _lingering: asyncio.TimerHandle | None = None  # for the end of a body after its answer
    _reader: asyncio.TimerHandle | None = None  # for a client to read

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            self._refuse(_TOO_MANY)
        else:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._came()
        self._ended()
        self._read()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused or self.transport.is_closing():
            return
        super().data_received(data)
        if self._head < 0 or self.transport.is_closing():
            return
        self._head += len(data)
        if self._head > MAX_HEAD:
            self._refuse(_TOO_LONG)
        elif self._waiting is None:
            self._wait()

    def on_message_begin(self) -> None:
        self._head = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head, self._coming = -1, True
        self._came()
        super().on_headers_complete()
        if len(self.pipeline) > PIPELINED:
            raise ConnectionAbortedError  # the parser stops, and the connection with it

    def on_message_complete(self) -> None:
        self._ended()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._coming and self.cycle.response_complete:  # hanging up now would lose the answer
            self._lingering = self.loop.call_later(LINGER, self.transport.abort)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        self._read()
        super().resume_writing()

    def _refuse(self, answer: bytes) -> None:
        """Answer, and hang up: at once on what is still sent, the client would lose the answer."""
        self._refused = True
        self.transport.write(answer)
        if not self.transport.can_write_eof():  # TLS waits for the client's goodbye by itself
            self.transport.close()
            return
        self.transport.write_eof()
        self._lingering = self.loop.call_later(LINGER, self.transport.abort)

    def _watch(self) -> None:
        size = self.transport.get_write_buffer_size()
        self._reader = self.loop.call_later(READ_WAIT, self._check_reader, size)

    def _check_reader(self, before: int) -> None:
        if before - self.transport.get_write_buffer_size() < READ_LEAST:
            self.transport.abort()
        else:
            self._watch()

    def _read(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None

    def _ended(self) -> None:
        self._coming = False
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(HEAD_WAIT, self.transport.abort)

    def _came(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


class Listener(uvicorn.Server):
    """An HTTP server that leaves signals to whoever runs it, and does nothing while idle."""

    def __init__(self, config: uvicorn.Config) -> None:
        """Make a server that does not listen yet; `ready` is set when it does."""
        super().__init__(config)
        self.ready = asyncio.Event()
        self._stopped = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def stop(self) -> None:
        """Let `serve` return once open requests are answered; from any thread."""
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopped.set)

    async def main_loop(self) -> None:
        # uvicorn's own looks ten times a second whether to stop and what the date is
        await self.on_tick(0)
        if not self.should_exit:
            await self._stopped.wait()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for connection in list(self.server_state.connections):
            cycle = getattr(connection, "cycle", None)
            if cycle is None or cycle.response_complete:
                # A TLS connection would wait for the client to say goodbye too.
                connection.transport.abort()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def bind(port: int, host: str = "127.0.0.1") -> socket.socket:
    """Return a listening socket; port 0 takes any free one.

    Raises:
        Unavailable: the port is taken, or may not be used.
    """
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        sock.bind((host, port))
        sock.listen(512)
    except OSError as error:
        sock.close()
        raise Unavailable(
            f"port {port} on {host} cannot be used ({error.strerror}): stop what uses it, or set "
            "LAZULITE_HTTP_PORT and LAZULITE_HTTPS_PORT to other ports"
        ) from None
    return sock


def url_of(sock: socket.socket, *, tls: bool) -> str:
    """Return the base URL of a bound socket, without a slash at the end."""
    host, port = sock.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{shown}:{port}"


def listener(app: ASGIApp, tls: TlsFiles | None = None) -> Listener:
    """Return a server for `app`; run it with `await server.serve(sockets=[sock])`.

    The app's lifespan is left alone: whoever runs two listeners runs it once.
    """
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,  # `app` sends it
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=DRAIN,
        ssl_certfile=str(tls.certificate) if tls else None,
        ssl_keyfile=str(tls.key) if tls else None,
    )
    return Listener(config)
