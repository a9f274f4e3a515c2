"""The servers that tracking is measured on: Lazulite, `mlflow server`, and bare ASGI as a limit."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from tests.e2e.server import Server

PERIOD = 0.1  # seconds between two looks at the memory
KEPT = 2.0  # seconds after which a server may have closed a silent connection


class Peer:
    """A server that speaks MLflow's REST, and one connection to it."""

    def __init__(self, url: str, token: str, pid: int) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=300)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._used = 0.0
        self.pid = pid
        self.ready = 0.0  # seconds until it answered
        self.idle = 0  # bytes before it had anything to do
        self.experiments: dict[int, str] = {}  # id of the experiment with so many runs

    def call(self, method: str, path: str, body: Any = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        return json.loads(self.send(method, path, content) or b"{}")

    def send(self, method: str, path: str, content: Any, kind: str = "application/json") -> bytes:
        """Send bytes, or a file; return the answer's."""
        answer = self._ask(method, path, content, kind)
        body = answer.read()
        self._used = time.monotonic()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {body[:300]!r}")
        return body

    def drain(self, path: str) -> int:
        """Get a file, throw it away, and return its size."""
        answer, size = self._ask("GET", path, None, "application/json"), 0
        while part := answer.read(1 << 20):
            size += len(part)
        return size

    def _ask(self, method: str, path: str, content: Any, kind: str) -> http.client.HTTPResponse:
        if time.monotonic() - self._used > KEPT:
            self._connection.close()  # the next request opens it anew
        self._connection.request(method, path, content, self._headers | {"Content-Type": kind})
        return self._connection.getresponse()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def memory(self) -> int:
        """Bytes of the process and all below it."""
        return memory(self.pid)


def memory(pid: int) -> int:
    """Return the bytes that a process and all below it hold; 0 when it is gone."""
    try:
        top = psutil.Process(pid)
        return sum(p.memory_info().rss for p in [top, *top.children(recursive=True)])
    except psutil.Error:
        return 0


@contextmanager
def watched(*pids: int) -> Iterator[dict[int, int]]:
    """Give the most bytes that each process held since, kept up to date until the block ends."""
    most, ended = dict.fromkeys(pids, 0), threading.Event()

    def look() -> None:
        while not ended.wait(PERIOD):
            for pid in pids:
                most[pid] = max(most[pid], memory(pid))

    thread = threading.Thread(target=look, name="memory")
    thread.start()
    try:
        yield most
    finally:
        ended.set()
        thread.join()


@contextmanager
def lazulite(home: Path) -> Iterator[Peer]:
    """Start a server on a home that has been filled."""
    server = Server(home)
    try:
        ready = server.start()
        token = (home / "token").read_text().strip()
        assert server.process is not None
        with closing(Peer(server.about["http"], token, server.process.pid)) as peer:
            peer.ready = ready
            yield peer
    finally:
        server.clean_up()


@contextmanager
def mlflow(folder: Path) -> Iterator[Peer]:
    """Start `mlflow server` as it comes, on a SQLite database and a folder."""
    command = ["mlflow", "server", "--port", "PORT"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    with _module(folder, command, "/health") as peer:
        yield peer


@contextmanager
def bare(folder: Path) -> Iterator[Peer]:
    """Start an ASGI app that reads the body and answers 200, on the web server that ours uses."""
    command = ["uvicorn", "tests.bench.bare:app", "--port", "PORT", "--log-level", "warning"]
    with _module(folder, [*command, "--no-access-log"], "/") as peer:
        yield peer


@contextmanager
def _module(folder: Path, command: list[str], health: str) -> Iterator[Peer]:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", *(str(port) if w == "PORT" else w for w in command)]
    began = time.perf_counter()
    with (folder / f"{command[0]}.log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    peer = Peer(f"http://127.0.0.1:{port}", "", process.pid)
    try:
        _wait(port, health, process)
        peer.ready = time.perf_counter() - began
        yield peer
    finally:
        peer.close()
        for one in [*psutil.Process(process.pid).children(recursive=True), process]:
            one.kill()
        process.wait()


def _wait(port: int, health: str, process: subprocess.Popen[bytes]) -> None:
    began = time.perf_counter()
    while time.perf_counter() - began < 120 and process.poll() is None:
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as probe:
                probe.request("GET", health)
                if probe.getresponse().status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} did not start")
