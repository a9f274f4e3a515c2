"""A server of few words on a free port of this machine: it answers as it is told."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lazulite.client.rest import Address, Connection
from lazulite.client.session import Session
from lazulite.config import Settings
from lazulite.domain.ids import WorkspaceId

TOKEN = "open sesame"
WORKSPACE = WorkspaceId("sub", "group", "ws")
ARM = WORKSPACE.arm


@dataclass(frozen=True)
class Request:
    """What came in."""

    method: str
    path: str  # without the query
    query: str
    body: bytes
    token: str | None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What goes out; a list of pieces goes out chunked."""

    body: Any = None
    status: int = 200
    pieces: list[bytes] | None = None
    hang_up: bool = False  # close the connection without an answer
    breaks: bool = False  # close it after the pieces, without the end


Answer = Reply | Callable[[Request], Reply]


@dataclass
class Fake:
    """The answers by method and pattern of the path, and the requests that came."""

    answers: list[tuple[str, str, Answer]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    url: str = ""

    def on(self, method: str, pattern: str, answer: Answer | dict[str, Any]) -> None:
        """Answer so from now on; the last rule that fits counts."""
        found = Reply(answer) if isinstance(answer, dict) else answer
        self.answers.insert(0, (method, pattern, found))

    def arm(self, method: str, rest: str, answer: Answer | dict[str, Any]) -> None:
        """The same for a route below the workspace."""
        self.on(method, re.escape(ARM) + (f"/{rest}" if rest else ""), answer)

    def own(self, method: str, rest: str, answer: Answer | dict[str, Any]) -> None:
        """The same for one of our own routes of the workspace."""
        self.on(method, re.escape(f"/lazulite/v1{ARM}/") + rest, answer)

    def answer(self, request: Request) -> Reply:
        self.requests.append(request)
        for method, pattern, answer in self.answers:
            if method == request.method and re.fullmatch(pattern, request.path):
                return answer(request) if callable(answer) else answer
        error = {"code": "ResourceNotFound", "message": f"no {request.method} {request.path}"}
        return Reply({"error": error}, 404)

    def sent(self, method: str) -> list[Request]:
        return [request for request in self.requests if request.method == method]


@contextmanager
def fake_server() -> Iterator[Fake]:
    """Run a fake until the end of the block."""
    fake = Fake()
    server = _Server(fake)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def fake_session(home: Path) -> Iterator[tuple[Fake, Session]]:
    """Run a fake and open a session on it."""
    with fake_server() as fake:
        connection = Connection(Address(url=fake.url, token=TOKEN))
        session = Session(connection=connection, workspace=WORKSPACE, settings=Settings(home=home))
        try:
            yield fake, session
        finally:
            session.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, fake: Fake) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fake = fake


class _Handler(BaseHTTPRequestHandler):
    """Turns a call into a Request, and a Reply into bytes."""

    server: _Server
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.server.fake.connections += 1

    def handle_any(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        path, _, query = self.path.partition("?")
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        reply = self.server.fake.answer(
            Request(self.command, path, query, self.rfile.read(size), token)
        )
        if reply.hang_up:
            self.close_connection = True
        elif reply.pieces is not None:
            self._pieces(reply)
        else:
            self._whole(reply)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815

    def _whole(self, reply: Reply) -> None:
        raw = isinstance(reply.body, bytes)
        body = reply.body if raw else json.dumps(reply.body or {}).encode()
        self.send_response(reply.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _pieces(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in reply.pieces or ():
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            self.wfile.flush()
        if reply.breaks:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *args: object) -> None:
        """Say nothing."""
