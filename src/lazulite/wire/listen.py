"""Listeners: sockets and the HTTP server on them. What they serve is `app`."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Generator

import uvicorn
from starlette.types import ASGIApp

from lazulite.domain.errors import Unavailable
from lazulite.wire.tls import TlsFiles

KEEP_ALIVE = 75  # seconds an idle connection stays open
DRAIN = 2  # seconds that open requests get when the server stops


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
        http="httptools",
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
