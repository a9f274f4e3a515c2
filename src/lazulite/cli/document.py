"""Reads the YAML file a command was given. It sends nothing and starts no server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lazulite.cli.call import Call
from lazulite.client.config import choose
from lazulite.client.documents import LocalFiles
from lazulite.config import read_settings
from lazulite.formats.yaml.plan import Plan
from lazulite.formats.yaml.read import Document, read


def read_plan(
    call: Call,
    noun: str,
    file: Path | None,
    assignments: tuple[str, ...] = (),
    content: dict[str, Any] | None = None,
) -> Plan:
    """Return what a file, or options standing for one, ask for.

    Args:
        call: the command's options.
        noun: what the file describes.
        file: the file; None = `content` alone.
        assignments: `--set`.
        content: what stands for the file where there is none.
    """
    settings = read_settings(os.environ)
    choice = choose(call.options, os.environ, Path.cwd(), settings.home)
    path = file or Path("options")
    document = Document(
        path=Path.cwd() / path,
        shown=str(path),
        content=None if file else content,
        assignments=assignments,
    )
    return read(noun, document, choice.workspace, LocalFiles(settings.home / "cache" / "documents"))
