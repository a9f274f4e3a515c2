"""Traces: what a program did, span by span, and what was said of it. No I/O."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

MAX_SPANS = 10_000  # of one request
MAX_LABELS = 500  # tags and metadata of one trace, each
MAX_ID = 250  # characters
MAX_KEY = 250  # characters of a tag's or metadata's key
MAX_VALUE = 8000  # characters of its value; longer ones are cut
MAX_PREVIEW = 10_000  # characters; longer ones are cut
MAX_NAME = 500  # characters of a span's name that can be searched; longer ones are cut
MAX_TYPE = 100
MAX_TIME = 2**63 - 1  # nanoseconds

NAME = "mlflow.traceName"  # tag
RUN = "mlflow.sourceRun"  # metadata
SESSION = "mlflow.trace.session"
USER = "mlflow.trace.user"
TOKENS = "mlflow.trace.tokenUsage"
COST = "mlflow.trace.cost"
SIZES = "mlflow.trace.sizeStats"

SPAN_TYPE = "mlflow.spanType"  # attributes of spans, from here on
SPAN_TRACE = "mlflow.traceRequestId"
INPUTS = "mlflow.spanInputs"
OUTPUTS = "mlflow.spanOutputs"


class TraceState(StrEnum):
    """How a trace stands."""

    UNSPECIFIED = "STATE_UNSPECIFIED"
    OK = "OK"
    ERROR = "ERROR"
    IN_PROGRESS = "IN_PROGRESS"


class SpanStatus(StrEnum):
    """How a span ended."""

    UNSET = "UNSET"
    OK = "OK"
    ERROR = "ERROR"


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that happened in a span: an exception, for one."""

    name: str
    time: int = 0  # nanoseconds since 1970
    attributes: dict[str, Any] = {}


class Link(msgspec.Struct, frozen=True, omit_defaults=True):
    """Another span that a span has to do with."""

    trace: str
    span: str  # hexadecimal
    attributes: dict[str, Any] = {}


class Content(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a span says beyond its columns, kept as one document."""

    attributes: dict[str, Any] = {}  # JSON values
    events: list[Event] = []
    links: list[Link] = []
    message: str = ""  # of the status
    name: str = ""  # the whole, if it is longer than `MAX_NAME`


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a trace."""

    trace: str
    id: bytes  # 8 bytes
    name: str
    status: SpanStatus
    start: int  # nanoseconds since 1970
    end: int | None = None
    parent: bytes | None = None  # None = the root
    content: Content = Content()

    @property
    def kind(self) -> str | None:
        """Its type, as MLflow's clients say it: LLM, TOOL, CHAIN ..."""
        found = self.content.attributes.get(SPAN_TYPE)
        return found[:MAX_TYPE] if isinstance(found, str) else None


class Assessment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What somebody said of a trace: feedback, or what was expected."""

    id: str
    name: str
    kind: str  # feedback, expectation or issue
    value: Any = None  # JSON
    form: str | None = None  # of a value that a client packed into a text; None = it is JSON
    error: dict[str, Any] | None = None  # error_code, error_message, stack_trace
    source: dict[str, str] = {}  # source_type, source_id
    rationale: str | None = None
    metadata: dict[str, str] = {}
    span: str | None = None
    created: int = 0  # milliseconds since 1970
    modified: int = 0
    overrides: str | None = None  # id of the assessment that this one takes the place of
    valid: bool = True  # False = another one took its place


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """What a trace is, without its spans."""

    trace: str  # its id
    experiment: int
    created: int  # milliseconds since 1970
    id: int = 0  # row id
    duration: int | None = None  # milliseconds
    state: TraceState = TraceState.UNSPECIFIED
    client_request: str | None = None
    request: str | None = None  # previews
    response: str | None = None
    finalized: bool = False  # a client said what the whole is: spans change it no more
    tags: dict[str, str] = {}
    metadata: dict[str, str] = {}
    assessments: list[Assessment] = []


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """Tags and metadata to set; None removes one."""

    tags: dict[str, str | None] = {}
    metadata: dict[str, str | None] = {}


def clean(text: str, limit: int) -> str:
    """Return the start of a text, without NUL, which PostgreSQL cannot keep."""
    if len(text) <= limit and "\0" not in text:
        return text
    return text[:limit].replace("\0", "\ufffd")
