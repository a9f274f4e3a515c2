"""`lazulite compute`."""

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
    Column("Type", "type"),
    Column("Size", "size"),
    Column("Min", "min_instances"),
    Column("Max", "max_instances"),
    Column("State", lambda one: one.get("state") or one.get("provisioning_state")),
)
_TYPES = ("AmlCompute", "ComputeInstance", "VirtualMachine", "Kubernetes", "SynapseSpark")
_KIND = click.Choice(_TYPES, case_sensitive=False)
_NAME = click.option("-n", "--name", required=True, type=Name("computes"), help="Name.")


@click.group()
def command() -> None:
    """Compute targets: where jobs run, and how many at once (max_instances)."""


@command.command()
@file_option
@click.option("-n", "--name", help="Name.")
@click.option("-t", "--type", "kind", type=_KIND, help="Kind of compute.")
@click.option("--size", help="VM size; kept, of no effect.")
@click.option("--min-instances", type=int, help="Kept, of no effect.")
@click.option("--max-instances", type=int, help="Jobs at once.")
@click.option("--idle-time-before-scale-down", type=int, help="Seconds.")
@click.option("--location", help="Kept, of no effect.")
@click.option("--description", help="What it is.")
@click.option("--identity-type", hidden=True, help="Of no effect.")
@click.option("--tier", hidden=True, help="Of no effect.")
@click.option("--no-wait", is_flag=True, hidden=True, help="Of no effect.")
@set_option
@common
def create(
    call: Call, file: Path | None, kind: str | None, assignments: tuple[str, ...], **given: Any
) -> None:
    """Create a compute, or replace one."""
    from lazulite.cli.resource import plan_of
    from lazulite.client.submit import carry_out
    from lazulite.formats.yaml.shown import show as shown

    for key in ("identity_type", "tier", "no_wait"):
        given.pop(key)
    fields = {"type": kind.lower() if kind else None, **given}
    plan = plan_of(call, "compute", file, assignments, fields)
    call.show(shown("computes", carry_out(call.session, plan)), _COLUMNS)


command.add_command(create, "attach")


@command.command()
@_NAME
@common
def show(call: Call, name: str) -> None:
    """Show a compute."""
    from lazulite.client.resources import get
    from lazulite.formats.yaml.shown import show as shown

    call.show(shown("computes", get(call.session, "computes", name)), _COLUMNS)


@command.command("list")
@click.option("-t", "--type", "kind", type=_KIND, help="Kind of compute.")
@click.option("-r", "--max-results", type=click.IntRange(1), help="At most so many.")
@common
def list_(call: Call, kind: str | None, max_results: int | None) -> None:
    """List computes."""
    from lazulite.client.resources import listed
    from lazulite.formats.yaml.shown import show as shown

    found = [shown("computes", one) for one in listed(call.session, "computes")]
    wanted = [one for one in found if kind is None or one["type"] == kind.lower()]
    call.show(wanted[:max_results], _COLUMNS)


@command.command()
@_NAME
@yes_option
@click.option("--no-wait", is_flag=True, hidden=True, help="Of no effect.")
@common
def delete(call: Call, name: str, *, yes: bool, no_wait: bool) -> None:
    """Delete a compute."""
    from lazulite.client.resources import delete as remove

    del no_wait
    confirm(f"Delete compute {name}?", yes=yes)
    remove(call.session, "computes", name)


command.add_command(delete, "detach")


@command.command()
@_NAME
@click.option("--min-instances", type=int, help="Kept, of no effect.")
@click.option("--max-instances", type=int, help="Jobs at once.")
@click.option("--idle-time-before-scale-down", type=int, help="Seconds.")
@click.option("--no-wait", is_flag=True, hidden=True, help="Of no effect.")
@set_option
@common
def update(call: Call, name: str, assignments: tuple[str, ...], **given: Any) -> None:
    """Change how many jobs run at once."""
    from lazulite.formats.yaml.command import duration
    from lazulite.formats.yaml.overrides import apply_plain
    from lazulite.formats.yaml.shown import show as shown

    given.pop("no_wait")
    asked = apply_plain({k: v for k, v in given.items() if v is not None}, assignments)
    azure = {
        "min_instances": "minNodeCount",
        "max_instances": "maxNodeCount",
        "idle_time_before_scale_down": "nodeIdleTimeBeforeScaleDown",
    }
    for key in asked.keys() - azure.keys():
        raise InvalidInput(f"'{key}' of a compute cannot change; {', '.join(azure)} can", path=key)
    if not asked:
        raise click.UsageError("say what to change: --max-instances 4")
    settings = {azure[key]: value for key, value in asked.items()}
    idle = settings.get("nodeIdleTimeBeforeScaleDown")
    if idle is not None:
        settings["nodeIdleTimeBeforeScaleDown"] = duration(int(idle))
    body = {"properties": {"properties": {"scaleSettings": settings}}}
    call.show(shown("computes", call.session.arm("PATCH", f"computes/{name}", body)), _COLUMNS)


def _act(verb: str, text: str) -> None:
    @command.command(verb, help=text)
    @_NAME
    @click.option("--no-wait", is_flag=True, hidden=True, help="Of no effect.")
    @common
    def act(call: Call, name: str, *, no_wait: bool) -> None:
        del no_wait
        call.session.arm("POST", f"computes/{name}/{verb}", repeat=True)


_act("start", "Start a compute instance.")
_act("stop", "Stop a compute instance: its jobs wait.")
_act("restart", "Restart a compute instance.")


@command.command("list-sizes")
@click.option("-t", "--type", hidden=True, help="Of no effect.")
@click.option("-l", "--location", default="local", hidden=True, help="Location.")
@common
def list_sizes(call: Call, location: str, **_: Any) -> None:
    """List VM sizes: this machine."""
    ids = call.session.workspace
    provider = "providers/Microsoft.MachineLearningServices"
    path = f"/subscriptions/{ids.subscription}/{provider}/locations/{location}/vmSizes"
    found = call.session.connection.json("GET", path)
    call.show(found.get("value") or found.get("amlCompute") or [])
