"""Typed reading of a JSON object of any shape. Every refusal names the field's path."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from lazulite.domain.errors import InvalidInput
from lazulite.domain.ids import MAX_NAME

_DURATION = re.compile(
    r"P(?:(?P<d>\d+)D)?(?:T(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?"
)
_HALF = re.compile("[\ud800-\udfff]")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_\-]*", re.ASCII)
_MOST = 2**31 - 1  # of what Azure's counts can be
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}


class Reader:
    """A JSON object and the dotted path where it stands. null counts as absent."""

    __slots__ = ("_body", "path")

    def __init__(self, body: Any, path: str) -> None:
        """Read `body`; raises InvalidInput if it is not an object."""
        if not isinstance(body, dict):
            raise InvalidInput(
                f"{path or 'the body'} must be an object, not {_kind(body)}", path=path
            )
        self._body: dict[str, Any] = body
        self.path = path

    def at(self, key: str) -> str:
        """Return the path of a field."""
        return f"{self.path}.{key}" if self.path else key

    def raw(self, *keys: str) -> Any:
        """Return the first of `keys` that is not null, else None."""
        return next((self._body[k] for k in keys if self._body.get(k) is not None), None)

    def text(self, *keys: str) -> str | None:
        """Return a string; numbers and booleans are spelled as JSON spells them."""
        value = self.raw(*keys)
        if value is None:
            return None
        if isinstance(value, str):
            return check_text(value, self.at(keys[0]))
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return str(value)
        raise InvalidInput(
            f"{self.at(keys[0])} must be text, not {_kind(value)}", path=self.at(keys[0])
        )

    def required(self, *keys: str) -> str:
        """Return a string that must be there and not empty."""
        value = self.text(*keys)
        if not value or not value.strip():
            raise InvalidInput(f"{self.at(keys[0])} is missing or empty", path=self.at(keys[0]))
        return value

    def flag(self, *keys: str, default: bool) -> bool:
        """Return a boolean; the texts true and false are understood."""
        value = self.raw(*keys)
        if value is None:
            return default
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if isinstance(value, bool):
            return value
        raise InvalidInput(f"{self.at(keys[0])} must be true or false", path=self.at(keys[0]))

    def whole(self, *keys: str, default: int, least: int = 0) -> int:
        """Return an integer of at least `least`."""
        value = self.raw(*keys)
        if value is None:
            return default
        try:
            number = int(value)
        except (TypeError, ValueError, OverflowError):
            number = least - 1
        is_fraction = isinstance(value, float) and number != value
        if isinstance(value, bool) or is_fraction or not least <= number <= _MOST:
            raise InvalidInput(
                f"{self.at(keys[0])} must be a whole number of at least {least}, got {value!r}",
                path=self.at(keys[0]),
            )
        return number

    def number(self, *keys: str) -> float | None:
        """Return a number or None."""
        value = self.raw(*keys)
        if value is None:
            return None
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise InvalidInput(
                f"{self.at(keys[0])} must be a number, got {value!r}", path=self.at(keys[0])
            )
        return number

    def seconds(self, *keys: str) -> float | None:
        """Return a duration in seconds: ISO 8601 (`PT10M`, as the SDK sends) or a plain number."""
        value = self.text(*keys)
        if value is None:
            return None
        found = _DURATION.fullmatch(value)
        total = (
            sum(float(found[unit] or 0) * size for unit, size in _SECONDS.items())
            if found
            else self.number(*keys)
        )
        if not total or total <= 0:
            raise InvalidInput(
                f"{self.at(keys[0])} must be longer than zero, got {value!r}", path=self.at(keys[0])
            )
        return total

    def child(self, *keys: str) -> Reader:
        """Return the object under a key; an absent one reads as empty."""
        return Reader(self.raw(*keys) or {}, self.at(keys[0]))

    def children(self, *keys: str) -> Iterator[tuple[str, Reader]]:
        """Yield (name, object) of an object of objects."""
        inner = self.child(*keys)
        for name in inner.names():
            yield name, inner.child(name)

    def texts(self, *keys: str) -> dict[str, str]:
        """Return an object of strings."""
        inner = self.child(*keys)
        return {name: inner.text(name) or "" for name in inner.names()}

    def names(self) -> list[str]:
        """Return the keys that are not null."""
        return [check_text(str(k), self.path) for k, v in self._body.items() if v is not None]


def check_text(text: str, path: str) -> str:
    """Return a text that processes, files and databases take.

    Raises:
        InvalidInput: it holds a NUL, or half of a character.
    """
    if "\0" in text or (not text.isascii() and _HALF.search(text)):
        raise InvalidInput(f"{path}: {text[:80]!r} holds a NUL or half a character", path=path)
    return text


def check_part(name: str, what: str, path: str) -> str:
    """Return the name of a node, input or output: it becomes part of paths and variables.

    Raises:
        InvalidInput: it is empty, too long, or has other characters than letters, digits, '_', '-'.
    """
    if len(name) > MAX_NAME or not _PART.fullmatch(name):
        raise InvalidInput(
            f"{path}: the name {name[:80]!r} of {what} is not valid: use at most {MAX_NAME} "
            "letters, digits, '_' and '-'",
            path=path,
        )
    return name


def _kind(value: Any) -> str:
    names = {list: "a list", str: "text", bool: "true/false", dict: "an object"}
    return names.get(type(value), "nothing" if value is None else "a number")
