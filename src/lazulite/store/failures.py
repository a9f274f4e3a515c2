"""Turn a database's errors into Lazulite's. It does not retry."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from lazulite.domain.errors import Conflict, InvalidInput, LazuliteError, Unavailable

_SQLITE = {
    sqlite3.SQLITE_FULL: "the disk is full: free some space and try again",
    sqlite3.SQLITE_READONLY: "it is read-only: make the home and its files writable",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: check that its folder exists and is writable",
    sqlite3.SQLITE_IOERR: "its disk reports an input/output error: check the disk and its space",
    sqlite3.SQLITE_BUSY: "another process holds it: stop that process, or try again",
    sqlite3.SQLITE_LOCKED: "another process holds it: stop that process, or try again",
    sqlite3.SQLITE_CORRUPT: "the file is damaged: restore it from a backup",
    sqlite3.SQLITE_NOTADB: "the file is not a SQLite database: move it away or name another",
    sqlite3.SQLITE_PERM: "access to it is denied: check its permissions",
}
_POSTGRES = {  # by class of SQLSTATE (its first two characters) or by the whole
    "08": "the connection broke: check that PostgreSQL runs and is reachable",
    "25006": "it is read-only (a standby?): name the primary server",
    "28": "it refuses the user or the password: check the URL",
    "3D": "that database does not exist: create it, or check the URL",
    "42501": "the user lacks a right it needs: grant CREATE and USAGE on the schema",
    "53": "PostgreSQL is out of disk, memory or connections: free some and try again",
    "57": "PostgreSQL is stopping or ended the query: try again when it is up",
    "58": "PostgreSQL reports a system error: check its log",
    "40": "too many writers contend for the same rows: try again",
}
RETRY = frozenset({"40001", "40P01"})  # serialization failure, deadlock: PostgreSQL says run again


def sqlstate(error: sa.exc.DBAPIError) -> str:
    """Return PostgreSQL's five characters; empty when there are none."""
    return getattr(error.orig, "sqlstate", None) or ""


@contextmanager
def explained(where: str) -> Iterator[None]:
    """Raise Lazulite's error in place of a database's, unless it is a fault of our own.

    Args:
        where: the database, without its password, for the sentence.
    """
    try:
        yield
    except sa.exc.DBAPIError as error:
        known = _known(error, where)
        if known is None:
            raise
        raise known from error
    except UnicodeEncodeError as error:
        shown = error.object[:40].encode("ascii", "backslashreplace").decode()
        raise InvalidInput(f"text '{shown}' is not valid Unicode: {error.reason}") from error


def closed(where: str) -> Unavailable:
    """Return the error for a store that was closed."""
    return Unavailable(f"database {where} is closed: the server is stopping")


def _known(error: sa.exc.DBAPIError, where: str) -> LazuliteError | None:
    if isinstance(error, sa.exc.IntegrityError):
        return Conflict(
            "the write contradicts what is stored: the thing exists already, or what it belongs to "
            f"was deleted meanwhile ({_first_line(error)})"
        )
    if isinstance(error, sa.exc.DataError):
        return InvalidInput(f"a value does not fit its column: {_first_line(error)}")
    reason = _reason(error)
    if reason is None:
        return None
    return Unavailable(f"database {where}: {reason} ({_first_line(error)})")


def _reason(error: sa.exc.DBAPIError) -> str | None:
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return _SQLITE.get(code & 0xFF)  # the low byte is the primary code
    state = sqlstate(error)
    if not state and isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError):
        return _POSTGRES["08"]
    return _POSTGRES.get(state) or _POSTGRES.get(state[:2])


def _first_line(error: sa.exc.DBAPIError) -> str:
    return str(error.orig).strip().split("\n", 1)[0]
