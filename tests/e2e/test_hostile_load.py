"""What clients can do to the memory of a server: little."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from tests.e2e.server import SCOPE, Server

API = "/api/2.0/mlflow"
MB = 1 << 20
GB = 1 << 30


class Memory:
    """The most that the server's process held, above what it held at first."""

    def __init__(self, server: Server) -> None:
        assert server.process is not None
        self._process = psutil.Process(server.process.pid)
        self._first = self._most = self._process.memory_info().rss
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def grown(self) -> int:
        """Bytes."""
        return self._most - self._first

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self._most = max(self._most, self._process.memory_info().rss)


def headers(server: Server) -> dict[str, str]:
    return {"Authorization": f"Bearer {(server.home / 'token').read_text().strip()}"}


def connected(server: Server) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(server.about["http"]).netloc, timeout=60)


def send(server: Server, method: str, path: str, body: Any, **more: Any) -> int:
    """Return the status; a server that hung up on a body refused it."""
    connection = connected(server)
    try:
        connection.request(method, path, body, headers(server), **more)
        answer = connection.getresponse()
        answer.read()
    except ConnectionError:
        return 413
    else:
        return answer.status
    finally:
        connection.close()


def zeros(size: int) -> Iterator[bytes]:
    piece = b" " * MB
    for _ in range(size // MB):
        yield piece


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"{API}/runs/log-batch"),
        ("POST", f"{API}/runs/search"),
        ("PUT", f"{SCOPE}/jobs/large"),
        ("POST", f"/lazulite/v1{SCOPE}/snapshots"),
    ],
)
def test_a_gigabyte_of_json_is_refused_at_once_and_held_by_nobody(
    shared_server: Server, method: str, path: str, chunked: bool
) -> None:
    sent = headers(shared_server)
    connection = connected(shared_server)
    with Memory(shared_server) as memory:
        try:
            if chunked:
                status = send(shared_server, method, path, zeros(GB), encode_chunked=True)
            else:
                sent["Content-Length"] = str(GB)
                connection.request(method, path, zeros(GB), sent)
                status = connection.getresponse().status
        except ConnectionError:
            status = 413
        finally:
            connection.close()
    assert status == 413
    assert memory.grown < (200 if "snapshots" in path else 64) * MB
    assert send(shared_server, "GET", "/readyz", None) == 200


def test_ten_large_bodies_at_once_share_the_memory(shared_server: Server) -> None:
    body = b'{"no entries": "' + b"x" * (60 * MB) + b'"}'
    path = f"/lazulite/v1{SCOPE}/snapshots"
    with Memory(shared_server) as memory, ThreadPoolExecutor(10) as pool:
        statuses = set(pool.map(lambda _: send(shared_server, "POST", path, body), range(10)))
    assert statuses <= {400, 429}  # what is wrong with it is found in the memory of one
    assert memory.grown < 200 * MB


def test_stalled_uploads_hold_up_no_other(shared_server: Server) -> None:
    run = shared_server.request("POST", f"{API}/runs/create", {"experiment_id": "0"})
    files = f"/api/2.0/mlflow-artifacts/artifacts/0/{run['run']['info']['run_id']}/artifacts"
    parts = urlsplit(shared_server.about["http"])
    token = headers(shared_server)["Authorization"]
    with Memory(shared_server) as memory, ExitStack() as stack:
        for number in range(200):
            sock = stack.enter_context(socket.create_connection((parts.hostname, parts.port)))
            head = f"PUT {files}/{number} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n"
            sock.sendall(f"{head}Content-Length: {GB}\r\n\r\n".encode() + b"x" * 100_000)
        for name in ("small", "large"):
            body = b"y" * (10 if name == "small" else 20 * MB)
            assert send(shared_server, "PUT", f"{files}/{name}", body) == 200
    assert memory.grown < 200 * MB


def test_who_never_reads_is_sent_little(shared_server: Server) -> None:
    run = shared_server.request("POST", f"{API}/runs/create", {"experiment_id": "0"})
    files = f"/api/2.0/mlflow-artifacts/artifacts/0/{run['run']['info']['run_id']}/artifacts"
    assert send(shared_server, "PUT", f"{files}/large", zeros(256 * MB), encode_chunked=True) == 200
    parts = urlsplit(shared_server.about["http"])
    token = headers(shared_server)["Authorization"]
    with Memory(shared_server) as memory, ExitStack() as stack:
        for _ in range(60):
            sock = stack.enter_context(socket.create_connection((parts.hostname, parts.port)))
            head = f"GET {files}/large HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n"
            sock.sendall(head.encode())
            sock.recv(1)
        assert send(shared_server, "GET", f"{files}/large", None) == 200
    assert memory.grown < 100 * MB


def test_a_storm_of_batches_leaves_the_memory_as_it_was(server: Server) -> None:
    run = server.request("POST", f"{API}/runs/create", {"experiment_id": "0"})
    run_id = run["run"]["info"]["run_id"]

    def storm(writer: int) -> None:
        connection = connected(server)
        for batch in range(10):
            points = [
                {"key": f"w{writer}", "value": 1.0, "timestamp": 1, "step": batch * 200 + at}
                for at in range(200)
            ]
            body = json.dumps({"run_id": run_id, "metrics": points})
            connection.request("POST", f"{API}/runs/log-batch", body, headers(server))
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"{}")
        connection.close()

    with ThreadPoolExecutor(100) as pool:
        list(pool.map(storm, range(100)))  # what is held from now on is what it takes
        with Memory(server) as memory:
            list(pool.map(storm, range(100)))
    assert memory.grown < 16 * MB
