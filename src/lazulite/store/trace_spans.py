"""Spans as rows, each with one document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from lazulite.domain.errors import TooLarge
from lazulite.domain.trace import Content, Span, SpanStatus
from lazulite.domain.trace_merge import Node, usage_of
from lazulite.store.columns import Row, among, encode
from lazulite.store.trace_tables import spans, traces
from lazulite.store.upserts import upsert

_s = spans.c
_OF = (
    sa.select(
        *(_s.trace, traces.c.trace, _s.span, _s.parent, _s.name, _s.status, _s.begun, _s.ended),
        _s.content,
    )
    .join(traces, traces.c.id == _s.trace)
    .where(among(_s.trace, "traces"))
    .order_by(_s.trace, _s.parent.is_not(None), _s.begun, _s.id)
)
_NODES = sa.select(_s.span, _s.parent, _s.usage).where(_s.trace == sa.bindparam("trace"))
_content = msgspec.json.Decoder(Content).decode


class SqlSpans:
    """`ports.traces.Spans` in one transaction of either database."""

    __slots__ = ("_db",)

    def __init__(self, db: sa.Connection) -> None:
        self._db = db

    def add(self, traces: Mapping[str, tuple[int, int]], spans_: Sequence[Span]) -> None:
        """Store spans; `traces` has the row ids of the traces and of their experiments."""
        rows = [_row(span, *traces[span.trace]) for span in spans_]
        upsert(self._db, spans, ("trace", "span"), rows)

    def of(self, traces: Sequence[int], limit: int) -> Mapping[int, list[Span]]:
        """Return the spans of traces, as long as their documents have at most `limit` bytes."""
        found: dict[int, list[Span]] = {trace: [] for trace in traces}
        size = 0
        for row in self._db.execute(_OF, {"traces": list(traces)}):
            size += len(row.content)
            if size > limit:
                raise TooLarge(f"the spans are over {limit >> 20} MB: ask for fewer traces at once")
            found[row[0]].append(_span_of(row))
        return found

    def nodes(self, trace: int) -> list[Node]:
        """Return the places of the spans of a trace, and what they used."""
        return [
            Node(span, parent, msgspec.json.decode(usage) if usage else {})
            for span, parent, usage in self._db.execute(_NODES, {"trace": trace})
        ]


def _row(span: Span, trace: int, experiment: int) -> dict[str, Any]:
    usage = usage_of(span)
    return {
        "trace": trace,
        "span": span.id,
        "parent": span.parent,
        "experiment": experiment,
        "name": span.name,
        "type": span.kind,
        "status": span.status.value,
        "begun": span.start,
        "ended": span.end,
        "usage": encode(usage) if usage else None,
        "content": encode(span.content).decode(),
    }


def _span_of(row: Row) -> Span:
    _, trace, span, parent, name, status, begun, ended, content = row
    known = _content(content)
    return Span(
        trace=trace,
        id=bytes(span),
        parent=None if parent is None else bytes(parent),
        name=known.name or name,
        status=SpanStatus(status),
        start=begun,
        end=ended,
        content=known,
    )
