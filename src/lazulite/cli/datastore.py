"""`lazulite datastore`."""

from __future__ import annotations

from pathlib import Path

import click

from lazulite.cli.call import Call, common, confirm, file_option, set_option, yes_option
from lazulite.cli.names import Name
from lazulite.cli.output import Column

_COLUMNS = (
    Column("Name", "name"),
    Column("Type", "type"),
    Column("Default", lambda one: "yes" if one.get("is_default") else ""),
    Column("Container", lambda one: one.get("container_name") or one.get("filesystem")),
    Column("Account", "account_name"),
)
_NAME = click.option("-n", "--name", required=True, type=Name("datastores"), help="Name.")


@click.group()
def command() -> None:
    """Datastores: where data and outputs are."""


@command.command()
@file_option
@click.option("-n", "--name", help="Name.")
@set_option
@common
def create(
    call: Call, file: Path | None, name: str | None, *, assignments: tuple[str, ...]
) -> None:
    """Create a datastore, or replace one."""
    from lazulite.cli.resource import plan_of
    from lazulite.client.submit import carry_out
    from lazulite.formats.yaml.shown import show as shown

    plan = plan_of(call, "datastore", file, assignments, {"name": name})
    call.show(shown("datastores", carry_out(call.session, plan)), _COLUMNS)


@command.command()
@_NAME
@common
def show(call: Call, name: str) -> None:
    """Show a datastore; never its secrets."""
    from lazulite.client.resources import get
    from lazulite.formats.yaml.shown import show as shown

    call.show(shown("datastores", get(call.session, "datastores", name)), _COLUMNS)


@command.command("list")
@click.option("-r", "--max-results", type=click.IntRange(1), help="At most so many.")
@common
def list_(call: Call, max_results: int | None) -> None:
    """List datastores."""
    from lazulite.client.resources import listed
    from lazulite.formats.yaml.shown import show as shown

    found = [shown("datastores", one) for one in listed(call.session, "datastores")]
    call.show(found[:max_results], _COLUMNS)


@command.command()
@_NAME
@yes_option
@common
def delete(call: Call, name: str, *, yes: bool) -> None:
    """Forget a datastore; what is in it stays."""
    from lazulite.client.resources import delete as remove

    confirm(f"Delete datastore {name}?", yes=yes)
    remove(call.session, "datastores", name)


@command.command("set-default")
@_NAME
@common
def set_default(call: Call, name: str) -> None:
    """Make a datastore the default one of the workspace."""
    from lazulite.client.resources import get
    from lazulite.formats.yaml.shown import show as shown

    found = get(call.session, "datastores", name)["properties"]
    body = {"properties": {**found, "isDefault": True}}
    call.show(shown("datastores", call.session.arm("PUT", f"datastores/{name}", body)), _COLUMNS)
