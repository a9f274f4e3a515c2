from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest
from starlette.requests import ClientDisconnect, Request

from lazulite.domain.errors import TooSlow
from lazulite.wire import body as body_module
from lazulite.wire.body import AHEAD, CHUNK, LITTLE, Body, receive

Message = dict[str, object]


def request(*messages: Message) -> tuple[Request, list[Message]]:
    left = list(messages)

    async def take() -> Message:
        return left.pop(0) if left else {"type": "http.disconnect"}

    return Request({"type": "http"}, take), left


def parts(*contents: bytes) -> list[Message]:
    more = [{"type": "http.request", "body": c, "more_body": True} for c in contents]
    return [*more, {"type": "http.request", "body": b"", "more_body": False}]


def all_of(body: Body) -> bytes:
    data = b""
    while part := body.read():
        data += part
    return data


def run(work: Callable[[Body], object], *messages: Message) -> object:
    async def main() -> object:
        return await receive(work, request(*messages)[0])

    return asyncio.run(main())


def test_a_body_is_read_whole() -> None:
    assert run(all_of, *parts(b"ab", b"c", b"")) == b"abc"


def test_no_body_is_empty() -> None:
    assert run(all_of, *parts()) == b""


def test_exactly_as_much_is_read_as_asked() -> None:
    def work(body: Body) -> list[bytes]:
        return [body.read(2), body.read(3), body.read(10), body.read(1), body.read()]

    assert run(work, *parts(b"abc", b"defg", b"h")) == [b"ab", b"cde", b"fgh", b"", b""]


def test_a_large_body_comes_in_order() -> None:
    sent = [bytes([number]) * 300_000 for number in range(100)]
    assert run(all_of, *parts(*sent)) == b"".join(sent)


def test_a_part_is_no_larger_than_a_chunk() -> None:
    assert run(lambda body: len(body.read(3 * CHUNK)), *parts(b"x" * 3 * CHUNK)) == CHUNK


def test_a_caller_who_goes_away_is_not_taken_for_the_end() -> None:
    with pytest.raises(ClientDisconnect):
        run(all_of, *parts(b"abc")[:1])


def test_a_request_that_is_cancelled_is_not_taken_for_the_end() -> None:
    async def never() -> Message:
        await asyncio.Event().wait()
        return {}

    async def main() -> None:
        body = Body()
        filling = asyncio.create_task(body.fill(Request({"type": "http"}, never)))
        await asyncio.sleep(0)
        filling.cancel()
        await asyncio.to_thread(body.read)

    with pytest.raises(ClientDisconnect):
        asyncio.run(main())


def test_what_the_work_raises_is_raised() -> None:
    def work(body: Body) -> None:
        body.read(1)
        raise LookupError

    with pytest.raises(LookupError):
        run(work, *parts(b"abc", b"def"))


def test_the_caller_waits_for_a_slow_thread() -> None:
    async def main() -> int:
        asked, left = request(*parts(*[b"x" * CHUNK] * 20))
        body = Body()
        filling: Awaitable[None] = asyncio.create_task(body.fill(asked))
        for _ in range(100):
            await asyncio.sleep(0)
        waiting = len(left)
        await asyncio.to_thread(all_of, body)
        await filling
        return waiting

    assert asyncio.run(main()) == 21 - (AHEAD // CHUNK + 1)


class Sender:
    """A request whose parts come when the test says so."""

    def __init__(self) -> None:
        self.parts: asyncio.Queue[Message] = asyncio.Queue()
        self.request = Request({"type": "http"}, self.parts.get)

    def send(self, content: bytes, *, last: bool = False) -> None:
        message = {"type": "http.request", "body": content, "more_body": not last}
        self.parts.put_nowait(message)


@pytest.fixture
def one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_module, "AT_ONCE", 1)
    monkeypatch.setattr(body_module, "PATIENCE", 0.01)


@pytest.mark.usefixtures("one_place")
def test_whoever_waits_for_a_sender_holds_up_nobody() -> None:
    async def main() -> list[bytes]:
        slow, quick = Sender(), Sender()
        slow.send(b"a" * LITTLE)
        first = asyncio.create_task(receive(all_of, slow.request))
        await asyncio.sleep(0)
        quick.send(b"b" * 2 * LITTLE, last=True)
        second = await receive(all_of, quick.request)
        slow.send(b"c", last=True)
        return [await first, second]

    assert asyncio.run(main()) == [b"a" * LITTLE + b"c", b"b" * 2 * LITTLE]


def test_a_little_that_has_come_needs_no_thread() -> None:
    started = threading.Event()

    def work(body: Body) -> bytes:
        started.set()
        return all_of(body)

    async def main() -> tuple[bool, bytes]:
        sender = Sender()
        sender.send(b"a" * (LITTLE - 1))
        task = asyncio.create_task(receive(work, sender.request))
        for _ in range(100):
            await asyncio.sleep(0)
        before = started.is_set()
        sender.send(b"b", last=True)
        return before, await task

    assert asyncio.run(main()) == (False, b"a" * (LITTLE - 1) + b"b")


@pytest.mark.usefixtures("one_place")
def test_of_too_many_slow_senders_the_slowest_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_module, "SLOW", 2)

    async def main() -> list[object]:
        senders = [Sender() for _ in range(3)]
        tasks = []
        for sender in senders:
            sender.send(b"a" * LITTLE)
            tasks.append(asyncio.create_task(receive(all_of, sender.request)))
            await asyncio.sleep(0)
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for sender in senders:
            sender.send(b"b", last=True)
        await asyncio.wait(tasks)
        return [task in done for task in tasks] + [task.exception() for task in tasks]

    cut = asyncio.run(main())
    assert cut[0] is True
    assert isinstance(cut[3], TooSlow)
    assert cut[5] is None


@pytest.mark.usefixtures("one_place")
def test_a_sender_that_goes_away_while_it_is_waited_for_frees_its_place() -> None:
    async def main() -> bytes:
        gone, here = Sender(), Sender()
        gone.send(b"a" * LITTLE)
        first = asyncio.create_task(receive(all_of, gone.request))
        await asyncio.sleep(0.05)
        gone.parts.put_nowait({"type": "http.disconnect"})
        with pytest.raises(ClientDisconnect):
            await first
        here.send(b"b", last=True)
        return await receive(all_of, here.request)

    assert asyncio.run(main()) == b"b"
