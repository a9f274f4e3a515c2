"""`lazulite component`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lazulite.cli.asset import add_create, verbs
from lazulite.cli.call import Call, common, file_option, set_option


@click.group()
def command() -> None:
    """Components: what a step of a pipeline runs, with declared inputs and outputs."""


def _options(function: Any) -> Any:
    return function


@click.command()
@file_option
@set_option
@common
def validate(call: Call, file: Path | None, *, assignments: tuple[str, ...]) -> None:
    """Check a component's YAML file without registering it."""
    if file is None:
        raise click.UsageError("name the component's file with -f component.yml")
    from lazulite.cli.document import read_plan

    plan = read_plan(call, "component", file, assignments)
    call.warn(plan.warnings)
    call.show({"result": "Succeeded", "warnings": list(plan.warnings)})


add_create(command, "component", "components", _options)
verbs("component", "components", command)
command.add_command(validate)
