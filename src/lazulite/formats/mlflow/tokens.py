"""The words of a filter, each with its place. It knows no grammar."""

from __future__ import annotations

import re
from typing import NamedTuple

from lazulite.domain.errors import InvalidInput

MAX_LENGTH = 100_000  # characters of a filter

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>'(?:[^']|'')*'|"(?:[^"]|"")*")
    | (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    | (?P<word>(?:[^\W\d]\w*)(?:\.(?:(?:attributes\.)?(?:`[^`]*`|"[^"]*")|[\w.\-/:]+)?)?)
    | (?P<quoted>`[^`]*`(?:\.(?:`[^`]*`|"[^"]*"))?)
    | (?P<op><=|>=|!=|<>|==|=|<|>)
    | (?P<mark>[(),])
    )""",
    re.VERBOSE,
)
_QUOTES = "`\"'"


class Token(NamedTuple):
    """One word, as it was written and as it is meant."""

    kind: str  # string, number, word, quoted, op or mark
    text: str
    at: int  # index of its first character
    prefix: str | None  # of a dotted name: what stands before the first dot
    key: str  # of a name: what stands after it, unquoted; of a string: its content


class Tokens:
    """A text, read from the left."""

    def __init__(self, text: str, what: str) -> None:
        """Read `text`, which errors call `what`."""
        if len(text) > MAX_LENGTH:
            raise InvalidInput(f"the {what} is longer than {MAX_LENGTH} characters", path=what)
        self._text = text
        self._what = what
        self._at = 0
        self._next: Token | None = None

    def peek(self) -> Token | None:
        """Return the next token and leave it; None at the end."""
        if self._next is None:
            self._next = self._read()
        return self._next

    def next(self, expected: str) -> Token:
        """Take the next token.

        Raises:
            InvalidInput: the text ends here, but `expected` should follow.
        """
        token = self.peek()
        if token is None:
            raise self.wrong(None, f"expected {expected}, but it ends here")
        self._next = None
        return token

    def take(self, mark: str) -> bool:
        """Take the next token if it is this mark."""
        token = self.peek()
        if token is None or token.kind != "mark" or token.text != mark:
            return False
        self._next = None
        return True

    def take_word(self, word: str) -> bool:
        """Take the next token if it is this word, whatever its case."""
        token = self.peek()
        if token is None or token.kind != "word" or token.text.upper() != word:
            return False
        self._next = None
        return True

    def wrong(self, token: Token | None, why: str) -> InvalidInput:
        """Return the error that `token`, or the end of the text, is wrong."""
        at = len(self._text) if token is None else token.at
        near = self._text[max(0, at - 20) : at + 20]
        return InvalidInput(
            f"Invalid {self._what} at character {at + 1} (near {near!r}): {why}",
            path=self._what,
            at=at,
        )

    def _read(self) -> Token | None:
        found = _TOKEN.match(self._text, self._at)
        if found is None:
            self._check_end()
            return None
        kind = str(found.lastgroup)
        text, at = found[kind], found.start(kind)
        self._at = found.end()
        return Token(kind, text, at, *_parts(kind, text))

    def _check_end(self) -> None:
        rest = self._text[self._at :]
        if rest.isspace() or not rest:
            return
        at = self._at + len(rest) - len(rest.lstrip())
        stray = Token("mark", self._text[at], at, None, "")
        unclosed = stray.text in _QUOTES
        raise self.wrong(
            stray, "a quote is not closed" if unclosed else f"{stray.text!r} is not expected here"
        )


def _parts(kind: str, text: str) -> tuple[str | None, str]:
    if kind == "string":
        quote = text[0]
        return None, text[1:-1].replace(quote * 2, quote)
    if kind == "word":
        prefix, dot, key = text.partition(".")
        return (prefix, _unquoted(key)) if dot else (None, text)
    if kind == "quoted":
        first, _, rest = text[1:].partition("`")
        return (first, _unquoted(rest[1:])) if rest else (None, first)
    return None, text


def _unquoted(key: str) -> str:
    return key[1:-1] if key[:1] in ("`", '"') and key[:1] else key
