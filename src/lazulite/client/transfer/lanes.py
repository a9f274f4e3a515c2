"""Uploads artifacts to the workspace, several at a time."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from hashlib import md5
from queue import SimpleQueue
from typing import Any, BinaryIO
from urllib.parse import quote

from lazulite.client.rest import Connection
from lazulite.client.session import Session
from lazulite.client.transfer.artifacts import attempt
from lazulite.client.transfer.records import File
from lazulite.domain.errors import Unavailable

_LANES = 4  # files that are sent at once
_IN_MEMORY = 1 << 20  # bytes of a file that is sent in one piece
_TRIES = 5  # of a call, while the server is busy


class Lanes:
    """Threads that send files, each over a connection of its own."""

    def __init__(self, session: Session) -> None:
        """Prepare; a connection is made when it is needed."""
        scope = f"/mlflow/v1.0{session.workspace.arm}"
        self._root = f"{scope}/api/2.0/mlflow-artifacts/artifacts"
        self._threads = ThreadPoolExecutor(_LANES, "files")
        self._idle: SimpleQueue[Connection] = SimpleQueue()
        for _ in range(_LANES):
            self._idle.put(session.connection.another())

    def put(self, place: str, files: Sequence[File]) -> list[str | None]:
        """Send files, and return why each cannot be; they are opened in this thread."""
        found: list[Future[str | None] | None] = []
        reasons: list[str | None] = []
        for file in files:
            opened: list[BinaryIO] = []
            reasons.append(attempt(partial(_open, file, opened)))
            send = [partial(self._send, each, f"{place}/{file.path}") for each in opened]
            found.append(self._threads.submit(attempt, send[0]) if send else None)
        return [
            reason if sent is None else sent.result()
            for sent, reason in zip(found, reasons, strict=True)
        ]

    def close(self) -> None:
        """Hang up."""
        self._threads.shutdown()
        while not self._idle.empty():
            self._idle.get().close()

    def _send(self, content: BinaryIO, place: str) -> None:
        connection = self._idle.get()
        try:
            with content:
                size = content.seek(0, 2)
                body = content, size, _md5(content)
                patiently(partial(_put, connection, f"{self._root}/{quote(place)}", body))
        finally:
            self._idle.put(connection)


def patiently(send: Callable[[], None]) -> None:
    """Send; again while the server is busy, or hung up on an idle connection.

    Raises:
        Unavailable: it stays busy, or away.
    """
    for trial in range(1, _TRIES):
        try:
            return send()
        except Unavailable:
            time.sleep(0.05 * 4 ** (trial - 1))
    return send()


def _open(file: File, opened: list[BinaryIO]) -> None:
    opened.append(file.open())


def _put(connection: Connection, path: str, body: tuple[BinaryIO, int, str]) -> None:
    content, size, digest = body
    content.seek(0)
    sent: Any = content.read() if size <= _IN_MEMORY else content
    connection.send("PUT", path, sent, size, {"Content-MD5": digest})


def _md5(content: BinaryIO) -> str:
    content.seek(0)
    found = md5(usedforsecurity=False)
    while part := content.read(_IN_MEMORY):
        found.update(part)
    return b64encode(found.digest()).decode()
