"""A connection to one workspace: paths, pages, and calls on Azure's and our own routes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from lazulite.client import home
from lazulite.client.config import choose
from lazulite.client.rest import Connection
from lazulite.config import Settings, read_settings
from lazulite.domain.ids import PROVIDER, WorkspaceId

API_VERSION = "2024-01-01-preview"  # the server ignores it; Azure does not
OWN = "/lazulite/v1"


class Session(NamedTuple):
    """What every operation works with."""

    connection: Connection
    workspace: WorkspaceId
    settings: Settings

    def arm(
        self,
        method: str,
        rest: str,
        body: Any = None,
        *,
        query: Mapping[str, object] | None = None,
        repeat: bool | None = None,
    ) -> Any:
        """Call an ARM route below the workspace; `rest` is `jobs/x`, or empty for itself."""
        path = f"{self.workspace.arm}/{quote(rest)}" if rest else self.workspace.arm
        asked = {"api-version": API_VERSION, **(query or {})}
        return self.connection.json(method, path, body, query=asked, repeat=repeat)

    def group(self, method: str, rest: str, body: Any = None) -> Any:
        """Call an ARM route below the resource group, such as `workspaces`."""
        root = f"/subscriptions/{self.workspace.subscription}/resourceGroups/"
        path = f"{root}{quote(self.workspace.resource_group)}/providers/{PROVIDER}/{quote(rest)}"
        return self.connection.json(method, path, body, query={"api-version": API_VERSION})

    def pages(self, rest: str, query: Mapping[str, object] | None = None) -> Iterator[Any]:
        """Yield the items of an ARM list, page after page."""
        reply = self.arm("GET", rest, query=query)
        yield from reply.get("value", [])
        yield from self.more(reply)

    def more(self, reply: Mapping[str, Any]) -> Iterator[Any]:
        """Yield the items of the pages after `reply`."""
        while link := reply.get("nextLink"):
            parts = urlsplit(link)
            path = f"{parts.path}?{parts.query}" if parts.query else parts.path
            reply = self.connection.json("GET", path)
            yield from reply.get("value", [])

    def history(self, method: str, rest: str, body: Any = None) -> Any:
        """Call a run-history route of the workspace."""
        return self.connection.json(method, f"/history/v1.0{self.workspace.arm}/{rest}", body)

    def own(self, rest: str) -> str:
        """Return the path of one of our own routes of the workspace."""
        return f"{OWN}{self.workspace.arm}/{rest}"

    def server(self, method: str, rest: str) -> Any:
        """Call one of our own routes that belong to no workspace."""
        return self.connection.json(method, f"{OWN}/{rest}")

    def close(self) -> None:
        """Hang up."""
        self.connection.close()


def connect(
    options: Mapping[str, str | None] | None = None,
    *,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Session:
    """Open a session: find the workspace that is meant and its server, starting one if need be.

    Args:
        options: subscription, group, workspace: what beats every other source.
        folder: where to begin to look for config.json; None = the working directory.
        environ: the variables; None = of this process.
        say: told once when a server was started.
    """
    env = os.environ if environ is None else environ
    settings = read_settings(env)
    choice = choose(options or {}, env, folder or Path.cwd(), settings.home)
    where = home.address(settings, env, say)
    return Session(connection=Connection(where), workspace=choice.workspace, settings=settings)
