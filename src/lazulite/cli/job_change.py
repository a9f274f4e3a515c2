"""`lazulite job cancel`, `archive`, `restore`, `update` and `download`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lazulite.cli.call import Call, common, set_option
from lazulite.cli.job_columns import JOB_COLUMNS
from lazulite.cli.names import Name
from lazulite.cli.words import counted
from lazulite.domain.errors import InvalidInput

_NAME = click.option("-n", "--name", required=True, type=Name("jobs"), help="Name of the job.")
_MAY_CHANGE = {
    "display_name": "displayName",
    "description": "description",
    "tags": "tags",
    "properties": "properties",
}


@click.command()
@_NAME
@click.option("--no-wait", is_flag=True, help="Do not wait until it is canceled.")
@common
def cancel(call: Call, name: str, *, no_wait: bool) -> None:
    """Cancel a job; of a pipeline, every step."""
    from lazulite.client import jobs

    jobs.cancel(call.session, name)
    if no_wait:
        return
    for change in jobs.watch(call.session, name):
        status = (change.get("job") or {}).get("status")
    call.say(f"{name}: {status}")


@click.command()
@_NAME
@common
def archive(call: Call, name: str) -> None:
    """Hide a job from lists."""
    _edit(call, name, {"hidden": True})


@click.command()
@_NAME
@common
def restore(call: Call, name: str) -> None:
    """Show an archived job in lists again."""
    _edit(call, name, {"hidden": False})


@click.command()
@_NAME
@set_option
@common
def update(call: Call, name: str, *, assignments: tuple[str, ...]) -> None:
    """Change tags, display_name, description or properties: --set tags.team=red."""
    from lazulite.client import jobs
    from lazulite.formats.yaml import overrides
    from lazulite.formats.yaml.shown_job import show_job

    if not assignments:
        raise click.UsageError("say what to change: --set tags.team=red")
    job = jobs.get(call.session, name)
    old = {key: job["properties"].get(azure) for key, azure in _MAY_CHANGE.items()}
    new = overrides.apply_plain(old, assignments)
    for key in new.keys() - _MAY_CHANGE.keys():
        may = ", ".join(_MAY_CHANGE)
        raise InvalidInput(f"'{key}' of a job cannot change; these can: {may}", path=key)
    changes = {_MAY_CHANGE[key]: value for key, value in new.items() if value != old[key]}
    jobs.edit(call.session, job, _texts(changes))
    call.show(show_job(jobs.get(call.session, name)), JOB_COLUMNS)


def _texts(changes: dict[str, Any]) -> dict[str, Any]:
    """Tags and properties are text to Azure, whatever they look like."""
    for key in ("tags", "properties"):
        if isinstance(changes.get(key), dict):
            changes[key] = {name: str(value) for name, value in changes[key].items()}
    return changes


def _edit(call: Call, name: str, changes: dict[str, Any]) -> None:
    from lazulite.client import jobs

    jobs.edit(call.session, jobs.get(call.session, name), changes)


@click.command()
@_NAME
@click.option(
    "-p",
    "--download-path",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Folder to write to; the working directory by default.",
)
@click.option("--output-name", help="Only this output.")
@click.option("--all", "everything", is_flag=True, help="Outputs as well as logs and artifacts.")
@click.option("--code", is_flag=True, help="Only the code that it ran, as it was then.")
@common
def download(call: Call, name: str, download_path: Path, **what: Any) -> None:
    """Download logs and artifacts, with --all also outputs, or one output, or the code."""
    if what["code"]:
        from lazulite.client.code import bring_code

        folder = download_path / "code"
        call.say(f"{counted(bring_code(call.session, name, folder), 'file')} to {folder}")
        return
    from lazulite.client import jobs
    from lazulite.client.download import bring, parts_of

    job = jobs.get(call.session, name)
    parts = parts_of(job, download_path, output=what["output_name"], everything=what["everything"])
    count = bring(call.session, parts, call.say)
    if not count:
        call.say(f"{name} has written nothing there (yet)")
