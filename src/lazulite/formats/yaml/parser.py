"""From YAML text to a tree. It imports PyYAML, which takes a tenth of a short command's time.

The tree is built from parse events, so that depth, size and alias expansion are bounded before
any value exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from lazulite.domain.errors import InvalidInput, TooLarge
from lazulite.formats.yaml.document import Node, Scalar, scalar

MAX_BYTES = 5 * 1024 * 1024
MAX_DEPTH = 64  # nested collections
MAX_VALUES = 500_000  # values after aliases are expanded

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse(data: bytes | str, file: str) -> Node:
    """Read the one document in `data`.

    Args:
        data: UTF-8 text of at most `MAX_BYTES`.
        file: how errors name the file.

    Raises:
        InvalidInput: it is not YAML, has two documents, a duplicate key or a key that is no text.
        TooLarge: it is larger, deeper or has more values than allowed.
    """
    raw = data.encode() if isinstance(data, str) else data
    if len(raw) > MAX_BYTES:
        raise TooLarge(f"{file}: {len(raw)} bytes of YAML; at most {MAX_BYTES} are read")
    try:
        return _Reader(file).read(yaml.parse(raw, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        raise InvalidInput(_explain(error, raw, file)) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidInput(f"{file}: is not YAML text in UTF-8: {reason}") from None


@dataclass(slots=True)
class _Open:
    """A collection whose end was not read yet."""

    node: Node
    anchor: str | None
    key: str | None = None
    key_line: int = 0
    merges: list[Node] = field(default_factory=list)


class _Reader:
    """Builds the tree from events with a stack of its own, so depth costs no recursion."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._anchors: dict[str, Node | None] = {}  # None = not complete: it would hold itself
        self._stack: list[_Open] = []
        self._root: Node | None = None

    def read(self, events: Iterator[yaml.Event]) -> Node:
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._error(event, "has two documents; put each in a file of its own")
            elif isinstance(event, yaml.CollectionStartEvent):
                self._open(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._close()
            elif isinstance(event, yaml.ScalarEvent):
                self._scalar(event)
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event)
        return self._root or Node({}, 1)

    def _open(self, event: yaml.CollectionStartEvent) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise TooLarge(f"{self._at(event)}: is nested deeper than {MAX_DEPTH} levels")
        if self._stack and self._wants_key():
            raise self._error(event, "a key must be text")
        empty: dict[str, Node] | list[Node] = {}
        if isinstance(event, yaml.SequenceStartEvent):
            empty = []
        if event.anchor:
            self._anchors[event.anchor] = None
        self._stack.append(_Open(Node(empty, _line(event)), event.anchor))

    def _close(self) -> None:
        opened = self._stack.pop()
        for merged in opened.merges:
            self._merge(opened.node, merged)
        if opened.anchor:
            self._anchors[opened.anchor] = opened.node
        self._place(opened.node)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        if self._stack and self._wants_key():
            self._key(event)
            return
        plain = event.implicit[0] and event.tag is None
        value: Scalar = scalar(event.value) if plain else event.value
        node = Node(value, _line(event), text=event.value)
        if event.anchor:
            self._anchors[event.anchor] = node
        self._place(node)

    def _key(self, event: yaml.ScalarEvent) -> None:
        top = self._stack[-1]
        if event.value in top.node.lines and event.value != "<<":
            first = top.node.lines[event.value]
            raise self._error(event, f"the key '{event.value}' stands here and on line {first}")
        top.key, top.key_line = event.value, _line(event)
        top.node.lines[event.value] = top.key_line

    def _alias(self, event: yaml.AliasEvent) -> None:
        name = event.anchor
        if name not in self._anchors:
            raise self._error(event, f"the alias '*{name}' has no anchor '&{name}' before it")
        node = self._anchors[name]
        if node is None:
            raise self._error(event, f"the alias '*{name}' stands inside its own anchor")
        if self._stack and self._wants_key():
            raise self._error(event, "an alias cannot be a key")
        if len(self._stack) + node.depth > MAX_DEPTH:
            raise TooLarge(f"{self._at(event)}: is nested deeper than {MAX_DEPTH} levels")
        self._place(node)

    def _wants_key(self) -> bool:
        top = self._stack[-1]
        return isinstance(top.node.value, dict) and top.key is None

    def _place(self, node: Node) -> None:
        if not self._stack:
            self._root = node
            return
        top = self._stack[-1]
        parent = top.node
        if isinstance(parent.value, list):
            parent.value.append(node)
        elif isinstance(parent.value, dict) and top.key == "<<":
            top.merges.append(node)
            del parent.lines["<<"]
            top.key = None
        elif isinstance(parent.value, dict) and top.key is not None:
            parent.value[top.key] = node
            top.key = None
        parent.size += node.size
        parent.depth = max(parent.depth, node.depth + 1)
        if parent.size > MAX_VALUES:
            raise TooLarge(
                f"{self._file}:{node.line}: has more than {MAX_VALUES} values once its aliases "
                "are expanded"
            )

    def _merge(self, node: Node, merged: Node) -> None:
        sources = merged.value if isinstance(merged.value, list) else [merged]
        for source in sources:
            if not isinstance(source.value, dict) or not isinstance(node.value, dict):
                raise InvalidInput(f"{self._file}:{merged.line}: '<<' merges only mappings")
            for key, child in source.value.items():
                if key not in node.value:
                    node.value[key] = child
                    node.lines[key] = source.lines[key]

    def _at(self, event: yaml.Event) -> str:
        return f"{self._file}:{_line(event)}"

    def _error(self, event: yaml.Event, message: str) -> InvalidInput:
        return InvalidInput(f"{self._at(event)}: {message}")


def _line(event: yaml.Event) -> int:
    mark = event.start_mark
    return mark.line + 1 if mark else 0


def _explain(error: yaml.MarkedYAMLError, raw: bytes, file: str) -> str:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return f"{file}: is not YAML: {error.problem}"
    lines = raw.decode("utf-8", "replace").splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    indent = line[: len(line) - len(line.lstrip())]
    if "\t" in indent or line[mark.column : mark.column + 1] == "\t":
        return f"{file}:{mark.line + 1}: a tab is used to indent; YAML wants spaces"
    where = f" ({error.context})" if error.context else ""
    return f"{file}:{mark.line + 1}: is not YAML: {error.problem}{where}, near {line.strip()!r}"
