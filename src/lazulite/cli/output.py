"""How results are printed: JSON, YAML, tab-separated, tables. It decides nothing but layout."""

from __future__ import annotations

import json
import math
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TextIO

from lazulite.domain.errors import InvalidInput


class Column(NamedTuple):
    """A column of a table: its head, and its text from a row."""

    head: str
    value: str | Callable[[Any], object]  # a key, or a function of the row
    style: Callable[[str], str] | None = None  # rich style of a cell's text, on a terminal
    spare: bool = False  # left out where a terminal is too narrow


def default_format(data: Any, *, terminal: bool) -> str:
    """Return what is printed if nobody asked: tables and YAML for people, JSON for programs."""
    if not terminal:
        return "json"
    return "table" if isinstance(data, list) else "yaml"


def search(data: Any, query: str) -> Any:
    """Return the part of the data that a JMESPath expression selects.

    Raises:
        InvalidInput: the expression is not JMESPath.
    """
    import jmespath

    try:
        return jmespath.search(query, data)
    except jmespath.exceptions.JMESPathError as error:
        reason = str(error).splitlines()[0].rstrip(":")
        raise InvalidInput(f"--query {query!r} is not JMESPath: {reason}", path="query") from None


def write(data: Any, form: str, columns: Sequence[Column] = (), to: TextIO | None = None) -> None:
    """Print the data in a format.

    Args:
        data: plain dicts, lists and scalars.
        form: json, jsonc, yaml, yamlc, tsv, table or none.
        columns: of the table; empty = the keys of the rows.
        to: where; None = stdout.
    """
    out = to or sys.stdout
    kind = form.removesuffix("c") if form in ("jsonc", "yamlc") else form
    if kind == "json":
        _json(data, out, color=form == "jsonc")
    elif kind == "yaml":
        import yaml

        text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, default_flow_style=False)
        out.write(text.removesuffix("...\n"))
    elif kind == "tsv":
        rows = data if isinstance(data, list) else [data]
        out.writelines(f"{tsv_row(row)}\n" for row in rows)
    elif kind == "table":
        table(data, columns, out)


def _json(data: Any, out: TextIO, *, color: bool) -> None:
    try:
        text = _dumped(data)
    except ValueError:  # JSON has no NaN and no infinity
        text = _dumped(_finite(data))
    if color and out.isatty():
        from rich.console import Console

        Console(file=out).print_json(text)
    else:
        out.write(text + "\n")


def _dumped(data: Any) -> str:
    return json.dumps(
        data, indent=2, ensure_ascii=False, sort_keys=True, default=str, allow_nan=False
    )


def _finite(data: Any) -> Any:
    """Return the data with null for each number that is none."""
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def tsv_row(row: Any) -> str:
    """Return a row as `az -o tsv` does: values by tabs, nested lists as their length."""
    if isinstance(row, dict):
        return "\t".join(_tsv_cell(value) for value in row.values())
    if isinstance(row, list):
        return "\t".join(_tsv_cell(value) for value in row)
    return "" if row is None else _tsv_cell(row)


def _tsv_cell(value: Any) -> str:
    if isinstance(value, list):
        return str(len(value))
    if isinstance(value, dict):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def table(data: Any, columns: Sequence[Column], out: TextIO) -> None:
    """Print rows under heads: with colours on a terminal, aligned text elsewhere."""
    rows = data if isinstance(data, list) else [] if data is None else [data]
    heads = columns or _columns(rows)
    if not heads:
        return
    cells = [[_text(_cell(row, column)) for column in heads] for row in rows]
    if out.isatty():
        from shutil import get_terminal_size

        _rich(*fitting(heads, cells, get_terminal_size().columns), out)
    else:
        _plain([column.head for column in heads], cells, out)


def _columns(rows: Sequence[Any]) -> list[Column]:
    keys: dict[str, None] = {}
    for row in rows:
        if isinstance(row, dict):
            keys.update(dict.fromkeys(k for k, v in row.items() if not isinstance(v, dict | list)))
        elif isinstance(row, list):
            keys.update(dict.fromkeys(f"Column{place + 1}" for place in range(len(row))))
        else:
            keys["Result"] = None
    return [Column(key[:1].upper() + key[1:], _getter(key)) for key in keys]


def _getter(key: str) -> Callable[[Any], object]:
    def get(row: Any) -> object:
        if isinstance(row, Mapping):
            return row.get(key)
        if isinstance(row, list):
            place = int(key.removeprefix("Column")) - 1
            return row[place] if place < len(row) else None
        return row

    return get


def _cell(row: Any, column: Column) -> object:
    if callable(column.value):
        return column.value(row)
    return row.get(column.value) if isinstance(row, Mapping) else row


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _plain(heads: list[str], cells: list[list[str]], out: TextIO) -> None:
    widths = [max(_wide(line[i]) for line in (heads, *cells)) for i in range(len(heads))]
    rule = ["-" * width for width in widths]
    for line in (heads, rule, *cells):
        pairs = zip(line, widths, strict=True)
        text = "  ".join(cell + " " * (width - _wide(cell)) for cell, width in pairs)
        out.write(text.rstrip() + "\n")


def _wide(text: str) -> int:
    """Return how many cells of a terminal a text takes: some letters and emoji take two."""
    if text.isascii():
        return len(text)
    thin = sum(bool(unicodedata.combining(one)) for one in text)
    return len(text) - thin + sum(unicodedata.east_asian_width(one) in "WF" for one in text)


def fitting(
    heads: Sequence[Column], cells: list[list[str]], width: int
) -> tuple[Sequence[Column], list[list[str]]]:
    """Leave out spare columns, the last first, until the rest fits a width."""
    texts = [[column.head for column in heads], *cells]
    wide = [max(_wide(line[place]) for line in texts) + 2 for place in range(len(heads))]
    kept = list(range(len(heads)))
    for place in reversed(range(len(heads))):
        if heads[place].spare and sum(wide[one] for one in kept) > width:
            kept.remove(place)
    return [heads[one] for one in kept], [[row[one] for one in kept] for row in cells]


def _rich(heads: Sequence[Column], cells: list[list[str]], out: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, header_style="bold", pad_edge=False)
    for place, column in enumerate(heads):
        made.add_column(column.head, overflow="fold", no_wrap=place == 0)
    for row in cells:
        pairs = zip(row, heads, strict=True)
        made.add_row(*(Text(text, style=c.style(text) if c.style else "") for text, c in pairs))
    Console(file=out).print(made)
