"""The disk, as documents see it. It remembers how a file was parsed until the file changes.

PyYAML's import takes a tenth of a short command's time: a file that is submitted again needs none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from blake3 import blake3

from lazulite import __version__
from lazulite.client import cache
from lazulite.formats.yaml.document import Node

_MOST = 20_000  # values; a larger document is parsed each time


class LocalFiles:
    """Reads files and trees."""

    def __init__(self, memory: Path | None = None) -> None:
        """Remember parsed files in a folder; None = nowhere."""
        self._memory = memory

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def kind(self, path: Path) -> Literal["file", "folder"] | None:
        if path.is_dir():
            return "folder"
        return "file" if path.is_file() else None

    def tree(self, path: Path, data: bytes, shown: str) -> Node:
        if self._memory is None:
            return _parse(data, shown)
        store = cache.place(self._memory, str(path))
        content = f"{__version__} {blake3(data).hexdigest()}"
        kept = cache.load(store)
        if kept.get("content") == content:
            return thaw(kept["tree"])
        node = _parse(data, shown)
        if node.size <= _MOST:
            cache.save(store, {"content": content, "tree": freeze(node)})
        return node


def _parse(data: bytes, shown: str) -> Node:
    from lazulite.formats.yaml.parser import parse

    return parse(data, shown)


def freeze(node: Node) -> list[Any]:
    """Return a document as JSON; aliases are written out."""
    if isinstance(node.value, dict):
        return [node.line, {key: freeze(one) for key, one in node.value.items()}, node.lines]
    if isinstance(node.value, list):
        return [node.line, [freeze(one) for one in node.value]]
    return [node.line, node.value, node.text]


def thaw(kept: list[Any]) -> Node:
    """Return the document that `freeze` returned as JSON."""
    line, value, *more = kept
    if isinstance(value, dict):
        return Node({key: thaw(one) for key, one in value.items()}, line, lines=more[0])
    if isinstance(value, list):
        return Node([thaw(one) for one in value], line)
    return Node(value, line, text=more[0])
