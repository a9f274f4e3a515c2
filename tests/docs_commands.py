"""Writes docs/reference/commands.md from the program: `python -m tests.docs_commands`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from lazulite.cli import program as command_line

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "commands.md"
HEAD = """\
# Commands

Nouns, verbs and flags are those of `az ml`. Written by `just commands` from the program itself.
"""


def root() -> click.Group:
    """Return the `lazulite` command."""
    return next(v for v in vars(command_line).values() if isinstance(v, click.Group))


def leaves(
    group: click.Group, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command that is not hidden, with its words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name), command


def page() -> str:
    """Return the text that the page should have."""
    every = list(leaves(root()))
    rows = {path: _rows(command) for path, command in every}
    shared = [row for row in rows["job", "show"] if sum(row in r for r in rows.values()) > 20]
    text = f"{HEAD}\nMost take these flags:\n{_table(shared)}"
    for path, command in every:
        own = [row for row in rows[path] if row not in shared]
        text += f"\n## lazulite {' '.join(path)}\n\n{_paragraph(command)}\n{_table(own)}"
    return text


def _rows(command: click.Command) -> list[str]:
    context = click.Context(command)
    records = [p.get_help_record(context) for p in command.params]
    return [f"| `{_cell(r[0])}` | {_cell(r[1])} |\n" for r in records if r and all(r)]


def _table(rows: list[str]) -> str:
    return f"\n| flag | what it does |\n|---|---|\n{''.join(rows)}" if rows else ""


def _paragraph(command: click.Command) -> str:
    return " ".join((command.help or command.short_help or "").split("\f")[0].split())


def _cell(words: str) -> str:
    return " ".join(words.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page())
