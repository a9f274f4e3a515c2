import json

import pytest

from lazulite.client.rest import Address, Connection, Unreachable, lines, read_error, with_query
from lazulite.client.session import Session
from lazulite.domain import errors
from tests.client.fake import TOKEN, Fake, Reply, Request


def test_calls_share_one_connection_and_carry_the_token(fake: Fake, session: Session) -> None:
    fake.arm("GET", "", {"name": "ws"})
    for _ in range(3):
        assert session.arm("GET", "") == {"name": "ws"}
    assert fake.connections == 1
    assert {request.token for request in fake.requests} == {TOKEN}


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "ValidationError", errors.InvalidInput),
        (400, "NotSupported", errors.Unsupported),
        (401, "InvalidAuthenticationToken", errors.Unauthenticated),
        (403, "AuthorizationFailed", errors.Denied),
        (404, "ResourceNotFound", errors.NotFound),
        (409, "Conflict", errors.Conflict),
        (413, "RequestEntityTooLarge", errors.TooLarge),
        (404, "SomethingNew", errors.NotFound),
        (500, "InternalError", errors.LazuliteError),
    ],
)
def test_a_refusal_becomes_the_error_it_stands_for(
    status: int, code: str, kind: type[errors.LazuliteError]
) -> None:
    body = json.dumps({"error": {"code": code, "message": "no", "target": "a.b"}}).encode()
    error = read_error(status, body)
    assert (type(error), error.message, error.path) == (kind, "no", "a.b")


def test_a_refusal_without_words_tells_its_status() -> None:
    assert read_error(502, b"<html>").message == "the server answered 502"


def test_a_connection_closed_while_idle_is_opened_again(fake: Fake, session: Session) -> None:
    fake.arm("GET", "", {"n": 1})
    session.arm("GET", "")
    fake.arm("GET", "", _once(Reply(hang_up=True), Reply({"n": 2})))
    assert session.arm("GET", "") == {"n": 2}


def test_what_may_do_harm_twice_is_sent_once(fake: Fake, session: Session) -> None:
    fake.arm("GET", "", {})
    session.arm("GET", "")
    fake.arm("PUT", "jobs/a", Reply(hang_up=True))
    with pytest.raises(Unreachable):
        session.arm("PUT", "jobs/a", {}, repeat=False)
    assert len(fake.sent("PUT")) == 1


def test_a_busy_server_is_asked_again(fake: Fake, session: Session) -> None:
    busy = Reply({"error": {"code": "ServiceUnavailable", "message": "busy"}}, 503)
    fake.arm("GET", "", _once(busy, Reply({"n": 2})))
    assert session.arm("GET", "") == {"n": 2}


def test_nobody_there_is_told_with_the_mend() -> None:
    connection = Connection(Address(url="http://127.0.0.1:1", token="t"))
    with pytest.raises(Unreachable, match=r"no answer from http://127\.0\.0\.1:1 .*lazulite up"):
        connection.json("POST", "/")


def test_a_server_of_something_else_is_told(fake: Fake, session: Session) -> None:
    fake.arm("GET", "", Reply(pieces=[b"<html>hello"]))
    with pytest.raises(Unreachable, match="is no Lazulite server"):
        session.arm("GET", "")


def test_lines_come_as_soon_as_they_are_whole() -> None:
    assert list(lines(iter([b"a\nb", b"c\n", b"d"]))) == [b"a", b"bc", b"d"]


def test_a_stream_gives_its_pieces(fake: Fake, session: Session) -> None:
    fake.on("GET", "/x", Reply(pieces=[b"one", b"two"]))
    with session.connection.stream("/x", query={"offset": 3, "none": None}) as pieces:
        assert b"".join(pieces) == b"onetwo"
    assert fake.requests[-1].query == "offset=3"


def test_pages_are_followed_to_the_last(fake: Fake, session: Session) -> None:
    def page(request: Request) -> Reply:
        if "skip" in request.query:
            return Reply({"value": [{"name": "b"}]})
        return Reply({"value": [{"name": "a"}], "nextLink": f"{fake.url}{request.path}?skip=1"})

    fake.arm("GET", "jobs", page)
    assert [item["name"] for item in session.pages("jobs")] == ["a", "b"]


def test_a_query_is_added_to_a_path() -> None:
    assert with_query("/a?x=1", {"y": "2 3"}) == "/a?x=1&y=2+3"
    assert with_query("/a", {"y": None}) == "/a"


def _once(first: Reply, then: Reply) -> object:
    replies = iter([first])
    return lambda _: next(replies, then)
