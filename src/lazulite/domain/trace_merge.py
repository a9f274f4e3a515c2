"""What spans say of their trace, and how it joins what is known. Pure: it stores nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from lazulite.domain.trace import (
    COST,
    INPUTS,
    MAX_KEY,
    MAX_LABELS,
    MAX_VALUE,
    NAME,
    OUTPUTS,
    SESSION,
    TOKENS,
    USER,
    Span,
    SpanStatus,
    Trace,
    TraceState,
    clean,
)

_PREVIEW = 1000  # characters, as MLflow makes one
_TAG = "mlflow.traceTag."  # attributes of the root that are tags of the trace
_SESSIONS = ("session.id", "gen_ai.conversation.id")
_SUMS = {TOKENS: "mlflow.chat.tokenUsage", COST: "mlflow.llm.cost"}  # of attributes
_TOKENS = {name: f"gen_ai.usage.{name}" for name in ("input_tokens", "output_tokens")}
_OWN = ("telemetry.sdk.", "mlflow.")  # attributes of a resource that become no tags
_OPEN = (TraceState.IN_PROGRESS, TraceState.UNSPECIFIED)

Usage = Mapping[str, Mapping[str, float]]  # metadata's key to what a span adds to it


class Node(NamedTuple):
    """A span's place in its trace, and what it used."""

    id: bytes
    parent: bytes | None
    usage: Usage


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """What some spans say of their trace."""

    trace: str
    start: int  # milliseconds since 1970
    end: int | None = None
    state: TraceState | None = None  # None = the root is not among them
    request: str | None = None
    response: str | None = None
    tags: dict[str, str] = {}
    metadata: dict[str, str] = {}
    nodes: list[Node] = []  # of those that used something, and all others if any did


def outline(spans: Sequence[Span], resource: Mapping[str, Any]) -> Outline:
    """Return what spans of one trace say of it.

    Args:
        spans: at least one, in any order.
        resource: what OTLP says of the program that made them.
    """
    ends = [span.end for span in spans if span.end]
    root = next((span for span in spans if span.parent is None), None)
    nodes = [Node(span.id, span.parent, usage_of(span)) for span in spans]
    tags = _tags({k: v for k, v in resource.items() if not k.startswith(_OWN)})
    seen = Outline(
        trace=spans[0].trace,
        start=min(span.start for span in spans) // 1_000_000,
        end=max(ends) // 1_000_000 if ends else None,
        tags=tags,
        metadata=_about(spans),
        nodes=nodes if any(node.usage for node in nodes) else [],
    )
    if root is None:
        return seen
    known = root.content.attributes
    given = {k.removeprefix(_TAG): v for k, v in known.items() if k.startswith(_TAG)}
    return msgspec.structs.replace(
        seen,
        state=TraceState.ERROR if root.status is SpanStatus.ERROR else TraceState.OK,
        request=preview(known.get(INPUTS), "user"),
        response=preview(known.get(OUTPUTS), "assistant"),
        tags={**tags, NAME: clean(root.name, MAX_VALUE), **_tags(given)},
    )


def fresh(seen: Outline, experiment: int) -> Trace:
    """Return the trace of which nothing but these spans is known."""
    return Trace(
        trace=seen.trace,
        experiment=experiment,
        created=seen.start,
        duration=None if seen.end is None else max(0, seen.end - seen.start),
        state=seen.state or TraceState.IN_PROGRESS,
        request=seen.request,
        response=seen.response,
        tags=seen.tags,
        metadata={**seen.metadata, **totals(seen.nodes)},
    )


def grown(old: Trace, seen: Outline, nodes: Sequence[Node]) -> Trace:
    """Return a trace to which spans were added; its labels are those to set.

    Args:
        old: what is known.
        seen: what the spans say.
        nodes: every span of the trace, these among them; empty if these used nothing.
    """
    new = msgspec.structs.replace(
        old,
        state=seen.state if seen.state and old.state in _OPEN else old.state,
        request=seen.request if old.request is None else old.request,
        response=seen.response if old.response is None else old.response,
        tags={**{k: v for k, v in seen.tags.items() if k != NAME or NAME not in old.tags}},
        metadata=_added(old, seen, nodes),
    )
    if old.finalized:
        return new
    start = min(old.created, seen.start)
    ends = [end for end in (seen.end, _end(old)) if end is not None]
    duration = max(0, max(ends) - start) if ends else None
    return msgspec.structs.replace(new, created=start, duration=duration)


