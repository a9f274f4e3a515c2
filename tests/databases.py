"""An empty database of each kind for a test. Fixtures: import them in the conftest of a folder.

PostgreSQL is the server that LAZULITE_TEST_POSTGRES names (`python tests/postgres.py start DIR`
prints such a URL); each test gets a schema of its own there.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from lazulite.ports.store import Store
from lazulite.store.database import open_store

KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@contextmanager
def empty_database(kind: str, folder: Path) -> Iterator[str]:
    """Give the URL of a database with nothing in it, and delete it afterwards."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'lazulite.db'}"
        return
    server = os.environ.get("LAZULITE_TEST_POSTGRES")
    if not server:
        pytest.skip("no PostgreSQL: LAZULITE_TEST_POSTGRES is not set; see tests/postgres.py")
    schema = f"test_{uuid.uuid4().hex}"
    url = sa.make_url(server).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as db:
        db.execute(sa.schema.CreateSchema(schema))
    try:
        own = url.update_query_dict({"options": f"-csearch_path={schema}"})
        yield own.render_as_string(hide_password=False)
    finally:
        with engine.connect() as db:
            db.execute(sa.schema.DropSchema(schema, cascade=True))


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, of each kind in turn."""
    with empty_database(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An open, empty store, of each kind in turn."""
    with closing(open_store(database_url)) as opened:
        yield opened
