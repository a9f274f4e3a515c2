"""OpenTelemetry's protocol over HTTP: requests of spans, as protobuf or JSON, read into records.

The library is imported at the first request: a server that sees no trace pays nothing for it.
"""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from lazulite.domain.errors import InvalidInput, TooLarge
from lazulite.domain.trace import (
    MAX_NAME,
    MAX_SPANS,
    MAX_TIME,
    MAX_VALUE,
    SPAN_TRACE,
    Content,
    Event,
    Link,
    Span,
    SpanStatus,
    clean,
)
from lazulite.formats.otlp_size import check_json, check_protobuf

MAX_INFLATED = 64 * 1024 * 1024  # bytes of a request that came compressed
MAX_JSON = 16 * 1024 * 1024  # bytes of one in JSON, whose objects take twenty times as much
MAX_DEPTH = 40  # lists and maps in one another in an attribute
PROTOBUF, JSON = "application/x-protobuf", "application/json"
_IDS = ("traceId", "spanId", "parentSpanId")
_STATUS = (SpanStatus.UNSET, SpanStatus.OK, SpanStatus.ERROR)


class Batch(NamedTuple):
    """Spans that one program sent, and what it says of itself."""

    resource: dict[str, Any]
    spans: list[Span]


def inflate(body: bytes, encoding: str, most: int = MAX_INFLATED) -> bytes:
    """Undo a Content-Encoding: gzip, deflate, or none.

    Raises:
        InvalidInput: it is another one, or the body is not so encoded.
        TooLarge: there are more than `most` bytes in it.
    """
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "deflate"):
        raise InvalidInput(f"Unsupported Content-Encoding: {encoding[:60]}; use gzip or deflate")
    raw = encoding == "deflate" and body[:1] != b"\x78"  # some clients leave zlib's head out
    opened = zlib.decompressobj(-zlib.MAX_WBITS if raw else zlib.MAX_WBITS | 32)
    try:
        found = opened.decompress(body, most + 1)
    except zlib.error as error:
        raise InvalidInput(f"Failed to decompress {encoding} payload: {error}") from None
    if len(found) > most:
        raise TooLarge(f"the spans are over {most >> 20} MB: send fewer at once")
    if not opened.eof:
        raise InvalidInput(f"Failed to decompress {encoding} payload: it ends too early")
    return found


def decode(body: bytes, media: str) -> list[Batch]:
    """Read an export request.

    Raises:
        InvalidInput: it is none, or a span in it has no ids, or attributes nested too deep.
        TooLarge: it has more than `MAX_SPANS` spans, or is too large in memory; see `otlp_size`.
    """
    if len(body) > MAX_JSON and media == JSON:
        raise TooLarge(f"the spans are over {MAX_JSON >> 20} MB: send fewer at once")
    found = _from_json(body) if media == JSON else _from_protobuf(body)
    batches, count = [], 0
    for part in found.resource_spans:
        sent = [span for scope in part.scope_spans for span in scope.spans]
        count += len(sent)
        if count > MAX_SPANS:
            raise TooLarge(f"one request can have at most {MAX_SPANS} spans: send fewer at once")
        batches.append(Batch(_attributes(part.resource.attributes), [_span(one) for one in sent]))
    if not batches:
        raise InvalidInput("Invalid OpenTelemetry format - no spans found")
    return batches


def _request() -> Any:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    return ExportTraceServiceRequest()


def _from_protobuf(body: bytes) -> Any:
    check_protobuf(body)
    found = _request()
    from google.protobuf.message import DecodeError

    try:
        found.ParseFromString(body)
    except DecodeError as error:
        raise InvalidInput(f"Invalid OpenTelemetry format: {error}") from None
    return found