def told(old: Trace, new: Trace) -> Trace:
    """Return a trace of which a client said what the whole is; spans had come before."""
    return msgspec.structs.replace(
        new,
        id=old.id,
        finalized=True,
        request=old.request if new.request is None else new.request,
        response=old.response if new.response is None else new.response,
    )


def usage_of(span: Span) -> Usage:
    """Return the tokens and the cost that a span says it used."""
    attributes = span.content.attributes
    found = {key: _numbers(attributes[name]) for key, name in _SUMS.items() if name in attributes}
    if not found.get(TOKENS):
        found[TOKENS] = _by_convention(attributes)
    return {key: value for key, value in found.items() if value}


def totals(nodes: Iterable[Node]) -> dict[str, str]:
    """Add up what spans used, but not what is below one that has counted it in."""
    every = {node.id: node for node in nodes}
    below: dict[bytes | None, list[Node]] = {}
    for node in every.values():
        below.setdefault(node.parent if node.parent in every else None, []).append(node)
    found = {}
    for key in _SUMS:
        sums: dict[str, float] = {}
        open_nodes = list(below.get(None, ()))
        while open_nodes:
            node = open_nodes.pop()
            for name, value in node.usage.get(key, {}).items():
                sums[name] = sums.get(name, 0) + value
            if key not in node.usage:
                open_nodes += below.get(node.id, ())
        if sums:
            found[key] = _json(sums)
    return found


def preview(value: Any, role: str) -> str | None:
    """Return the start of what went in or came out: of a chat, its last message of that role."""
    if value is None:
        return None
    text = _said(value, role) or (value if isinstance(value, str) else _json(value))
    short = text if len(text) <= _PREVIEW else text[: _PREVIEW - 3] + "..."
    return clean(short, _PREVIEW)


def _added(old: Trace, seen: Outline, nodes: Sequence[Node]) -> dict[str, str]:
    added = {key: value for key, value in seen.metadata.items() if key not in old.metadata}
    if seen.nodes:
        sums = totals(nodes)
        added |= {k: v for k, v in sums.items() if not (old.finalized and k in old.metadata)}
    return added


def _end(trace: Trace) -> int | None:
    return None if trace.duration is None else trace.created + trace.duration


def _about(spans: Sequence[Span]) -> dict[str, str]:
    found: dict[str, str] = {}
    for span in spans:
        known = span.content.attributes
        for name in _SESSIONS:
            if known.get(name):
                found.setdefault(SESSION, clean(_text(known[name]), MAX_KEY))
        if known.get("user.id"):
            found.setdefault(USER, clean(_text(known["user.id"]), MAX_KEY))
    return found


def _tags(values: Mapping[str, Any]) -> dict[str, str]:
    short = [(key, value) for key, value in values.items() if 0 < len(key) <= MAX_KEY]
    return {key: clean(_text(value), MAX_VALUE) for key, value in short[:MAX_LABELS]}


def _numbers(value: Any) -> dict[str, float]:
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return {}
    if not isinstance(value, dict):
        return {}
    return {k: v for k, v in value.items() if type(v) in (int, float)}


def _by_convention(attributes: Mapping[str, Any]) -> dict[str, float]:
    """Return the tokens as OpenTelemetry's semantic conventions name them."""
    found = ((name, attributes.get(attribute)) for name, attribute in _TOKENS.items())
    known: dict[str, float] = {k: v for k, v in found if type(v) is int}
    return {**known, "total_tokens": sum(known.values())} if known else {}


def _said(value: Any, role: str) -> str | None:
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return None
    if not isinstance(value, dict):
        return None
    choices = value.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        value = {"messages": [choices[0].get("message")]}
    messages = value.get("messages")
    if not isinstance(messages, list):
        return None
    known = [one for one in messages if isinstance(one, dict) and "role" in one]
    fitting = [one for one in known if one["role"] == role] or known
    last = fitting[-1] if fitting else None
    content = last.get("content") if isinstance(last, dict) else None
    return content if isinstance(content, str) else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=0).decode()
