"""Sockets."""

from __future__ import annotations

import contextlib
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lazulite.domain.errors import Unavailable
from lazulite.wire import listen
from lazulite.wire.listen import MAX_HEAD, bind, url_of
from tests.wire.live import SCOPE, Live, live_server


def test_a_port_that_is_taken_is_named_with_the_mend() -> None:
    with bind(0) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(Unavailable, match=f"port {port} .* LAZULITE_HTTP_PORT"):
            bind(port)


def test_the_url_of_a_listener_tells_its_port() -> None:
    with bind(0) as sock:
        assert url_of(sock, tls=False) == f"http://127.0.0.1:{sock.getsockname()[1]}"


def test_an_address_of_version_six_stands_in_brackets() -> None:
    try:
        sock = bind(0, "::1")
    except Unavailable:
        pytest.skip("this machine has no IPv6")
    with sock:
        assert url_of(sock, tls=True).startswith("https://[::1]:")


def connect(live: Live) -> socket.socket:
    parts = urlsplit(live.http)
    sock = socket.create_connection((parts.hostname, parts.port), timeout=20)
    sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
    return sock


def answer_of(sock: socket.socket) -> bytes:
    answer = b""
    while part := sock.recv(65536):
        answer += part
    return answer


@pytest.mark.parametrize("part", [b"a", b"x: y\r\n"])
def test_a_head_that_does_not_end_is_cut_off(live: Live, part: bytes) -> None:
    with connect(live) as sock:
        sock.sendall(b"many: " + part * (MAX_HEAD // len(part)))
        assert answer_of(sock).startswith(b"HTTP/1.1 431 ")
    assert live.get("/healthz", token=None).status == 200


def test_a_head_of_usual_length_is_taken(live: Live) -> None:
    with connect(live) as sock:
        sock.sendall(b"connection: close\r\nlong: " + b"a" * (MAX_HEAD // 2) + b"\r\n\r\n")
        assert answer_of(sock).startswith(b"HTTP/1.1 200 ")


def test_who_takes_too_long_for_a_head_is_let_go(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "HEAD_WAIT", 0.05)
    with connect(live) as slow:
        assert answer_of(slow) == b""
    parts = urlsplit(live.http)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as silent:
        assert answer_of(silent) == b""


def begun(live: Live, head: str) -> socket.socket:
    parts = urlsplit(live.http)
    sock = socket.create_connection((parts.hostname, parts.port), timeout=20)
    authorization = f"Authorization: Bearer {live.tokens.owner}"
    sock.sendall(f"{head} HTTP/1.1\r\nHost: x\r\n{authorization}\r\n".encode())
    return sock


def flood(sock: socket.socket) -> None:
    while True:
        sock.sendall(b"x" * 65536)


def test_who_goes_on_sending_after_the_answer_is_let_go(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "LINGER", 0.1)
    with begun(live, f"PUT {SCOPE}") as sock:
        sock.sendall(f"Content-Length: {1 << 40}\r\n\r\n".encode())
        assert sock.recv(65536).startswith(b"HTTP/1.1 413 ")
        with pytest.raises(ConnectionError):
            flood(sock)


def test_the_end_of_a_refused_body_keeps_the_connection(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "LINGER", 0.1)
    with begun(live, f"PUT {SCOPE}") as sock:
        sock.sendall(f"Content-Length: {17 << 20}\r\n\r\n".encode())
        assert sock.recv(65536).startswith(b"HTTP/1.1 413 ")
        sock.sendall(b"x" * (17 << 20))
        time.sleep(0.2)  # longer than it would have lingered
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert answer_of(sock).startswith(b"HTTP/1.1 200 ")


def test_who_does_not_read_an_answer_is_let_go(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "READ_WAIT", 0.1)
    path = f"/api/2.0/mlflow-artifacts/artifacts/0/{_run_with_a_large_file(live)}"
    with begun(live, f"GET {path}") as sock:
        sock.sendall(b"\r\n")
        time.sleep(0.5)  # reads nothing meanwhile
        assert received_of(sock) < LARGE


def test_who_reads_slowly_gets_it_all(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "READ_WAIT", 0.1)
    path = f"/api/2.0/mlflow-artifacts/artifacts/0/{_run_with_a_large_file(live)}"
    with begun(live, f"GET {path}") as sock:
        sock.sendall(b"Connection: close\r\n\r\n")
        received = 0
        while part := sock.recv(1 << 20):
            received += len(part)
            time.sleep(0.01)
    assert received > LARGE


def test_there_are_no_more_connections_than_the_server_can_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "CONNECTIONS", 2)
    with (
        live_server(tmp_path) as fresh,  # nothing of another test lingers in its count
        connect(fresh) as first,
        connect(fresh),
        connect(fresh) as third,
    ):
        assert answer_of(third).startswith(b"HTTP/1.1 503 ")
        first.sendall(b"Connection: close\r\n\r\n")
        assert answer_of(first).startswith(b"HTTP/1.1 200 ")


def test_who_asks_on_and_on_without_reading_is_let_go(live: Live) -> None:
    parts = urlsplit(live.http)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
        assert answer_of(sock).count(b"HTTP/1.1 200 ") < 1000
    assert live.get("/healthz", token=None).status == 200


def received_of(sock: socket.socket) -> int:
    """Return how many bytes come before the end, be it a cut."""
    received = 0
    with contextlib.suppress(ConnectionError):
        while part := sock.recv(1 << 20):
            received += len(part)
    return received


LARGE = 48 << 20  # bytes, more than sockets buffer


def _run_with_a_large_file(live: Live) -> str:
    made = live.call("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"})
    run = made.body["run"]["info"]["run_id"]
    store = live.home / "files" / "stores" / "1" / "workspaceartifactstore"
    folder = store / "ExperimentRun" / f"dcid.{run}"
    folder.mkdir(parents=True)
    with (folder / "large.bin").open("wb") as file:
        file.truncate(LARGE)
    return f"{run}/artifacts/large.bin"
