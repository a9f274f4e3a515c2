"""Sockets."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

from lazulite.domain.errors import Unavailable
from lazulite.wire import listen
from lazulite.wire.listen import MAX_HEAD, bind, url_of
from tests.wire.live import Live


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
