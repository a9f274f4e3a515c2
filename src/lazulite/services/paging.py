"""Pages of lists that are read whole: a page begins after the last key of the page before."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from lazulite.domain.errors import InvalidInput
from lazulite.ports.listed import Listed

Item = TypeVar("Item")


def paged(
    items: Sequence[Item], key: Callable[[Item], str], limit: int, token: str | None
) -> Listed[Item]:
    """Return the page that a token asks for.

    Raises:
        InvalidInput: the token is not one of this list.
    """
    start = 0
    if token:
        keys = [key(item) for item in items]
        try:
            last = base64.urlsafe_b64decode(token.encode()).decode()
            start = keys.index(last) + 1
        except (ValueError, binascii.Error):
            raise InvalidInput(
                f"Invalid page_token {token[:60]!r}: it is not one of this list", path="page_token"
            ) from None
    shown = list(items[start : start + limit])
    more = len(items) > start + limit and shown
    return Listed(
        shown, base64.urlsafe_b64encode(key(shown[-1]).encode()).decode() if more else None
    )
