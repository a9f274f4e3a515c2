"""A YAML document as a tree that knows its lines. It reads no text and knows nothing of Azure ML.

Only YAML 1.2's true/false are booleans (`yes`, `on` stay text), dates stay text, and every scalar
keeps its spelling (`version: 0.10` is "0.10").
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = {".inf": float("inf"), "+.inf": float("inf"), "-.inf": float("-inf")}
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})

Scalar = str | int | float | bool | None


@dataclass(slots=True)
class Node:
    """One value of a document. Aliases share nodes, so a node is never changed once read."""

    value: Scalar | dict[str, Node] | list[Node]
    line: int  # 1-based
    text: str = ""  # a scalar as it was spelled
    lines: dict[str, int] = field(default_factory=dict)  # line of each key of a mapping
    size: int = 1  # values in it, aliases expanded
    depth: int = 0  # collections nested in it

    def plain(self) -> Any:
        """Return the value as plain dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value


def scalar(text: str) -> Scalar:
    """Return what an unquoted scalar means."""
    if text in _NULLS:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INTEGER.fullmatch(text) and len(text) < 4000:
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return _SPECIAL.get(text.lower(), text)
