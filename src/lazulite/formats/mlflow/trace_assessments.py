"""Assessments of traces as MLflow's clients send and read them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from lazulite.domain.errors import InvalidInput
from lazulite.domain.trace import MAX_ID, MAX_LABELS, Assessment, clean

Json = dict[str, Any]

_SNAKE = re.compile(r"(?<!^)([A-Z])")
_VALUES = ("feedback", "expectation", "issue")
_MAX_MILLIS = 253_402_300_799_999  # the end of the year 9999


class AssessmentBody(Struct):
    """An assessment as it is sent."""

    assessment_name: str = ""
    assessment_id: str | None = None
    source: dict[str, str] = {}
    create_time: str | None = None
    last_update_time: str | None = None
    feedback: dict[str, Any] | None = None
    expectation: dict[str, Any] | None = None
    issue: dict[str, Any] | None = None
    rationale: str | None = None
    metadata: dict[str, str] = {}
    span_id: str | None = None
    overrides: str | None = None


class CreateAssessment(Struct):
    """POST traces/ID/assessments."""

    assessment: AssessmentBody


class UpdateAssessment(Struct):
    """PATCH traces/ID/assessments/ID."""

    assessment: AssessmentBody
    update_mask: str | dict[str, list[str]]


def assessment_of(sent: AssessmentBody, now: int) -> Assessment:
    """Return an assessment that was checked; its id is empty if none was sent.

    Args:
        sent: as it was decoded.
        now: milliseconds since 1970.

    Raises:
        InvalidInput: it has no name, or no value.
    """
    if not 0 < len(sent.assessment_name) <= MAX_ID:
        raise InvalidInput(
            f"an assessment's name has 1 to {MAX_ID} characters", path="assessment.assessment_name"
        )
    if len(sent.assessment_id or "") > MAX_ID or len(sent.metadata) > MAX_LABELS:
        raise InvalidInput("the assessment's id or metadata is too long", path="assessment")
    kind, fields = value_of(sent)
    return Assessment(
        id=sent.assessment_id or "",
        name=clean(sent.assessment_name, MAX_ID),
        kind=kind,
        source=sent.source,
        rationale=sent.rationale,
        metadata=sent.metadata,
        span=sent.span_id,
        created=time_of(sent.create_time, "create_time") if sent.create_time else now,
        modified=time_of(sent.last_update_time, "last_update_time")
        if sent.last_update_time
        else now,
        overrides=sent.overrides,
        **fields,
    )


def value_of(sent: AssessmentBody) -> tuple[str, Json]:
    """Return the kind of an assessment, and the fields that are its value.

    Raises:
        InvalidInput: it has none, or more than one.
    """
    given = [kind for kind in _VALUES if getattr(sent, kind) is not None]
    if len(given) != 1:
        raise InvalidInput(
            "Assessment must have either feedback, expectation, or issue value", path="assessment"
        )
    kind = given[0]
    body: Mapping[str, Any] = getattr(sent, kind)
    if kind == "issue":
        return kind, {"value": dict(body)}
    if isinstance(packed := body.get("serialized_value"), dict):  # of lists and objects
        return kind, {"value": packed.get("value"), "form": packed.get("serialization_format")}
    error = body.get("error")
    return kind, {"value": body.get("value"), "error": error, "form": None}


def edit_of(sent: UpdateAssessment) -> tuple[Json, dict[str, str], str | None]:
    """Return the fields to change, the metadata to add, and the kind of the value, if there is one.

    Raises:
        InvalidInput: a field cannot be changed.
    """
    fields: Json = {}
    metadata: dict[str, str] = {}
    kind = None
    for path in mask_of(sent.update_mask):
        if path in ("feedback", "expectation"):
            kind, value = value_of(sent.assessment)
            fields |= value
        elif path == "assessment_name":
            fields["name"] = clean(sent.assessment.assessment_name, MAX_ID)
        elif path == "rationale":
            fields["rationale"] = sent.assessment.rationale
        elif path == "metadata":
            metadata = sent.assessment.metadata
        else:
            raise InvalidInput(f"{path[:60]!r} of an assessment cannot be changed", path=path[:60])
    return fields, metadata, kind


def mask_of(mask: str | dict[str, list[str]]) -> list[str]:
    """Return the names of a protobuf field mask, in the spelling of the fields."""
    paths = mask.split(",") if isinstance(mask, str) else mask.get("paths", [])
    return [_SNAKE.sub(lambda m: f"_{m[1].lower()}", path) for path in paths if path]


def encode_assessment(trace: str, one: Assessment) -> Json:
    """Render an assessment."""
    body: Json = {
        "assessment_id": one.id,
        "assessment_name": one.name,
        "trace_id": trace,
        "span_id": one.span,
        "source": one.source,
        "create_time": encode_time(one.created),
        "last_update_time": encode_time(one.modified),
        one.kind: _encode_value(one),
        "rationale": one.rationale,
        "metadata": one.metadata or None,
        "overrides": one.overrides,
        "valid": None if one.kind == "expectation" else one.valid,
    }
    return {key: value for key, value in body.items() if value is not None}


def encode_time(millis: int) -> str:
    """Return a time as protobuf's JSON has it."""
    moment = datetime.fromtimestamp(millis / 1000, UTC)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    part = millis % 1000
    return f"{text}.{part:03d}Z" if part else f"{text}Z"


def time_of(text: str, path: str) -> int:
    """Return the milliseconds since 1970 of a time in protobuf's JSON.

    Raises:
        InvalidInput: it is none, or before 1970.
    """
    try:
        moment = datetime.fromisoformat(text[:64])
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        raise _no_time(text, path) from None
    millis = (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
    if not 0 <= millis <= _MAX_MILLIS:
        raise _no_time(text, path)
    return millis


def _no_time(text: str, path: str) -> InvalidInput:
    return InvalidInput(
        f"Invalid value {text[:60]!r} for parameter '{path}' supplied: use a time such as "
        "2026-01-31T12:00:00Z",
        path=path,
    )


def _encode_value(one: Assessment) -> Json:
    if one.kind == "issue":
        return dict(one.value)
    if one.form is not None:
        return {"serialized_value": {"value": one.value, "serialization_format": one.form}}
    body: Json = {"value": one.value}
    return {**body, "error": one.error} if one.error else body
