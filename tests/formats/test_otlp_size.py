"""Requests of spans that are small as bytes and large in memory."""

from __future__ import annotations

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from lazulite.domain.errors import InvalidInput, TooLarge
from lazulite.formats import otlp, otlp_size


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make little be much, so that the tests are quick."""
    monkeypatch.setattr(otlp_size, "SMALL", 0)
    monkeypatch.setattr(otlp_size, "MAX_FIELDS", 1000)
    monkeypatch.setattr(otlp_size, "MAX_OBJECTS", 1000)
    monkeypatch.setattr(otlp_size, "MAX_SPANS", 100)


def number(value: int) -> bytes:
    made = b""
    while value > 0x7F:
        made += bytes([value & 0x7F | 0x80])
        value >>= 7
    return made + bytes([value])


def field(of: int, content: bytes) -> bytes:
    return number(of << 3 | 2) + number(len(content)) + content


def within(content: bytes, *fields: int) -> bytes:
    for of in reversed(fields):
        content = field(of, content)
    return content


MANY = {
    "resources": within(field(1, b"") * 1001),
    "entities of a resource": within(field(3, b"") * 1001, 1, 1),
    "attributes of a resource": within(field(1, b"") * 1001, 1, 1),
    "scopes": within(field(2, b"") * 1001, 1),
    "attributes of a scope": within(field(3, b"") * 1001, 1, 2, 1),
    "spans": within(field(2, b"") * 101, 1, 2),
    "attributes": within(field(9, b"") * 1001, 1, 2, 2),
    "events": within(field(11, b"") * 1001, 1, 2, 2),
    "attributes of an event": within(field(3, b"") * 1001, 1, 2, 2, 11),
    "links": within(field(13, b"") * 1001, 1, 2, 2),
    "attributes of a link": within(field(4, b"") * 1001, 1, 2, 2, 13),
    "values of a list": within(field(1, b"") * 1001, 1, 2, 2, 9, 2, 5),
    "values of a list in a map": within(field(1, b"") * 1001, 1, 2, 2, 9, 2, 6, 1, 2, 5),
}


@pytest.mark.parametrize("body", MANY.values(), ids=MANY.keys())
def test_many_small_messages_are_refused(body: bytes) -> None:
    ExportTraceServiceRequest().ParseFromString(body)  # it is sound
    with pytest.raises(TooLarge, match="fewer"):
        otlp.decode(body, otlp.PROTOBUF)


def test_a_bomb_that_is_garbled_at_its_end_is_refused_all_the_same() -> None:
    for end in (b"\x0a", b"\x0a\x7f", b"\x0b", b"\xff" * 11):
        with pytest.raises((TooLarge, InvalidInput)):
            otlp_size.check_protobuf(MANY["events"] + end)


def test_what_a_program_sends_is_let_through() -> None:
    request = ExportTraceServiceRequest()
    part = request.resource_spans.add()
    part.resource.attributes.add(key="service.name").value.string_value = "s" * 300
    for position in range(1, 4):
        span = part.scope_spans.add().spans.add(trace_id=b"1" * 16, name="n", kind=3, flags=256)
        span.span_id = position.to_bytes(8, "big")
        span.start_time_unix_nano = 2**62
        span.attributes.add(key="a").value.double_value = 0.5
        span.attributes.add(key="b").value.int_value = -1
        span.attributes.add(key="c").value.array_value.values.add().bool_value = True
        span.events.add(name="e", time_unix_nano=1).attributes.add(key="d")
        span.links.add(trace_id=b"2" * 16, span_id=b"3" * 8)
    [batch] = otlp.decode(request.SerializeToString(), otlp.PROTOBUF)
    assert [len(span.content.attributes) for span in batch.spans] == [3, 3, 3]


def test_json_of_many_objects_is_refused_before_it_is_read() -> None:
    with pytest.raises(TooLarge, match="fewer"):
        otlp.decode(b'{"resourceSpans":[' + b"{}," * 1000 + b"{}]}", otlp.JSON)
