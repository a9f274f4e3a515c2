"""Open the database that a URL names, its schema up to date."""

from __future__ import annotations

import sqlalchemy as sa

from lazulite.domain.errors import InvalidInput
from lazulite.ports.store import Store


def open_store(url: str) -> Store:
    """Open a store; the caller closes it.

    Args:
        url: `sqlite:////absolute/path.db`, or `postgresql://user:password@host:port/database`.

    Raises:
        InvalidInput: the URL names no database that Lazulite knows.
        Unavailable: the database is away, full, read-only, damaged, or newer than this program.
    """
    path = url.removeprefix("sqlite:///")  # not parsed: a home may have '?' or '%' in its name
    if path not in (url, "", ":memory:"):
        from lazulite.store.sqlite import SqliteStore

        return SqliteStore(path)
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise InvalidInput(f"database URL: not a URL; {_FORMS}", path=_VARIABLE) from None
    if parsed.get_backend_name() == "postgresql":
        from lazulite.store.postgres import PostgresStore

        return PostgresStore(parsed)
    shown = parsed.render_as_string(hide_password=True)
    raise InvalidInput(f"database URL '{shown}': {_FORMS}", path=_VARIABLE)


_VARIABLE = "LAZULITE_DATABASE_URL"
_FORMS = "use sqlite:////absolute/path.db or postgresql://user:password@host:port/database"
