"""Migrations and tables.py say the same, on both databases."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.databases import database_url

from lazulite.domain.errors import Unavailable
from lazulite.store import schema
from lazulite.store.database import open_store
from lazulite.store.tables import metadata

__all__ = ["database_url"]


def connect(url: str) -> sa.Engine:
    name = "postgresql+psycopg" if url.startswith("postgresql") else "sqlite"
    return sa.create_engine(sa.make_url(url).set(drivername=name), poolclass=sa.NullPool)


def test_the_migrations_build_the_tables_of_the_code(database_url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    open_store(database_url).close()
    with connect(database_url).connect() as db:
        context = MigrationContext.configure(db, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_migrations_build_what_the_code_would(tmp_path: Path) -> None:
    """Word for word on SQLite: checks, conditions of indexes and defaults, which Alembic skips."""
    migrated, made = f"sqlite:///{tmp_path / 'a.db'}", f"sqlite:///{tmp_path / 'b.db'}"
    open_store(migrated).close()
    metadata.create_all(connect(made))
    assert _definitions(migrated) == _definitions(made)


def _definitions(url: str) -> dict[str, list[str]]:
    query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'alembic%'"
    with connect(url).connect() as db:
        return {
            name: sorted(re.findall(r"[\w']+", text)) for name, text in db.exec_driver_sql(query)
        }


def test_the_head_the_code_expects_is_the_newest_migration() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == schema.HEAD


def test_a_database_of_a_newer_program_is_refused(database_url: str) -> None:
    open_store(database_url).close()
    with connect(database_url).begin() as db:
        db.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Unavailable, match="'9999' is not known to this version of Lazulite"):
        open_store(database_url)


def test_a_migration_that_fails_leaves_nothing(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic import command

    upgrade = command.upgrade

    def fail(*args: Any) -> None:
        upgrade(*args)
        raise ZeroDivisionError

    monkeypatch.setattr(command, "upgrade", fail)
    with pytest.raises(ZeroDivisionError):
        open_store(database_url)
    with connect(database_url).connect() as db:
        assert sa.inspect(db).get_table_names() == []


def test_opening_an_up_to_date_database_does_not_import_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'lazulite.db'}"
    open_store(url).close()
    program = (
        "import sys; from lazulite.store.database import open_store;"
        "open_store(sys.argv[1]).close();"
        "print([n for n in ('alembic', 'psycopg', 'sqlalchemy.orm') if n in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, url], capture_output=True, text=True, check=True
    )
    assert ended.stdout == "[]\n"


def test_two_programs_may_open_a_new_database_at_once(database_url: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def open_and_write(i: int) -> int:
        with closing(open_store(database_url)) as store:
            return store.write(lambda tx: len(tx.executions.claim(f"t{i}")))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(open_and_write, range(4))) == [0, 0, 0, 0]
