"""`lazulite job show`, `list`, `explain` and `show-services`."""

from __future__ import annotations

import click

from lazulite.cli.call import Call, common
from lazulite.cli.job_columns import CHILD_COLUMNS, EXPLAIN_COLUMNS, JOB_COLUMNS
from lazulite.cli.names import Name

_NAME = click.option("-n", "--name", required=True, type=Name("jobs"), help="Name of the job.")


@click.command()
@_NAME
@click.option("--web", is_flag=True, help="Open the job's page in a browser.")
@common
def show(call: Call, name: str, *, web: bool) -> None:
    """Show a job."""
    from lazulite.client import jobs
    from lazulite.formats.yaml.shown_job import show_job

    shown = show_job(jobs.get(call.session, name))
    url = ((shown.get("services") or {}).get("Studio") or {}).get("endpoint")
    if web and url:
        import webbrowser

        webbrowser.open(url)
    call.show(shown, JOB_COLUMNS)


@click.command("list")
@click.option("-p", "--parent-job-name", type=Name("jobs"), help="List the steps of this pipeline.")
@click.option(
    "-r",
    "--max-results",
    type=click.IntRange(1),
    default=50,
    help="At most so many; 50 by default.",
)
@click.option("--all-results", is_flag=True, help="No limit.")
@click.option("--include-archived", is_flag=True, help="Archived jobs too.")
@click.option("--archived-only", is_flag=True, help="Only archived jobs.")
@common
def list_(
    call: Call,
    parent_job_name: str | None,
    max_results: int,
    *,
    all_results: bool,
    include_archived: bool,
    archived_only: bool,
) -> None:
    """List jobs, newest first, or the steps of a pipeline."""
    from lazulite.client import jobs
    from lazulite.formats.yaml.shown_job import show_job

    most = None if all_results else max_results
    if parent_job_name:
        found = jobs.children(call.session, parent_job_name)[:most]
    else:
        view = view_of(include_archived=include_archived, archived_only=archived_only)
        found = jobs.listed(call.session, view=view, most=most)
    call.show([show_job(job) for job in found], CHILD_COLUMNS if parent_job_name else JOB_COLUMNS)


def view_of(*, include_archived: bool, archived_only: bool) -> str:
    """Return Azure's word for what a list shows."""
    if include_archived and archived_only:
        raise click.UsageError("--include-archived and --archived-only exclude each other")
    if archived_only:
        return "ArchivedOnly"
    return "All" if include_archived else "ActiveOnly"


@click.command()
@click.argument("job", required=False, type=Name("jobs"))
@click.option("-n", "--name", type=Name("jobs"), help="Name of the job.")
@common
def explain(call: Call, job: str | None, name: str | None) -> None:
    """Say per step whose outputs it reused, or what differs from the nearest earlier one."""
    from lazulite.client import jobs

    name = name or job
    if name is None:
        raise click.UsageError("name the job: lazulite job explain NAME")

    found = jobs.explain(call.session, name)
    table = call.for_people or (call.format == "table" and call.query is None)
    call.show(found.get("nodes") or [] if table else found, EXPLAIN_COLUMNS)


@click.command("show-services")
@_NAME
@common
def show_services(call: Call, name: str) -> None:
    """Show the services of a job."""
    from lazulite.client import jobs
    from lazulite.formats.yaml.shown_job import show_job

    call.show(show_job(jobs.get(call.session, name)).get("services") or {})
