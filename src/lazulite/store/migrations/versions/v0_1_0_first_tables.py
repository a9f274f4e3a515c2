"""The first tables.

Revision: 0001, of release 0.1.0
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# written out, not imported: what a released migration does must never change
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.BigInteger()
JSON = sa.LargeBinary()
EXECUTED = "fingerprint IS NOT NULL AND reused_from IS NULL"


def upgrade() -> None:
    _workspaces()
    _assets()
    _computes()
    _datastores()
    _datastore_secrets()
    _experiments()
    _jobs()
    _job_indexes()
    _job_documents()
    _engines()


def _workspaces() -> None:
    op.create_table(
        "workspaces",
        sa.Column("id", ROW, autoincrement=True, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("subscription", TEXT, nullable=False),
        sa.Column("resource_group", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("location", TEXT, nullable=False),
        sa.Column("display_name", TEXT, nullable=False),
        sa.Column("description", TEXT, nullable=False),
        sa.Column("default_datastore", TEXT, nullable=False),
        sa.Column("tags", JSON, nullable=True),
        sa.Column("body", JSON, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", TEXT, nullable=False),
        sa.Column("modified_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workspaces"),
        sa.UniqueConstraint("key", name="uq_workspaces_key"),
        sqlite_autoincrement=True,
    )


def _assets() -> None:
    op.create_table(
        "assets",
        sa.Column("id", ROW, autoincrement=True, nullable=False),
        sa.Column("workspace", ROW, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("version", TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("digest", TEXT, nullable=True),
        sa.Column("anonymous", sa.Boolean(), nullable=False),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("body", JSON, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", TEXT, nullable=False),
        sa.Column("modified_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace"], ["workspaces.id"], name="fk_assets_workspace", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_assets"),
        sa.UniqueConstraint(
            "workspace", "kind", "name", "version", name="uq_assets_workspace_kind_name_version"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_assets_digest",
        "assets",
        ["workspace", "kind", "digest"],
        **_where("digest IS NOT NULL"),
    )
    op.create_index("ix_assets_newest", "assets", ["workspace", "kind", "name", "id"])


def _computes() -> None:
    op.create_table(
        "computes",
        sa.Column("id", ROW, autoincrement=True, nullable=False),
        sa.Column("workspace", ROW, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("location", TEXT, nullable=False),
        sa.Column("body", JSON, nullable=True),
        sa.Column("tags", JSON, nullable=True),
        sa.Column("slots", sa.Integer(), nullable=True),
        sa.Column("stopped", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", TEXT, nullable=False),
        sa.Column("modified_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace"], ["workspaces.id"], name="fk_computes_workspace", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_computes"),
        sa.UniqueConstraint("workspace", "key", name="uq_computes_workspace_key"),
        sqlite_autoincrement=True,
    )


def _datastores() -> None:
    op.create_table(
        "datastores",
        sa.Column("id", ROW, autoincrement=True, nullable=False),
        sa.Column("workspace", ROW, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("body", JSON, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", TEXT, nullable=False),
        sa.Column("modified_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace"], ["workspaces.id"], name="fk_datastores_workspace", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_datastores"),
        sa.UniqueConstraint("workspace", "key", name="uq_datastores_workspace_key"),
        sqlite_autoincrement=True,
    )


def _datastore_secrets() -> None:
    op.create_table(
        "datastore_secrets",
        sa.Column("datastore", ROW, autoincrement=False, nullable=False),
        sa.Column("secrets", JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["datastore"],
            ["datastores.id"],
            name="fk_datastore_secrets_datastore",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("datastore", name="pk_datastore_secrets"),
    )


def _experiments() -> None:
    op.create_table(
        "experiments",
        sa.Column("id", ROW, autoincrement=True, nullable=False),
        sa.Column("workspace", ROW, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace"], ["workspaces.id"], name="fk_experiments_workspace", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_experiments"),
        sa.UniqueConstraint("workspace", "name", name="uq_experiments_workspace_name"),
        sqlite_autoincrement=True,
    )


def _jobs() -> None:
    op.create_table(
        "jobs",
        *_job_columns(),
        sa.CheckConstraint(
            "lease_token IS NULL OR status NOT IN ('Completed', 'Failed', 'Canceled')",
            name=op.f("ck_jobs_final_holds_no_lease"),
        ),
        sa.ForeignKeyConstraint(
            ["experiment"], ["experiments.id"], name="fk_jobs_experiment", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["parent"], ["jobs.id"], name="fk_jobs_parent", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["workspace"], ["workspaces.id"], name="fk_jobs_workspace", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint("parent", "node", name="uq_jobs_parent_node"),
        sa.UniqueConstraint("workspace", "name", name="uq_jobs_workspace_name"),
        sqlite_autoincrement=True,
    )


def _job_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("id", ROW, autoincrement=True, nullable=False),
        sa.Column("workspace", ROW, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("experiment", ROW, nullable=False),
        sa.Column("display_name", TEXT, nullable=False),
        sa.Column("description", TEXT, nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("tags", JSON, nullable=True),
        sa.Column("properties", JSON, nullable=True),
        sa.Column("compute", TEXT, nullable=True),
        sa.Column("parent", ROW, nullable=True),
        sa.Column("root", ROW, nullable=True),
        sa.Column("node", TEXT, nullable=True),
        sa.Column("component", TEXT, nullable=True),
        sa.Column("inputs", JSON, nullable=True),
        sa.Column("outputs", JSON, nullable=True),
        sa.Column("fingerprint", TEXT, nullable=True),
        sa.Column("reused_from", TEXT, nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("error", JSON, nullable=True),
        sa.Column("waits_for", TEXT, nullable=True),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.Column("preparing", TIME, nullable=True),
        sa.Column("queued", TIME, nullable=True),
        sa.Column("starting", TIME, nullable=True),
        sa.Column("running", TIME, nullable=True),
        sa.Column("finalizing", TIME, nullable=True),
        sa.Column("ended", TIME, nullable=True),
        sa.Column("created_by", TEXT, nullable=False),
        sa.Column("environment_key", TEXT, nullable=True),
        sa.Column("modified_at", TIME, nullable=False),
        sa.Column("lease_token", TEXT, nullable=True),
    ]


def _job_indexes() -> None:
    op.create_index(
        "ix_jobs_component", "jobs", ["component", "workspace", "id"], **_where(EXECUTED)
    )
    op.create_index("ix_jobs_experiment", "jobs", ["experiment", "id"])
    op.create_index("ix_jobs_fingerprint", "jobs", ["fingerprint", "workspace"], **_where(EXECUTED))
    op.create_index("ix_jobs_lease", "jobs", ["lease_token"], **_where("lease_token IS NOT NULL"))
    op.create_index("ix_jobs_node", "jobs", ["node", "workspace", "id"], **_where(EXECUTED))
    op.create_index("ix_jobs_roots", "jobs", ["workspace", "id"], **_where("parent IS NULL"))


def _job_documents() -> None:
    op.create_table(
        "job_documents",
        sa.Column("job", ROW, autoincrement=False, nullable=False),
        sa.Column("body", JSON, nullable=True),
        sa.Column("definition", JSON, nullable=True),
        sa.ForeignKeyConstraint(
            ["job"], ["jobs.id"], name="fk_job_documents_job", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job", name="pk_job_documents"),
    )


def _engines() -> None:
    op.create_table(
        "engines",
        sa.Column("token", TEXT, nullable=False),
        sa.Column("host", TEXT, nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.PrimaryKeyConstraint("token", name="pk_engines"),
    )


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
