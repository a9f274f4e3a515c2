"""`lazulite workspace`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lazulite.cli.call import Call, common, confirm, file_option, set_option, yes_option
from lazulite.cli.names import Name
from lazulite.cli.output import Column
from lazulite.domain.errors import InvalidInput

_COLUMNS = (
    Column("Name", "name"),
    Column("Resource group", "resource_group"),
    Column("Location", "location"),
    Column("Display name", "display_name"),
    Column("Description", "description"),
)
_NAME = click.option("-n", "--name", type=Name("workspaces"), help="Name; else that of -w.")
_AZURE = {"display_name": "friendlyName", "description": "description"}


@click.group()
def command() -> None:
    """Workspaces."""


def _there(call: Call, name: str | None) -> Any:
    from lazulite.client.resources import elsewhere

    return elsewhere(call.session, name) if name else call.session


def _show(call: Call, resource: dict[str, Any]) -> None:
    from lazulite.formats.yaml.shown import show as shown

    call.show(shown("workspaces", resource), _COLUMNS)


@command.command()
@file_option
@click.option("-n", "--name", help="Name.")
@click.option("-l", "--location", help="Kept, of no effect.")
@click.option("--display-name", help="What people call it.")
@click.option("--description", help="What it is for.")
@click.option("--no-wait", is_flag=True, hidden=True, help="Of no effect.")
@set_option
@common
def create(call: Call, file: Path | None, assignments: tuple[str, ...], **given: Any) -> None:
    """Create a workspace."""
    from lazulite.cli.resource import plan_of

    given.pop("no_wait")
    fields = {**given, "name": given["name"] or (None if file else call.options["workspace"])}
    plan = plan_of(call, "workspace", file, assignments, fields)
    _show(call, _there(call, plan.name).arm("PUT", "", plan.body))


@command.command()
@_NAME
@common
def show(call: Call, name: str | None) -> None:
    """Show a workspace."""
    _show(call, _there(call, name).arm("GET", ""))


@command.command("list")
@click.option("-r", "--max-results", type=click.IntRange(1), help="At most so many.")
@common
def list_(call: Call, max_results: int | None) -> None:
    """List workspaces: of the resource group of -g, else all."""
    from lazulite.client.resources import workspaces
    from lazulite.formats.yaml.shown import show as shown

    found = workspaces(call.session, everywhere=not call.options["group"])
    call.show([shown("workspaces", one) for one in found][:max_results], _COLUMNS)


@command.command()
@_NAME
@click.option("--display-name", help="What people call it.")
@click.option("--description", help="What it is for.")
@set_option
@common
def update(call: Call, name: str | None, assignments: tuple[str, ...], **given: Any) -> None:
    """Change display_name, description or tags."""
    from lazulite.formats.yaml.overrides import apply_plain

    there = _there(call, name)
    tags = there.arm("GET", "").get("tags") or {}
    chosen = {key: value for key, value in given.items() if value is not None}
    asked = apply_plain({**chosen, "tags": tags}, assignments)
    for key in asked.keys() - {*_AZURE, "tags"}:
        raise InvalidInput(f"'{key}' of a workspace cannot change", path=key)
    properties = {_AZURE[key]: value for key, value in asked.items() if key in _AZURE}
    body = {"tags": {k: str(v) for k, v in asked["tags"].items()}, "properties": properties}
    _show(call, there.arm("PATCH", "", body))


@command.command()
@_NAME
@yes_option
@click.option("--all-resources", is_flag=True, hidden=True, help="Of no effect.")
@click.option("-p", "--permanently-delete", is_flag=True, hidden=True, help="Of no effect.")
@click.option("--no-wait", is_flag=True, hidden=True, help="Of no effect.")
@common
def delete(call: Call, name: str | None, *, yes: bool, **_: Any) -> None:
    """Delete a workspace with everything in it."""
    there = _there(call, name)
    there.arm("GET", "")
    confirm(f"Delete workspace {there.workspace.name} with everything in it?", yes=yes)
    there.arm("DELETE", "")
