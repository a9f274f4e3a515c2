"""Bodies in, errors out."""

from __future__ import annotations

import time

import pytest

from lazulite.domain import errors
from lazulite.wire.http import MAX_DEPTH, azure_error, read_json, status_of


def test_an_empty_body_is_an_empty_object() -> None:
    assert read_json(b"") == {}


@pytest.mark.parametrize("body", [b"{", b"[1]", b"nul", b'"x"', b"\xff\xfe", b"{'a': 1}"])
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(errors.InvalidInput, match="JSON"):
        read_json(body)


@pytest.mark.parametrize("opening", [b'{"a":', b"["])
@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 100_000])
def test_deep_nesting_is_refused_at_once(opening: bytes, depth: int) -> None:
    closing = b"}" if opening.startswith(b"{") else b"]"
    body = b'{"x":' + opening * depth + b"1" + closing * depth + b"}"
    began = time.perf_counter()
    with pytest.raises(errors.InvalidInput, match="nested deeper"):
        read_json(body)
    assert time.perf_counter() - began < 1


def test_a_wide_body_is_not_a_deep_one() -> None:
    assert len(read_json(b'{"a":[' + b",".join([b"{}"] * 1000) + b"]}")["a"]) == 1000


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidInput, 400),
        (errors.Unsupported, 400),
        (errors.Unauthenticated, 401),
        (errors.Denied, 403),
        (errors.NotFound, 404),
        (errors.Conflict, 409),
        (errors.StaleLease, 409),
        (errors.TooLarge, 413),
        (errors.LazuliteError, 500),
        (errors.Unavailable, 503),
    ],
)
def test_every_error_has_its_status(error: type[errors.LazuliteError], status: int) -> None:
    assert status_of(error("x")) == status


def test_an_error_is_told_as_azure_does() -> None:
    error = errors.InvalidInput("'x' is wrong", path="properties.x", known=["y"])
    reply = azure_error(error, "r1")
    told = reply.body["error"]
    assert (told["code"], told["message"]) == ("ValidationError", "'x' is wrong")
    assert told["target"] == "properties.x"
    assert told["additionalInfo"][0]["info"] == {"known": ["y"]}
    assert reply.headers["x-ms-error-code"] == "ValidationError"


def test_who_is_not_known_is_told_how_to_be() -> None:
    assert azure_error(errors.Unauthenticated("who?"), "r").headers["WWW-Authenticate"] == "Bearer"
