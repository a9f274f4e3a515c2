"""Names that complete in the shell: asked from the server, which is never started for that."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from lazulite.client.session import Session

_MOST = 200  # names offered at once


class Name(click.ParamType):  # type: ignore[type-arg]  # generic only in newer clicks
    """The name of something of a kind: jobs, computes, environments ..."""

    name = "name"

    def __init__(self, kind: str) -> None:
        """Remember the plural noun of Azure's route."""
        self.kind = kind

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        del param
        from lazulite.domain.errors import LazuliteError

        try:
            found = known_names(self.kind, ctx.params)
        except LazuliteError:
            return []
        return [CompletionItem(name) for name in found if name.startswith(incomplete)][:_MOST]


def known_names(kind: str, given: dict[str, Any]) -> list[str]:
    """Return the names of a kind that the running server has; none if no server runs."""
    import os
    from pathlib import Path

    from lazulite.client import home, resources
    from lazulite.client.session import connect
    from lazulite.config import read_settings

    settings = read_settings(os.environ)
    if not os.environ.get("LAZULITE_URL") and home.running(settings) is None:
        return []
    options = {
        "workspace": given.get("workspace_name"),
        "group": given.get("resource_group"),
        "subscription": given.get("subscription"),
    }
    session = connect(options, folder=Path.cwd())
    try:
        all_there = resources.workspaces if kind == "workspaces" else partial(_pages, kind)
        return [str(item["name"]) for item in all_there(session)]
    finally:
        session.close()


def _pages(kind: str, session: Session) -> list[dict[str, Any]]:
    return list(session.pages(kind))
