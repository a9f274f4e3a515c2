"""Against a socket that says exactly what the test tells it to."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lazulite.client.rest import Address, Connection, Unreachable
from lazulite.domain.errors import TooLarge

Serve = Callable[..., Connection]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a connection to a server that answers each call with the next of these bytes."""
    ends: list[Callable[[], None]] = []

    def start(*answers: bytes, hang_up: bool = True) -> Connection:
        server = socket.create_server(("127.0.0.1", 0))
        thread = threading.Thread(target=_answer, args=(server, answers, hang_up))
        thread.start()
        connection = Connection(
            Address(url=f"http://127.0.0.1:{server.getsockname()[1]}", token="t")
        )
        ends.extend((connection.close, thread.join))
        return connection

    yield start
    for end in ends:
        end()


def _answer(server: socket.socket, answers: tuple[bytes, ...], hang_up: bool) -> None:
    client, _ = server.accept()
    server.close()  # nobody else is let in
    with client:
        for answer in answers:
            client.recv(65536)
            client.sendall(answer)
        if not hang_up:
            client.recv(65536)


def test_a_reply_without_a_length_ends_with_the_connection(serve: Serve) -> None:
    connection = serve(b'HTTP/1.1 200 OK\r\n\r\n{"a": 1}')
    assert connection.json("GET", "/") == {"a": 1}


def test_what_comes_before_the_answer_is_skipped(serve: Serve) -> None:
    connection = serve(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    )
    assert connection.json("GET", "/") == {}


def test_an_answer_may_have_no_body(serve: Serve) -> None:
    connection = serve(
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n7\r\n0\r\n\r\n",
    )
    assert connection.json("GET", "/") == {}
    assert connection.json("GET", "/") == 7


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
        b"SSH-2.0-OpenSSH_9\r\n",
    ],
)
def test_a_reply_that_breaks_off_or_is_not_http_is_no_answer(serve: Serve, answer: bytes) -> None:
    with pytest.raises(Unreachable, match="no answer from"):
        serve(answer).json("POST", "/", {})


def test_a_server_that_closes_is_not_asked_again_on_that_connection(serve: Serve) -> None:
    connection = serve(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
    connection.json("GET", "/")
    with pytest.raises(Unreachable):
        connection.json("POST", "/")


def test_a_refusal_in_the_middle_of_a_body_is_read(serve: Serve, tmp_path: Path) -> None:
    body = b'{"error": {"code": "RequestEntityTooLarge", "message": "too large"}}'
    head = b"HTTP/1.1 413 Too Large\r\nContent-Length: %d\r\n\r\n" % len(body)
    big = tmp_path / "big"
    big.write_bytes(bytes(1000))
    with big.open("rb") as content, pytest.raises(TooLarge, match="too large"):
        serve(head + body, hang_up=False).send("PUT", "/", content, 1000)


def test_a_file_that_became_shorter_is_told(serve: Serve, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.write_bytes(b"1")
    with small.open("rb") as content, pytest.raises(Unreachable, match="became shorter"):
        serve(b"", hang_up=True).send("PUT", "/", content, 10)
