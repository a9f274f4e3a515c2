"""Writes docs/reference/commands.md from the program: `python -m tests.docs_commands`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from lazulite.cli import main as command_line

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
    return HEAD + "".join(_section(path, command) for path, command in leaves(root()))


def _section(path: tuple[str, ...], command: click.Command) -> str:
    context = click.Context(command, info_name=f"lazulite {' '.join(path)}")
    flags = [record for p in command.params if (record := p.get_help_record(context))]
    rows = "".join(f"| `{flag}` | {_cell(words)} |\n" for flag, words in flags)
    table = f"\n| flag | what it does |\n|---|---|\n{rows}" if rows else ""
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    return f"\n## lazulite {' '.join(path)}\n\n{_paragraph(command)}\n\n`{usage}`\n{table}"


def _paragraph(command: click.Command) -> str:
    return " ".join((command.help or command.short_help or "").split("\f")[0].split())


def _cell(words: str) -> str:
    return " ".join(words.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page())
