"""How much memory a request of spans would take: told from its bytes, before anything is made.

Two bytes can stand for a message of hundreds of bytes in memory. What is small as it comes, and
small when it is inflated, may be neither once it is read.
"""

from __future__ import annotations

from typing import TypeAlias

from lazulite.domain.errors import InvalidInput, TooLarge
from lazulite.domain.trace import MAX_SPANS

SMALL = 256 * 1024  # bytes of a body that cannot become large
MAX_FIELDS = 1_000_000  # of all messages of a request; 10 000 spans of 15 attributes have 700 000
MAX_OBJECTS = 500_000  # of a request in JSON, where reading one costs as much as ten fields

_Shape: TypeAlias = "dict[int, _Shape]"  # the fields of a message that are messages

_VALUE: _Shape = {}
_PAIR: _Shape = {2: _VALUE}
_VALUE |= {5: {1: _VALUE}, 6: {1: _PAIR}}
_SPAN: _Shape = {9: _PAIR, 11: {3: _PAIR}, 13: {4: _PAIR}}
_REQUEST: _Shape = {1: {1: {1: _PAIR}, 2: {1: {3: _PAIR}, 2: _SPAN}}}
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5  # how a field is written; groups no OTLP has


def check_json(body: bytes) -> None:
    """Refuse JSON of too many objects; braces in texts count too.

    Raises:
        TooLarge: it has more than `MAX_OBJECTS`.
    """
    if len(body) > SMALL and body.count(b"{") > MAX_OBJECTS:
        raise TooLarge(f"the spans have over {MAX_OBJECTS} objects: send fewer at once")


def check_protobuf(body: bytes) -> None:
    """Refuse a request of too many fields.

    Raises:
        TooLarge: it has more than `MAX_FIELDS`, or more than `MAX_SPANS` spans.
        InvalidInput: it is no request of spans.
    """
    if len(body) <= SMALL:
        return
    fields = spans = 0
    waiting = [(0, len(body), _REQUEST)]
    try:
        while waiting:
            at, end, shape = waiting.pop()
            while at < end and fields <= MAX_FIELDS and spans <= MAX_SPANS:
                fields += 1
                at, inner = _field(body, at, shape)
                if inner is not None:
                    waiting.append(inner)
                    spans += inner[2] is _SPAN
            if fields > MAX_FIELDS or spans > MAX_SPANS:
                raise TooLarge(
                    f"one request can have at most {MAX_SPANS} spans and {MAX_FIELDS} fields: "
                    "send fewer spans at once"
                )
            if at > end:
                raise _malformed()
    except IndexError:
        raise _malformed() from None


def _field(body: bytes, at: int, shape: _Shape) -> tuple[int, tuple[int, int, _Shape] | None]:
    """Return where the field after the one at a place begins, and the message in it, if one is."""
    tag, at = _number(body, at)
    kind = tag & 7
    if kind == _BYTES:
        size, at = _number(body, at)
        inner = shape.get(tag >> 3)
        return at + size, None if inner is None else (at, at + size, inner)
    if kind == _VARINT:
        return _number(body, at)[1], None
    if kind not in (_EIGHT, _FOUR):
        raise _malformed()
    return at + (8 if kind == _EIGHT else 4), None


def _number(body: bytes, at: int) -> tuple[int, int]:
    """Read a number of 1 to 10 bytes; return it, and where the next thing begins."""
    found = body[at]
    if found < 0x80:
        return found, at + 1
    found &= 0x7F
    for shift in range(7, 70, 7):
        at += 1
        byte = body[at]
        found |= (byte & 0x7F) << shift
        if byte < 0x80:
            return found, at + 1
    raise _malformed()


def _malformed() -> InvalidInput:
    return InvalidInput("Invalid OpenTelemetry format: the message is cut off or garbled")
