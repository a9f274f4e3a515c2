"""Typed reading of a YAML mapping: errors and warnings name file, line, field and nearest word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lazulite.domain.errors import InvalidInput, LazuliteError, Unsupported
from lazulite.domain.ids import check_name
from lazulite.formats.yaml.document import Node


class Source(NamedTuple):
    """The file a value stands in."""

    name: str  # as messages show it
    folder: Path  # relative paths start here
    warnings: list[str]  # shared by all files of one reading


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping of a document, with the path that leads to it."""

    node: Node
    source: Source
    path: tuple[str, ...] = ()
    line: int = 1  # of the key that holds it

    @property
    def values(self) -> dict[str, Node]:
        """The mapping itself."""
        return self.node.value if isinstance(self.node.value, dict) else {}

    def __contains__(self, key: str) -> bool:
        """Whether the key is there with a value that is not null."""
        return key in self.values and self.values[key].value is not None

    def __iter__(self) -> Iterator[str]:
        """The keys, in the order of the file."""
        return iter(self.values)

    # -- reading

    def text(self, key: str) -> str | None:
        """Return a scalar as it is spelled, None if absent or null."""
        if key not in self:
            return None
        node = self.values[key]
        if isinstance(node.value, (dict, list)):
            raise self.wrong(key, "must be text")
        return node.text

    def need(self, key: str) -> str:
        """Return a scalar that must be there and not be empty."""
        text = self.text(key)
        if not text:
            raise self.fail(f"needs '{key}'{self.slip(key)}")
        return text

    def flag(self, key: str) -> bool | None:
        """Return true or false, None if absent."""
        found: bool | None = self._typed(key, bool, "must be true or false")
        return found

    def whole(self, key: str) -> int | None:
        """Return a whole number, None if absent."""
        found: int | None = self._typed(key, int, "must be a whole number")
        return found

    def number(self, key: str) -> float | None:
        """Return a number, None if absent."""
        found = self._typed(key, (int, float), "must be a number")
        return None if found is None else float(found)

    def texts(self, key: str) -> dict[str, str] | None:
        """Return a mapping of names to scalars as they are spelled, None if absent."""
        section = self.section(key)
        if section is None:
            return None
        return {name: section.text(name) or "" for name in section}

    def plain(self, key: str) -> Any:
        """Return whatever stands there as plain data, None if absent."""
        return self.values[key].plain() if key in self else None

    def section(self, key: str) -> Section | None:
        """Return the mapping under `key`, None if absent."""
        if key not in self:
            return None
        if not isinstance(self.values[key].value, dict):
            raise self.wrong(key, "must be a mapping of names to values")
        return self.at(key)

    def at(self, key: str) -> Section:
        """Return what stands under `key` as a section, whatever its type."""
        return Section(self.values[key], self.source, (*self.path, key), self.line_of(key))

    def items(self, key: str) -> list[Node]:
        """Return the list under `key`, empty if absent."""
        if key not in self:
            return []
        found = self.values[key].value
        if not isinstance(found, list):
            raise self.wrong(key, "must be a list")
        return found

    # -- talking about it

    def line_of(self, key: str | None) -> int:
        """Return the line of a key of this mapping, or of the mapping itself."""
        return self.line if key is None else self.node.lines.get(key, self.line)

    def dotted(self, key: str | None = None) -> str:
        """Return the path of this mapping or of one of its keys."""
        return ".".join(self.path if key is None else (*self.path, key))

    def fail(self, message: str, key: str | None = None) -> InvalidInput:
        """Return the error that says `message` about this mapping or one of its keys."""
        return InvalidInput(self._place(message, key), path=self.dotted(key) or None)

    def unsupported(self, message: str, key: str | None = None) -> Unsupported:
        """Return the refusal of something that Azure ML runs and Lazulite does not."""
        return Unsupported(self._place(message, key), path=self.dotted(key) or None)

    def blame(self, error: LazuliteError, key: str | None = None) -> LazuliteError:
        """Return `error` with the place of this value before its message."""
        return type(error)(self._place(error.message, key), path=self.dotted(key) or None)

    def wrong(self, key: str, must: str) -> InvalidInput:
        """Return the error that a value has the wrong type."""
        shown = repr(self.values[key].plain())
        return self.fail(f"{must}, not {shown[:60]}", key)

    def safe_name(self, name: str, what: str, key: str | None = None) -> None:
        """Refuse a name that is no safe path segment."""
        try:
            check_name(name, what)
        except InvalidInput as error:
            raise self.blame(error, key) from None

    def warn(self, message: str, key: str | None = None) -> None:
        """Remember a warning about this mapping or one of its keys."""
        text = self._place(message, key)
        if text not in self.source.warnings:
            self.source.warnings.append(text)

    def known(self, fields: Iterable[str], *, ignored: Iterable[str] = ()) -> None:
        """Warn of each key that is not known, and of each that is known and has no effect."""
        allowed = (*fields, *ignored)
        for key in self.values:
            if key in ignored:
                self.warn("has no effect here and is ignored", key)
            elif key not in allowed:
                self.warn(f"is not a known field and is ignored{self.hint(key, allowed)}", key)

    @staticmethod
    def hint(word: str, known: Iterable[str]) -> str:
        """Return `; did you mean 'x'?` for the nearest known word, else nothing."""
        near = _near(word, list(known))
        return f"; did you mean '{near}'?" if near else ""

    def slip(self, key: str) -> str:
        """Return words on a key here that may be `key` with a typing error, else nothing."""
        near = _near(key, [other for other in self if other != key])
        return f"; is '{near}' on line {self.line_of(near)} meant?" if near else ""

    def one_of(self, key: str, known: Iterable[str]) -> str | None:
        """Return a word that must be one of `known`, None if absent."""
        word = self.text(key)
        choices = list(known)
        if word is None or word in choices:
            return word
        hint = self.hint(word, choices) or f"; use one of {', '.join(choices)}"
        raise self.fail(f"'{word[:60]}' is not known here{hint}", key)

    def _typed(self, key: str, types: Any, must: str) -> Any:
        if key not in self:
            return None
        value = self.values[key].value
        if isinstance(value, types) and (types is bool or not isinstance(value, bool)):
            return value
        raise self.wrong(key, must)

    def _place(self, message: str, key: str | None) -> str:
        path = self.dotted(key)
        where = f"{self.source.name}:{self.line_of(key)}"
        return f"{where}: {path}: {message}" if path else f"{where}: {message}"


def _near(word: str, known: list[str]) -> str | None:
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, known, 1, 0.7)), None)
