"""Reads the fenced blocks of Markdown pages. It runs nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").rglob("*.md"))
ALL = [*PAGES, *sorted(ROOT.glob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]

_FENCE = re.compile(r"^( *)```(\w*)([^\n]*)\n(.*?)^\1```\s*$", re.DOTALL | re.MULTILINE)
_TITLE = re.compile(r'title="([^"]+)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block. Titled, it is a file; `console`, it is a session."""

    page: Path
    line: int
    language: str
    title: str | None
    text: str

    @property
    def where(self) -> str:
        """For messages: page and line."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page, in order."""
    text = page.read_text()
    for found in _FENCE.finditer(text):
        indent, language, info, body = found.groups()
        title = _TITLE.search(info)
        yield Block(
            page=page,
            line=text.count("\n", 0, found.start()) + 1,
            language=language,
            title=title[1] if title else None,
            text="".join(line.removeprefix(indent) for line in body.splitlines(keepends=True)),
        )


@dataclass(frozen=True, slots=True)
class Command:
    """A line after `$ ` and the lines that the page shows under it."""

    block: Block
    text: str
    shown: tuple[str, ...]


def commands(block: Block) -> list[Command]:
    """Split a `console` block into its commands; `> ` continues one."""
    found: list[tuple[str, list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.startswith("> ") and found and not found[-1][1]:
            found[-1] = (f"{found[-1][0]}\n{line[2:]}", [])
        elif found:
            found[-1][1].append(line)
    return [Command(block, text, tuple(shown)) for text, shown in found]


def missing_line(shown: tuple[str, ...], printed: str) -> str | None:
    """Return the first line that a page shows and the program did not print, in this order.

    `…` stands for anything: in a line for some characters, alone for some lines. Runs of blanks
    are equal, so that tables may be wider.
    """
    rest = iter(" ".join(line.split()) for line in printed.splitlines())
    for line in shown:
        wanted = " ".join(line.split())
        if wanted in ("", "…"):
            continue
        pattern = re.compile(".*".join(re.escape(part) for part in wanted.split("…")))
        if not any(pattern.fullmatch(candidate) for candidate in rest):
            return line
    return None