def _from_json(body: bytes) -> Any:
    from google.protobuf.json_format import ParseDict, ParseError

    check_json(body)
    try:
        sent = msgspec.json.decode(body)
        for span in _sent_spans(sent):
            for name in _IDS:  # OTLP has them in hexadecimal, protobuf's JSON in base64
                if span.get(name):
                    span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
        return ParseDict(sent, _request(), ignore_unknown_fields=True)
    except (ParseError, msgspec.DecodeError, ValueError, TypeError, AttributeError) as error:
        raise InvalidInput(f"Invalid OpenTelemetry format: {str(error)[:200]}") from None
    except RecursionError:
        raise InvalidInput("Invalid OpenTelemetry format: it is nested too deep") from None


def _sent_spans(sent: Any) -> Iterator[Any]:
    for part in sent.get("resourceSpans", ()):
        for scope in part.get("scopeSpans", ()):
            yield from scope.get("spans", ())


def _span(sent: Any) -> Span:
    trace = trace_id(sent.trace_id)
    attributes = _attributes(sent.attributes)
    attributes.pop(SPAN_TRACE, None)  # it is the trace's id, whatever the sender thinks
    name = clean(sent.name, MAX_VALUE)
    end = _time(sent.end_time_unix_nano)
    code = sent.status.code
    return Span(
        trace=trace,
        id=_id(sent.span_id),
        parent=_id(sent.parent_span_id) if sent.parent_span_id else None,
        name=name[:MAX_NAME],
        status=_STATUS[code] if 0 <= code < len(_STATUS) else SpanStatus.UNSET,
        start=_time(sent.start_time_unix_nano),
        end=end or None,
        content=Content(
            attributes=attributes,
            events=[_event(one) for one in sent.events],
            links=[_link(one) for one in sent.links],
            message=clean(sent.status.message, MAX_VALUE),
            name=name if len(name) > MAX_NAME else "",
        ),
    )


def trace_id(raw: bytes) -> str:
    """Return the id that MLflow gives to a trace of OpenTelemetry's.

    Raises:
        InvalidInput: it is empty, all zero, or longer than 16 bytes.
    """
    if not any(raw) or len(raw) > 16:
        raise InvalidInput("Cannot convert OpenTelemetry span: its trace_id is not 16 bytes")
    return f"tr-{raw.rjust(16, bytes(1)).hex()}"


def _id(raw: bytes) -> bytes:
    if not any(raw) or len(raw) > 8:
        raise InvalidInput("Cannot convert OpenTelemetry span: a span_id is not 8 bytes")
    return raw.rjust(8, bytes(1))


def _event(sent: Any) -> Event:
    name, time = clean(sent.name, MAX_VALUE), _time(sent.time_unix_nano)
    return Event(name, time, _attributes(sent.attributes))


def _link(sent: Any) -> Link:
    return Link(trace_id(sent.trace_id), _id(sent.span_id).hex(), _attributes(sent.attributes))


def _time(nanoseconds: int) -> int:
    if nanoseconds > MAX_TIME:
        raise InvalidInput("Cannot convert OpenTelemetry span: a time is after the year 2262")
    return nanoseconds


def _attributes(sent: Iterable[Any]) -> dict[str, Any]:
    return {clean(one.key, MAX_VALUE): _value(one.value, 0) for one in sent}


def _value(sent: Any, depth: int) -> Any:
    """Return a value as JSON can say it: bytes in base64, NaN and infinities by their names."""
    if depth > MAX_DEPTH:
        raise InvalidInput(f"an attribute of a span is nested deeper than {MAX_DEPTH} levels")
    kind = sent.WhichOneof("value")
    if kind == "string_value":
        text: str = sent.string_value
        return text.replace("\0", "\ufffd") if "\0" in text else text
    if kind is None:
        return None
    if kind == "array_value":
        return [_value(one, depth + 1) for one in sent.array_value.values]
    if kind == "kvlist_value":
        pairs = sent.kvlist_value.values
        return {clean(one.key, MAX_VALUE): _value(one.value, depth + 1) for one in pairs}
    return _plain(getattr(sent, kind))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return binascii.b2a_base64(value, newline=False).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
