"""The tables. `migrations/` builds them step by step; a test proves that both say the same.

Times are microseconds since 1970 UTC. JSON is bytes; NULL where it would be `{}`.
"""

from __future__ import annotations

import sqlalchemy as sa

from lazulite.store.columns import Json, Micros, RowId, Text

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def _id() -> sa.Column[int]:
    return sa.Column("id", RowId, primary_key=True, autoincrement=True)


def _of(table: str) -> sa.Column[int]:
    parent = sa.ForeignKey(f"{table}s.id", ondelete="CASCADE")
    return sa.Column(table, RowId, parent, nullable=False)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, Text, nullable=null)


def _time(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, Micros, nullable=null)


def _json(name: str) -> sa.Column[bytes]:
    return sa.Column(name, Json, nullable=True)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(create_constraint=False), nullable=False)


# sqlite_autoincrement: a row id names folders, so the id of a deleted row must never come back

workspaces = sa.Table(
    "workspaces",
    metadata,
    _id(),
    _text("key"),  # WorkspaceId.key: subscription/group/name, casefolded
    _text("subscription"),
    _text("resource_group"),
    _text("name"),
    _text("location"),
    _text("display_name"),
    _text("description"),
    _text("default_datastore"),
    _json("tags"),
    _json("body"),
    _time("created_at"),
    _text("created_by"),
    _time("modified_at"),
    sa.UniqueConstraint("key"),
    sqlite_autoincrement=True,
)

assets = sa.Table(
    "assets",
    metadata,
    _id(),
    _of("workspace"),
    _text("kind"),
    _text("name"),
    _text("version"),
    sa.Column("number", sa.BigInteger, nullable=True),  # version, when it is a whole number
    _text("digest", null=True),
    _flag("anonymous"),
    _flag("archived"),
    _json("body"),
    _time("created_at"),
    _text("created_by"),
    _time("modified_at"),
    sa.UniqueConstraint("workspace", "kind", "name", "version"),
    sqlite_autoincrement=True,
)
sa.Index(
    "ix_assets_digest",
    assets.c.workspace,
    assets.c.kind,
    assets.c.digest,
    sqlite_where=assets.c.digest.is_not(None),
    postgresql_where=assets.c.digest.is_not(None),
)

sa.Index("ix_assets_newest", assets.c.workspace, assets.c.kind, assets.c.name, assets.c.id)

computes = sa.Table(
    "computes",
    metadata,
    _id(),
    _of("workspace"),
    _text("key"),  # the name, casefolded: Azure compares it without case
    _text("name"),
    _text("kind"),
    _text("location"),
    _json("body"),
    _json("tags"),
    sa.Column("slots", sa.Integer, nullable=True),  # NULL = as many as the machine has cores
    _flag("stopped"),
    _time("created_at"),
    _text("created_by"),
    _time("modified_at"),
    sa.UniqueConstraint("workspace", "key"),
    sqlite_autoincrement=True,
)

datastores = sa.Table(
    "datastores",
    metadata,
    _id(),
    _of("workspace"),
    _text("key"),
    _text("name"),
    _text("kind"),
    _json("body"),
    _time("created_at"),
    _text("created_by"),
    _time("modified_at"),
    sa.UniqueConstraint("workspace", "key"),
    sqlite_autoincrement=True,
)

datastore_secrets = sa.Table(  # apart, so that no list or show can leak them
    "datastore_secrets",
    metadata,
    sa.Column(
        "datastore",
        RowId,
        sa.ForeignKey("datastores.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    sa.Column("secrets", Json, nullable=False),
)

experiments = sa.Table(
    "experiments",
    metadata,
    _id(),
    _of("workspace"),
    _text("name"),
    _time("created_at", null=True),  # NULL = made by a version that did not keep it
    _time("modified_at", null=True),
    _time("deleted_at", null=True),
    sa.UniqueConstraint("workspace", "name"),
    sqlite_autoincrement=True,
)

jobs = sa.Table(
    "jobs",
    metadata,
    _id(),
    _of("workspace"),
    _text("name"),
    _text("kind"),
    _of("experiment"),
    _text("display_name"),
    _text("description"),
    _text("status"),
    _json("tags"),
    _json("properties"),
    _text("compute", null=True),
    sa.Column("parent", RowId, sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=True),
    sa.Column("root", RowId, nullable=True),
    _text("node", null=True),
    _text("component", null=True),  # without its version; what `earlier` compares
    _json("inputs"),
    _json("outputs"),
    _text("fingerprint", null=True),
    _text("reused_from", null=True),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("exit_code", sa.Integer, nullable=True),
    _json("error"),
    _text("waits_for", null=True),
    _flag("archived"),
    _flag("cancel_requested"),
    _time("created"),
    _time("preparing", null=True),
    _time("queued", null=True),
    _time("starting", null=True),
    _time("running", null=True),
    _time("finalizing", null=True),
    _time("ended", null=True),
    _text("created_by"),
    _text("environment_key", null=True),
    sa.Column("host", RowId, nullable=True),  # a row of `hosts`, of which none is ever deleted
    _json("usage"),
    _time("modified_at"),
    _text("lease_token", null=True),  # '' = free; NULL = no engine's: it is final, or a bare run
    sa.UniqueConstraint("workspace", "name"),
    sa.UniqueConstraint("parent", "node"),
    sa.CheckConstraint(
        "lease_token IS NULL OR status NOT IN ('Completed', 'Failed', 'Canceled')",
        name="final_holds_no_lease",
    ),
    sqlite_autoincrement=True,
)


def _job_index(name: str, *columns: sa.Column[object], where: str) -> None:
    term = sa.text(where)
    sa.Index(f"ix_jobs_{name}", *columns, sqlite_where=term, postgresql_where=term)


_job_index("roots", jobs.c.workspace, jobs.c.id, where="parent IS NULL")
_job_index("lease", jobs.c.lease_token, where="lease_token IS NOT NULL")
_job_index(
    "fingerprint",
    jobs.c.fingerprint,
    jobs.c.workspace,
    where="fingerprint IS NOT NULL AND reused_from IS NULL",
)
_job_index(
    "node",
    jobs.c.node,
    jobs.c.workspace,
    jobs.c.id,
    where="fingerprint IS NOT NULL AND reused_from IS NULL",
)
_job_index(
    "component",
    jobs.c.component,
    jobs.c.workspace,
    jobs.c.id,
    where="fingerprint IS NOT NULL AND reused_from IS NULL",
)
sa.Index("ix_jobs_experiment", jobs.c.experiment, jobs.c.id)
sa.Index("ix_jobs_created", jobs.c.experiment, jobs.c.created, jobs.c.id)
sa.Index("ix_jobs_workspace", jobs.c.workspace, jobs.c.created, jobs.c.id)

hosts = sa.Table(  # each machine, once for every state in which it ran jobs
    "hosts",
    metadata,
    _id(),
    sa.Column("body", Json, nullable=False),
    sa.UniqueConstraint("body"),
)

job_documents = sa.Table(  # apart: a row that changes its status must not be rewritten with these
    "job_documents",
    metadata,
    sa.Column(
        "job",
        RowId,
        sa.ForeignKey("jobs.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    _json("body"),  # Azure's properties as put
    _json("definition"),  # CommandDef or PipelineDef
)

engines = sa.Table(
    "engines",
    metadata,
    sa.Column("token", Text, primary_key=True),
    _text("host"),
    _time("until"),  # until then its lease is good without another beat
)
