"""`--set a.b[0].c=value`: changes a document before it is validated."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from lazulite.domain.errors import InvalidInput
from lazulite.formats.yaml.document import Node, scalar

Step = str | int
_WORD = re.compile(r"[A-Za-z0-9_/][A-Za-z0-9_./+-]*")  # what no YAML reader reads otherwise
_STEP = re.compile(r"\[(\d+)\]|((?:[^.\[\]\\]|\\.)+)(?=[.\[]|$)")


def parse_assignment(text: str) -> tuple[tuple[Step, ...], Node]:
    """Split `a.b[0]=value` into its path and its value, typed as YAML would type it.

    A dot or bracket in a key is written with a backslash before it. Numbers between dots are keys,
    unless what stands there is a list.

    Raises:
        InvalidInput: there is no `=`, or the path is empty or malformed.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidInput(f"--set {text!r}: write path=value, as in settings.force_rerun=true")
    node = Node(None, 0) if not value.strip() else _value(value, name)
    return parse_path(name), node


def parse_path(text: str) -> tuple[Step, ...]:
    """Split `a.b[0]` into keys and list places.

    Raises:
        InvalidInput: the path is empty or malformed.
    """
    steps: list[Step] = []
    place = 0
    while place < len(text):
        found = _STEP.match(text, place)
        if not found:
            break
        steps.append(int(found[1]) if found[1] else re.sub(r"\\(.)", r"\1", found[2]))
        place = found.end()
        if text[place : place + 1] == "." and place + 1 < len(text):
            place += 1
    if place < len(text) or not steps or isinstance(steps[0], int):
        raise InvalidInput(f"--set: {text[:80]!r} is not a path such as inputs.lr or tags.team")
    return tuple(steps)


def apply(root: Node, assignments: Iterable[str]) -> Node:
    """Return the document with every assignment made, in order. `root` is left as it was."""
    for text in assignments:
        path, value = parse_assignment(text)
        root = _assign(root, path, value, text)
    return root


def apply_plain(value: dict[str, Any], assignments: Iterable[str]) -> dict[str, Any]:
    """Do the same to plain data."""
    changed = apply(_wrap(value), assignments).plain()
    return dict(changed)


def _value(text: str, name: str) -> Node:
    if _WORD.fullmatch(text):
        return Node(scalar(text), 1, text=text)
    from lazulite.formats.yaml.parser import parse

    try:
        return parse(text, f"--set {name}")
    except InvalidInput:
        return Node(text, 0, text=text)  # `--set command=a: b: c` means that text


def _assign(node: Node, path: tuple[Step, ...], value: Node, text: str) -> Node:
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(node.value, list):
        return _assign_item(node, step, rest, value, text)
    if isinstance(step, int):
        raise InvalidInput(f"--set {text!r}: there is no list at [{step}]")
    old = node.value if isinstance(node.value, dict) else {}
    child = _assign(old.get(step, Node(None, node.line)), rest, value, text)
    lines = {**node.lines, step: node.lines.get(step, node.line)}
    return Node({**old, step: child}, node.line, lines=lines)


def _assign_item(node: Node, step: Step, rest: tuple[Step, ...], value: Node, text: str) -> Node:
    items = list(node.value) if isinstance(node.value, list) else []
    place = int(step) if str(step).isdigit() else -1
    if not 0 <= place <= len(items):
        raise InvalidInput(f"--set {text!r}: the list has places 0 to {len(items)}, not {step!r}")
    if place == len(items):
        items.append(Node(None, node.line))
    items[place] = _assign(items[place], rest, value, text)
    return Node(items, node.line)


def _wrap(value: Any) -> Node:
    if isinstance(value, dict):
        lines = dict.fromkeys(value, 0)
        return Node({key: _wrap(child) for key, child in value.items()}, 0, lines=lines)
    if isinstance(value, (list, tuple)):
        return Node([_wrap(child) for child in value], 0)
    return Node(value, 0, text="" if value is None else str(value))
