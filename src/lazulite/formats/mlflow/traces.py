"""Traces as MLflow's clients send and read them: protobuf's JSON, with numbers for integers."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from lazulite.domain.errors import InvalidInput
from lazulite.domain.trace import (
    MAX_ID,
    MAX_KEY,
    MAX_LABELS,
    MAX_PREVIEW,
    MAX_VALUE,
    SPAN_TRACE,
    Event,
    Link,
    Span,
    SpanStatus,
    Trace,
    TraceState,
    clean,
)
from lazulite.formats.mlflow.requests import Int, missing
from lazulite.formats.mlflow.trace_assessments import (
    AssessmentBody,
    assessment_of,
    encode_assessment,
    encode_time,
    time_of,
)

Json = dict[str, Any]

MAX_RESULTS = 500
MAX_TRACES = 500  # of one batchGet
_FINALIZED = "mlflow.trace.infoFinalized"
_ANSWERED = ("mlflow.artifactLocation", "mlflow.trace.spansLocation")  # what we say ourselves
_DURATION = re.compile(r"(-?\d{1,15})(?:\.(\d{1,9}))?s")
_PLAIN = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}
_STATUS = {
    SpanStatus.OK: {"code": "STATUS_CODE_OK"},
    SpanStatus.ERROR: {"code": "STATUS_CODE_ERROR"},
    SpanStatus.UNSET: {},
}


class ExperimentPlace(Struct):
    """An experiment, where a trace is."""

    experiment_id: str


class Place(Struct):
    """Where a trace is."""

    mlflow_experiment: ExperimentPlace | None = None


class TraceBody(Struct):
    """A trace as it is sent."""

    trace_id: str
    trace_location: Place
    request_time: str
    execution_duration: str | None = None
    client_request_id: str | None = None
    request_preview: str | None = None
    response_preview: str | None = None
    state: TraceState = TraceState.UNSPECIFIED
    trace_metadata: dict[str, str] = {}
    tags: dict[str, str] = {}
    assessments: list[AssessmentBody] = []


class TraceOuter(Struct):
    """A trace, and nothing of its spans."""

    trace_info: TraceBody


class StartTrace(Struct):
    """POST traces."""

    trace: TraceOuter


class SearchTraces(Struct):
    """POST traces/search."""

    locations: list[Place] = []
    filter: str | None = None
    max_results: Int = 100
    order_by: list[str] = []
    page_token: str | None = None


class TraceIds(Struct):
    """POST traces/batchGetInfos."""

    trace_ids: list[str] = []


class TraceTag(Struct):
    """PATCH and DELETE traces/ID/tags."""

    key: str
    value: str = ""


class LinkTraces(Struct):
    """POST traces/link-to-run."""

    run_id: str
    trace_ids: list[str] = []


class DeleteTraces(Struct):
    """POST traces/delete-traces."""

    experiment_id: str
    max_timestamp_millis: Int | None = None
    max_traces: Int | None = None
    request_ids: list[str] = []


def trace_of(sent: TraceBody, now: int) -> Trace:
    """Return a trace that was checked; of experiment 0, which the caller knows.

    Args:
        sent: as it was decoded.
        now: milliseconds since 1970.

    Raises:
        InvalidInput: something in it is wrong.
    """
    if not 0 < len(sent.trace_id) <= MAX_ID or "\0" in sent.trace_id:
        raise InvalidInput(f"a trace's id has 1 to {MAX_ID} characters", path="trace_id")
    if len(sent.assessments) > MAX_LABELS:
        raise InvalidInput(f"a trace is sent with at most {MAX_LABELS} assessments")
    if sent.client_request_id and len(sent.client_request_id) > MAX_ID:
        raise InvalidInput(
            f"'client_request_id' exceeds the maximum length of {MAX_ID} characters",
            path="client_request_id",
        )
    return Trace(
        trace=sent.trace_id,
        experiment=0,
        created=time_of(sent.request_time, "request_time"),
        duration=duration_of(sent.execution_duration),
        state=sent.state,
        client_request=sent.client_request_id,
        request=_preview(sent.request_preview),
        response=_preview(sent.response_preview),
        tags=labels_of({k: v for k, v in sent.tags.items() if k not in _ANSWERED}, "tags"),
        metadata=labels_of(
            {k: v for k, v in sent.trace_metadata.items() if k != _FINALIZED}, "trace_metadata"
        ),
        assessments=[assessment_of(one, now) for one in sent.assessments],
    )


def experiment_of(sent: TraceBody) -> str:
    """Return the id of the experiment that a trace goes to.

    Raises:
        InvalidInput: it goes elsewhere.
    """
    if sent.trace_location.mlflow_experiment is None:
        raise missing("trace.trace_info.trace_location.mlflow_experiment")
    return sent.trace_location.mlflow_experiment.experiment_id


def labels_of(labels: Mapping[str, str], path: str) -> dict[str, str]:
    """Return tags or metadata, cut to what is kept.

    Raises:
        InvalidInput: they are too many.
    """
    if len(labels) > MAX_LABELS:
        raise InvalidInput(f"a trace can have at most {MAX_LABELS} {path}", path=path)
    return {clean(key, MAX_KEY): clean(value, MAX_VALUE) for key, value in labels.items()}


def duration_of(text: str | None) -> int | None:
    """Return the milliseconds of protobuf's form of a duration: `1.5s`.

    Raises:
        InvalidInput: it is not one.
    """
    if text is None:
        return None
    found = _DURATION.fullmatch(text)
    if found is None:
        raise InvalidInput(
            f"Invalid value {text[:60]!r} for parameter 'execution_duration' supplied: "
            "use seconds, as in '1.5s'",
            path="execution_duration",
        )
    return max(0, int(found[1]) * 1000 + int((found[2] or "").ljust(3, "0")[:3]))


def encode_trace(trace: Trace) -> Json:
    """Render what a trace is."""
    place = {"experiment_id": str(trace.experiment)}
    finalized = {_FINALIZED: "true"} if trace.finalized else {}
    body: Json = {
        "trace_id": trace.trace,
        "client_request_id": trace.client_request,
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": place},
        "request_time": encode_time(trace.created),
        "execution_duration": None if trace.duration is None else f"{trace.duration / 1000:.3f}s",
        "state": None if trace.state is TraceState.UNSPECIFIED else trace.state.value,
        "trace_metadata": {**trace.metadata, **finalized},
        "tags": {
            **trace.tags,
            "mlflow.artifactLocation": artifact_location(trace),
            "mlflow.trace.spansLocation": "TRACKING_STORE",
        },
        "request_preview": trace.request,
        "response_preview": trace.response,
    }
    if trace.assessments:
        body["assessments"] = [encode_assessment(trace.trace, one) for one in trace.assessments]
    return {key: value for key, value in body.items() if value is not None}


def artifact_location(trace: Trace) -> str:
    """Return where the client keeps what does not fit into spans."""
    return f"mlflow-artifacts:/{trace.experiment}/traces/{trace.trace}/artifacts"


def encode_whole(trace: Trace, spans: Sequence[Span]) -> Json:
    """Render a trace with its spans."""
    return {"trace_info": encode_trace(trace), "spans": [encode_span(one) for one in spans]}


def encode_span(span: Span) -> Json:
    """Render a span as OTLP's message."""
    content = span.content
    body: Json = {
        "trace_id": _base64(_otlp_id(span.trace)),
        "span_id": _base64(span.id),
        "name": span.name,
        "start_time_unix_nano": span.start,
        "attributes": _pairs({SPAN_TRACE: span.trace, **content.attributes}),
        "status": dict(_STATUS[span.status]),
    }
    if span.parent is not None:
        body["parent_span_id"] = _base64(span.parent)
    if span.end is not None:
        body["end_time_unix_nano"] = span.end
    if content.events:
        body["events"] = [_event(one) for one in content.events]
    if content.links:
        body["links"] = [_link(one) for one in content.links]
    if content.message:
        body["status"]["message"] = content.message
    return body


def _event(event: Event) -> Json:
    return {
        "time_unix_nano": event.time,
        "name": event.name,
        "attributes": _pairs(event.attributes),
    }


def _link(link: Link) -> Json:
    return {
        "trace_id": _base64(_otlp_id(link.trace)),
        "span_id": _base64(bytes.fromhex(link.span)),
        "attributes": _pairs(link.attributes),
    }


def _pairs(attributes: Mapping[str, Any]) -> list[Json]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: Any) -> Json:
    if isinstance(value, dict):
        return {"kvlist_value": {"values": _pairs(value)}}
    if isinstance(value, list):
        return {"array_value": {"values": [_value(one) for one in value]}}
    return {_PLAIN[type(value)]: value} if value is not None else {}


def _otlp_id(trace: str) -> bytes:
    """Return the id that OpenTelemetry gave a trace; zeros for one that it did not make."""
    try:
        return bytes.fromhex(trace.removeprefix("tr-"))
    except ValueError:
        return bytes(16)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _preview(text: str | None) -> str | None:
    return None if text is None else clean(text, MAX_PREVIEW)
