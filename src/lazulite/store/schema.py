"""Bring a database's schema up to date with Alembic; at no cost when it already is."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from lazulite.domain.errors import Unavailable

HEAD = "0007"  # the newest revision in migrations/versions; a test compares
MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x1A201173  # PostgreSQL advisory lock: two servers must not migrate at once

_stamp = sa.table("alembic_version", sa.column("version_num"))


def bring_up_to_date(db: sa.Connection, where: str) -> None:
    """Apply the migrations that the database lacks, all or none, in one transaction.

    Raises:
        Unavailable: the database was written by a newer Lazulite.
    """
    with db.begin():
        if revision(db) == HEAD:
            return
    with db.begin():
        if db.dialect.name == "postgresql":
            db.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        found = revision(db)  # again: another server may have been faster
        if found != HEAD:
            _upgrade(db, found, where)


def revision(db: sa.Connection) -> str | None:
    """Return the revision of the schema; None for an empty database."""
    if not sa.inspect(db).has_table(_stamp.name):
        return None
    stamp: str | None = db.execute(sa.select(_stamp.c.version_num)).scalar()
    return stamp


def _upgrade(db: sa.Connection, found: str | None, where: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = db
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise Unavailable(
            f"database {where}: its schema '{found}' is not known to this version of Lazulite: "
            f"install the version that wrote it, or a newer one ({error})"
        ) from error
