"""Orders and keyset pages: a page begins after what the last row of the page before sorted by."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from lazulite.domain.errors import InvalidInput
from lazulite.domain.search import Search


class Sort(NamedTuple):
    """One column of an order; NULL comes last either way."""

    column: sa.ColumnElement[Any]
    descending: bool
    nullable: bool = True

    @property
    def term(self) -> sa.ColumnElement[Any]:
        """The ORDER BY term."""
        found = self.column.desc() if self.descending else self.column.asc()
        return found.nulls_last() if self.nullable else found


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ended."""

    question: str  # digest of what was asked: a token is good for that alone
    phase: int
    values: list[str | int | float | None]


def after(sorts: Sequence[Sort], values: Sequence[Any]) -> sa.ColumnElement[bool]:
    """Say that a row comes after the one that sorted by `values`."""
    options = []
    for at, (sort, value) in enumerate(zip(sorts, values, strict=True)):
        if value is None:
            continue  # nothing but NULL comes after NULL
        same = [
            s.column.is_(None) if v is None else s.column == v
            for s, v in zip(sorts[:at], values[:at], strict=True)
        ]
        beyond = sort.column < value if sort.descending else sort.column > value
        if sort.nullable:
            beyond = sa.or_(beyond, sort.column.is_(None))
        options.append(sa.and_(*same, beyond))
    return sa.or_(*options)


def question(*parts: Any) -> str:
    """Return the digest of a question; pages of other questions have other tokens."""
    text = msgspec.json.encode(parts)
    return hashlib.blake2b(text, digest_size=6).hexdigest()


def asked(search: Search, *parts: Any) -> str:
    """Return the digest of a search, whatever its page."""
    return question(repr(search.condition), repr(search.orders), *parts)


def write_token(place: Place) -> str:
    """Return the token of a place."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def read_token(token: str, wanted: str, counts: Sequence[int]) -> Place:
    """Return the place of a token.

    Args:
        token: what a client sent.
        wanted: digest of what it asks now.
        counts: number of values that a place of each phase has.

    Raises:
        InvalidInput: it is none of this question's.
    """
    try:
        padded = token + "=" * (-len(token) % 4)
        place = _decode(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, msgspec.MsgspecError, RecursionError):
        place = Place("", -1, [])
    fits = 0 <= place.phase < len(counts) and len(place.values) == counts[place.phase]
    if place.question != wanted or not fits:
        raise InvalidInput(
            f"Invalid page_token {token[:60]!r}: it is not one of this search; pass on what the "
            "page before had, and change nothing else",
            path="page_token",
        )
    return place


_decode = msgspec.json.Decoder(Place).decode
