"""`lazulite environment`: environments, and the cache of built ones."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from lazulite.cli.asset import add_create, verbs
from lazulite.cli.call import Call, common, confirm, yes_option
from lazulite.cli.output import Column
from lazulite.cli.words import ago, size

_CACHE = (
    Column("Key", lambda one: str(one["key"])[:12]),
    Column("Name", "name"),
    Column("Python", "python"),
    Column("Size", lambda one: size(one["size"])),
    Column("Created", lambda one: ago(one["created"], datetime.now(UTC))),
    Column("Used", lambda one: ago(one["used"], datetime.now(UTC))),
)


@click.group()
def command() -> None:
    """Environments: what a job's Python has installed; `cache` shows the built ones."""


def _options(function: Any) -> Any:
    for option in (
        click.option("--description", help="What it is."),
        click.option(
            "-b",
            "--build-context",
            "build",
            callback=lambda _ctx, _param, value: {"path": value} if value else None,
            help="Folder of a Dockerfile; kept, but no job can run in it.",
        ),
        click.option("-i", "--image", help="Docker image it is based on."),
        click.option(
            "-c",
            "--conda-file",
            type=click.Path(path_type=Path, dir_okay=False),
            callback=lambda _ctx, _param, value: None if value is None else str(value.absolute()),
            help="Conda file.",
        ),
    ):
        function = option(function)
    return function


@click.command()
@common
def cache(call: Call) -> None:
    """List the environments that are built and kept, with their sizes."""
    call.show(_cached(call), _CACHE)


@click.command()
@click.argument("keys", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every environment that no job uses.")
@yes_option
@common
def prune(call: Call, keys: tuple[str, ...], *, everything: bool, yes: bool) -> None:
    """Free built environments: those whose keys begin so, or all. Jobs build them again."""
    from lazulite.domain.errors import Conflict, NotFound

    if not keys and not everything:
        raise click.UsageError("name keys as `lazulite environment cache` shows them, or --all")
    found = _cached(call)
    chosen = [one for one in found if everything or str(one["key"]).startswith(keys)]
    if not chosen and not everything:
        raise NotFound(f"no built environment has a key that begins with {', '.join(keys)}")
    confirm(f"Free {len(chosen)} environments ({size(sum(o['size'] for o in chosen))})?", yes=yes)
    freed = 0
    for one in chosen:
        try:
            freed += call.session.server("DELETE", f"environments/{one['key']}")["freed"]
        except Conflict as error:
            if not everything:
                raise
            call.warn([error.message])
    call.say(f"freed {size(freed)}")
    call.show({"freed": freed})


def _cached(call: Call) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = call.session.server("GET", "environments")["value"]
    return found


add_create(command, "environment", "environments", _options)
verbs("environment", "environments", command)
command.add_command(cache)
command.add_command(prune)
