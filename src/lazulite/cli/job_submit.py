"""`lazulite job create` and `validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lazulite.cli.call import Call, common, file_option, set_option
from lazulite.cli.exits import INTERRUPTED
from lazulite.cli.job_columns import JOB_COLUMNS


@click.command()
@file_option
@click.option("-n", "--name", help="Name of the job; one is made up if none is given.")
@click.option("-s", "--stream", is_flag=True, help="Follow the job until it ends.")
@click.option("--logs", is_flag=True, help="With --stream: the logs of all steps, live.")
@click.option("--web", is_flag=True, help="Open the job's page in a browser.")
@click.option("--no-wait", is_flag=True, hidden=True, help="Of no effect.")
@click.option("--save-as", "-a", hidden=True, help="Of no effect.")
@click.option("--skip-validation", is_flag=True, hidden=True, help="Of no effect.")
@set_option
@common
def create(call: Call, file: Path | None, name: str | None, **given: Any) -> None:
    """Submit a job from a YAML file."""
    assignments: tuple[str, ...] = given["assignments"]
    if file is None:
        raise click.UsageError("name the job's file with -f job.yml")
    from lazulite.client.submit import carry_out

    changes = (f"name={name}", *assignments) if name else assignments
    plan = _plan(call, file, changes)
    call.warn(plan.warnings)
    made = carry_out(call.session, plan, call.say)
    if given["web"]:
        _open(call, made)
    if given["stream"]:
        _stream(call, str(made["name"]), logs=given["logs"])
        return
    from lazulite.formats.yaml.shown import show

    shown = show("jobs", made)
    call.show([shown] if call.for_people else shown, JOB_COLUMNS)
    if not call.wants_data:
        call.say(_next_step(str(made["name"]), str(shown.get("status"))))


def _next_step(name: str, status: str) -> str:
    if status in ("Completed", "Failed", "Canceled"):  # the same job was submitted before
        return f"it has ended: {status}; look at it with: lazulite job show -n {name}"
    return f"follow it with: lazulite job stream -n {name}"


def _stream(call: Call, name: str, *, logs: bool) -> None:
    from lazulite.cli.job_follow import follow

    call.say(f"submitted {name}")
    code = follow(call, name, logs=logs)
    if call.wants_data and code != INTERRUPTED:
        from lazulite.client import jobs
        from lazulite.formats.yaml.shown import show

        call.show(show("jobs", jobs.get(call.session, name)), JOB_COLUMNS)
    click.get_current_context().exit(code)


def _open(call: Call, made: dict[str, Any]) -> None:
    url = ((made["properties"].get("services") or {}).get("Studio") or {}).get("endpoint")
    if url:
        import webbrowser

        call.say(f"opening {url}")
        webbrowser.open(url)


@click.command()
@file_option
@set_option
@common
def validate(call: Call, file: Path | None, *, assignments: tuple[str, ...]) -> None:
    """Check a YAML file without submitting it: structure, types, bindings, local paths."""
    if file is None:
        raise click.UsageError("name the job's file with -f job.yml")
    plan = _plan(call, file, assignments)
    call.warn(plan.warnings)
    call.show({"result": "Succeeded", "warnings": list(plan.warnings)})


def _plan(call: Call, file: Path, assignments: tuple[str, ...]) -> Any:
    from lazulite.cli.document import read_plan

    return read_plan(call, "job", file, assignments)
