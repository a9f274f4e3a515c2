"""Bodies and the memory they share."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from lazulite.domain.access import Action
from lazulite.wire import intake
from lazulite.wire.http import Call, Reply, Route
from lazulite.wire.intake import Limits
from tests.wire.live import Answer, Live, live_server

MEMORY = 1 << 20
API = "/api/2.0/mlflow"


def measure(call: Call) -> Reply:
    return Reply(body={"size": len(call.body)})


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server with 1 MB for bodies, half a second of patience."""
    sizes = Route(method="PUT", path="/size", action=Action.READ, endpoint=measure, limit=MEMORY)
    limits = Limits(memory=MEMORY, patience=0.5)
    with live_server(tmp_path_factory.mktemp("home"), (sizes,), limits=limits) as server:
        yield server


@contextmanager
def begun(live: Live, path: str, size: int, sent: int) -> Iterator[socket.socket]:
    """A request that announces `size` bytes and has sent some of them."""
    parts = urlsplit(live.http)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as sock:
        head = f"Authorization: Bearer {live.tokens.owner}\r\nContent-Length: {size}\r\n\r\n"
        sock.sendall(f"PUT {path} HTTP/1.1\r\nHost: x\r\n{head}".encode() + b"x" * sent)
        yield sock


def answer_of(sock: socket.socket) -> Answer:
    response = http.client.HTTPResponse(sock)
    response.begin()
    return Answer(response.status, dict(response.headers), response.read())


def until_full(live: Live) -> None:
    """Return once the memory is taken: a large request has to wait then."""
    while live.put("/size", b"x" * 100_000).status == 200:
        pass


def test_a_body_is_given_whole(live: Live) -> None:
    for size in (0, 1, 65_536, 65_537, 500_000, MEMORY):
        assert live.put("/size", b"x" * size).body == {"size": size}


def test_a_body_over_the_limit_of_its_route_is_refused(live: Live) -> None:
    answer = live.put("/size", b"x" * (MEMORY + 1))
    assert (answer.status, answer.code) == (413, "RequestEntityTooLarge")
    assert "over 1 MB" in answer.message


def test_what_does_not_fit_the_memory_is_told_when_to_come_back(live: Live) -> None:
    with begun(live, "/size", MEMORY, MEMORY - 1) as holder:
        until_full(live)
        answer = live.put("/size", b"x" * 100_000)
        assert (answer.status, answer.code) == (429, "TooManyRequests")
        assert int(answer.headers["retry-after"]) >= 1
        path = f"{API}/experiments/create"
        told = live.call("POST", path, {"name": "x" * 100_000})
        assert (told.status, told.body["error_code"]) == (429, "REQUEST_LIMIT_EXCEEDED")
        assert int(told.headers["retry-after"]) >= 1
        holder.sendall(b"x")
        assert answer_of(holder).body == {"size": MEMORY}
    assert live.put("/size", b"x" * 100_000).status == 200


def test_small_bodies_need_no_memory(live: Live) -> None:
    with begun(live, "/size", MEMORY, MEMORY - 1):
        until_full(live)
        assert live.put("/size", b"x" * 65_536).status == 200


def test_who_announces_much_and_sends_nothing_takes_nothing(live: Live) -> None:
    with begun(live, "/size", MEMORY, 1000):
        assert live.put("/size", b"x" * MEMORY).status == 200


def test_the_memory_of_a_client_that_went_away_is_free(live: Live) -> None:
    with begun(live, "/size", MEMORY, MEMORY - 1):
        until_full(live)
    while live.put("/size", b"x" * MEMORY).status == 429:
        pass  # the server has not seen it go yet


def test_whoever_waits_gets_in_when_there_is_memory(live: Live) -> None:
    statuses: list[int] = []
    senders = [
        threading.Thread(target=lambda: statuses.append(live.put("/size", b"x" * 600_000).status))
        for _ in range(8)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert statuses == [200] * 8


def test_a_body_that_does_not_come_is_given_up(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "SILENCE", 0.1)
    with begun(live, "/size", 10, 3) as sock:
        answer = answer_of(sock)
    assert (answer.status, answer.code) == (408, "RequestTimeout")
    assert "3 bytes of it are here" in answer.message
    assert answer.headers["retry-after"] == "1"


def test_a_body_that_trickles_is_given_up(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "SILENCE", 0.2)
    told: list[Answer] = []
    with begun(live, "/size", MEMORY, 0) as sock:
        reading = threading.Thread(target=lambda: told.append(answer_of(sock)))
        reading.start()
        while not told:
            sock.sendall(b"x")
            reading.join(0.01)
    assert told[0].status == 408


def test_a_request_of_a_thousand_nested_lists_is_refused_by_every_route(live: Live) -> None:
    deep = b'{"tags":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    for path in ("runs/create", "runs/log-batch", "runs/search", "experiments/create"):
        answer = live.call("POST", f"{API}/{path}", deep)
        assert (answer.status, answer.body["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert json.loads(live.put("/size", deep).raw) == {"size": len(deep)}
