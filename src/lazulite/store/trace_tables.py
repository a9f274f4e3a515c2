"""The tables of traces. See ADR 0015."""

from __future__ import annotations

import sqlalchemy as sa

from lazulite.store.columns import Json, RowId, Text
from lazulite.store.tables import metadata

Bytes = Json  # they go to the driver and come from it as they are, too


def _ref(column: str, table: str, *, key: bool = False) -> sa.Column[int]:
    parent = sa.ForeignKey(f"{table}.id", ondelete="CASCADE")
    return sa.Column(column, RowId, parent, nullable=False, primary_key=key, autoincrement=False)


def _row() -> sa.Column[int]:
    return sa.Column("id", RowId, primary_key=True, autoincrement=True)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, Text, nullable=null)


def _whole(name: str, *, key: bool = False, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=null, primary_key=key, autoincrement=False)


def _flag(name: str, *, key: bool = False) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(create_constraint=False), nullable=False, primary_key=key)


traces = sa.Table(
    "traces",
    metadata,
    _row(),
    _ref("workspace", "workspaces"),
    _ref("experiment", "experiments"),
    _text("trace"),  # its id on the wire
    _whole("created"),  # milliseconds since 1970
    _whole("duration", null=True),  # milliseconds
    _text("state"),
    _text("client_request", null=True),
    _text("request", null=True),
    _text("response", null=True),
    _flag("finalized"),
    sa.UniqueConstraint("workspace", "trace"),
    sqlite_autoincrement=True,
)
sa.Index("ix_traces_created", traces.c.experiment, traces.c.created, traces.c.id)
sa.Index(
    "ix_traces_client_request",
    traces.c.experiment,
    traces.c.client_request,
    sqlite_where=traces.c.client_request.is_not(None),
    postgresql_where=traces.c.client_request.is_not(None),
)

trace_labels = sa.Table(  # tags and metadata
    "trace_labels",
    metadata,
    _ref("trace", "traces", key=True),
    _flag("tag", key=True),  # False = metadata
    _whole("key", key=True),
    _whole("experiment"),
    _text("text"),
    _text("rest", null=True),
    sqlite_with_rowid=False,
)
sa.Index(
    "ix_trace_labels_text",
    *(trace_labels.c[name] for name in ("experiment", "key", "tag", "text")),
)

spans = sa.Table(
    "spans",
    metadata,
    _row(),
    _ref("trace", "traces"),
    sa.Column("span", Bytes, nullable=False),  # its id: 8 bytes
    sa.Column("parent", Bytes, nullable=True),
    _whole("experiment"),
    _text("name"),
    _text("type", null=True),
    _text("status"),
    _whole("begun"),  # nanoseconds since 1970
    _whole("ended", null=True),
    sa.Column("usage", Json, nullable=True),
    _text("content"),  # JSON; text, so that both databases can look into it
    sa.UniqueConstraint("trace", "span"),
)
sa.Index("ix_spans_name", spans.c.experiment, spans.c.name, spans.c.trace)
sa.Index("ix_spans_type", spans.c.experiment, spans.c.type, spans.c.status, spans.c.trace)

assessments = sa.Table(
    "assessments",
    metadata,
    _row(),
    _ref("trace", "traces"),
    _text("assessment"),  # its id on the wire
    _whole("experiment"),
    _text("kind"),
    _text("name"),
    _flag("valid"),
    _text("text"),  # the value, to be searched
    _text("rest", null=True),
    sa.Column("number", sa.Double, nullable=True),  # the value, if it is one
    sa.Column("body", Json, nullable=False),
    sa.UniqueConstraint("trace", "assessment"),
)
sa.Index("ix_assessments_name", *(assessments.c[n] for n in ("experiment", "name", "kind")))

run_traces = sa.Table(  # traces that somebody linked to a run
    "run_traces",
    metadata,
    _ref("run", "jobs", key=True),
    _ref("trace", "traces", key=True),
    sqlite_with_rowid=False,
)
sa.Index("ix_run_traces_trace", run_traces.c.trace)
