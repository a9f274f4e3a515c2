"""Traces.

Revision: 0005, of release 0.3.0
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _traces()
    _trace_labels()
    _spans()
    _assessments()
    _run_traces()


def _ref(table: str, column: str, parent: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_{column}"
    return sa.ForeignKeyConstraint([column], [f"{parent}.id"], name=name, ondelete="CASCADE")


def _id() -> sa.Column[int]:
    return sa.Column("id", ROW, autoincrement=True, nullable=False)


def _row(name: str) -> sa.Column[int]:
    return sa.Column(name, ROW, autoincrement=False, nullable=False)


def _whole(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=null)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, TEXT, nullable=null)


def _bytes(name: str, *, null: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=null)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(create_constraint=False), nullable=False)


def _traces() -> None:
    op.create_table(
        "traces",
        _id(),
        _row("workspace"),
        _row("experiment"),
        _text("trace"),
        _whole("created"),
        _whole("duration", null=True),
        _text("state"),
        *(_text(name, null=True) for name in ("client_request", "request", "response")),
        _flag("finalized"),
        sa.PrimaryKeyConstraint("id", name="pk_traces"),
        sa.UniqueConstraint("workspace", "trace", name="uq_traces_workspace_trace"),
        _ref("traces", "workspace", "workspaces"),
        _ref("traces", "experiment", "experiments"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_traces_created", "traces", ["experiment", "created", "id"])
    op.create_index(
        "ix_traces_client_request",
        "traces",
        ["experiment", "client_request"],
        sqlite_where=sa.text("client_request IS NOT NULL"),
        postgresql_where=sa.text("client_request IS NOT NULL"),
    )


def _trace_labels() -> None:
    op.create_table(
        "trace_labels",
        _row("trace"),
        _flag("tag"),
        _whole("key"),
        _whole("experiment"),
        _text("text"),
        _text("rest", null=True),
        sa.PrimaryKeyConstraint("trace", "tag", "key", name="pk_trace_labels"),
        _ref("trace_labels", "trace", "traces"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_trace_labels_text", "trace_labels", ["experiment", "key", "tag", "text"])


def _spans() -> None:
    op.create_table(
        "spans",
        _id(),
        _row("trace"),
        _bytes("span"),
        _bytes("parent", null=True),
        _whole("experiment"),
        _text("name"),
        _text("type", null=True),
        _text("status"),
        _whole("begun"),
        _whole("ended", null=True),
        _bytes("usage", null=True),
        _text("content"),
        sa.PrimaryKeyConstraint("id", name="pk_spans"),
        sa.UniqueConstraint("trace", "span", name="uq_spans_trace_span"),
        _ref("spans", "trace", "traces"),
    )
    op.create_index("ix_spans_name", "spans", ["experiment", "name", "trace"])
    op.create_index("ix_spans_type", "spans", ["experiment", "type", "status", "trace"])


def _assessments() -> None:
    op.create_table(
        "assessments",
        _id(),
        _row("trace"),
        _text("assessment"),
        _whole("experiment"),
        _text("kind"),
        _text("name"),
        _flag("valid"),
        _text("text"),
        _text("rest", null=True),
        sa.Column("number", sa.Double(), nullable=True),
        _bytes("body"),
        sa.PrimaryKeyConstraint("id", name="pk_assessments"),
        sa.UniqueConstraint("trace", "assessment", name="uq_assessments_trace_assessment"),
        _ref("assessments", "trace", "traces"),
    )
    op.create_index("ix_assessments_name", "assessments", ["experiment", "name", "kind"])


def _run_traces() -> None:
    op.create_table(
        "run_traces",
        _row("run"),
        _row("trace"),
        sa.PrimaryKeyConstraint("run", "trace", name="pk_run_traces"),
        _ref("run_traces", "run", "jobs"),
        _ref("run_traces", "trace", "traces"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_run_traces_trace", "run_traces", ["trace"])
