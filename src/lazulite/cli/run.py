"""`lazulite run`: what was tracked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from lazulite.cli.call import Call, common, confirm, yes_option
from lazulite.cli.names import Name
from lazulite.cli.output import Column
from lazulite.cli.run_files import download, upload
from lazulite.cli.run_transfer import export, import_
from lazulite.cli.words import counted, size
from lazulite.domain.errors import InvalidInput

F = TypeVar("F", bound=Callable[..., Any])
_RUN = click.argument("run", type=Name("jobs"))
_MOST = click.option(
    "-r",
    "--max-results",
    type=click.IntRange(1),
    default=50,
    help="At most so many, else 50.",
)
_EXPERIMENT = click.option(
    "-e", "--experiment", "experiments", multiple=True, help="Only of this one; repeatable."
)
_METRIC = click.option(
    "-m",
    "--metric",
    "metrics",
    metavar="KEY[:WAY]",
    multiple=True,
    help="A column of this metric: best (else), last, min, max or first; repeatable.",
)
_PARAM = click.option("--param", "params", metavar="KEY", multiple=True, help="A column of this.")
_TAG = click.option("--tag", "tags", metavar="KEY", multiple=True, help="A column of this.")
_SIZE = Column("Size", lambda one: size(one["size"]))
_BIN_COLUMNS = (
    Column("Run", "id"),
    Column("Name", "name"),
    Column("Files", "files"),
    _SIZE,
    Column("Stays because", "kept"),
)
_FILE_COLUMNS = (Column("Path", "path"), _SIZE)


@click.group()
def command() -> None:
    """Runs: what jobs and MLflow clients tracked."""


command.add_command(import_)
command.add_command(export)
command.add_command(upload)
command.add_command(download)


def _shown(function: F) -> F:
    """Add what a list of runs takes."""
    for option in (_TAG, _PARAM, _METRIC, _MOST, _EXPERIMENT):
        function = option(function)
    return function


@command.command("list")
@click.option("--deleted", is_flag=True, help="Only those in the bin.")
@_shown
@common
def list_(call: Call, *, deleted: bool, **asked: Any) -> None:
    """List runs, newest first, with the best value of their metrics."""
    _list(call, {"deleted": deleted}, **asked)


@command.command()
@click.argument("text", metavar="[FILTER]", default="")
@click.option("-s", "--sort", "orders", multiple=True, help="As in 'metrics.acc DESC'; repeatable.")
@_shown
@common
def search(call: Call, text: str, orders: tuple[str, ...], **asked: Any) -> None:
    """Find runs: "metrics.acc > 0.9 AND NOT params.kind = 'tree'"."""
    from lazulite.cli.run_table import pointed

    try:
        _list(call, {"text": text, "orders": orders}, **asked)
    except InvalidInput as error:
        raise pointed(error, text) from None


def _list(
    call: Call,
    which: dict[str, Any],
    *,
    experiments: tuple[str, ...],
    max_results: int,
    **keys: tuple[str, ...],
) -> None:
    from lazulite.cli.run_table import Chosen, columns, read_metric, usual
    from lazulite.client import runs, summaries

    found = runs.search(call.session, **which, experiments=experiments, most=max_results)
    chosen = [read_metric(text) for text in keys["metrics"]]
    metrics = chosen or usual(found)
    needed = [one.key for one in metrics] if call.as_table else None
    summaries.add(call.session, found, needed)
    call.show(found, columns(Chosen(metrics, keys["params"], keys["tags"], not chosen)))


@command.command()
@_RUN
@common
def show(call: Call, run: str) -> None:
    """Show a run: params, last metrics, tags; of a job also code, data, host and use."""
    from lazulite.client import runs

    found = runs.whole(call.session, run)
    if call.for_people:
        from lazulite.cli.run_curves import drawn
        from lazulite.cli.run_record import told

        found = told(call.session, found)
        if metrics := found.pop("metrics", None):
            found["metrics"] = drawn(call.session, run, metrics)
    from lazulite.cli.run_table import Chosen, columns

    call.show(found, columns(Chosen((), (), ())))


@command.command()
@click.argument("names", metavar="RUN RUN ...", nargs=-1, required=True, type=Name("jobs"))
@click.option("--all", "everything", is_flag=True, help="What is the same, too.")
@common
def compare(call: Call, names: tuple[str, ...], *, everything: bool) -> None:
    """Show in what runs differ, of any experiments; * is the best of a metric."""
    names = tuple(dict.fromkeys(names))
    if len(names) < 2:
        raise click.UsageError("name two runs or more")
    from lazulite.cli.run_table import bests, compared, left_out
    from lazulite.client import runs, summaries

    found = summaries.several(call.session, names)
    summaries.add(call.session, found, None)
    rows = runs.differing([{**run, "metrics": run["best"]} for run in found], everything=everything)
    bests(found, rows)
    if not call.as_table:
        call.show(rows)
        return
    if not rows:
        call.say("params, metrics and tags are the same; --all shows them")
        return
    call.show(*compared(found, rows))
    if more := left_out(found, rows):
        call.say(more)


@command.command()
@_RUN
@click.argument("keys", metavar="[METRIC ...]", nargs=-1)
@common
def metrics(call: Call, run: str, keys: tuple[str, ...]) -> None:
    """Show the metrics of a run: first, least, most and last value, and the curve."""
    from lazulite.cli import run_curves
    from lazulite.client import runs, summaries

    found = runs.get(call.session, run)
    summaries.add(call.session, [found], keys or None)
    rows = run_curves.rows(found, keys)
    wanted = len(keys) or run_curves.DRAWN
    for row in rows[:wanted] if call.for_people or not call.as_table else ():
        row["points"] = run_curves.points(call.session, run, row["metric"])
    if not call.as_table:
        call.show(rows)
        return
    call.show(*run_curves.table(rows, drawn=call.for_people))
    if len(rows) > wanted:
        call.say(f"curves of the first {wanted} of {len(rows)} metrics: name others to see theirs")


@command.command()
@_RUN
@click.argument("path", default="")
@common
def artifacts(call: Call, run: str, path: str) -> None:
    """List the files of a run, below a folder if one is given."""
    from lazulite.client import runs

    call.show(runs.files(call.session, run, path), _FILE_COLUMNS)


@command.command()
@click.argument("names", metavar="RUN ...", nargs=-1, required=True, type=Name("jobs"))
@common
def delete(call: Call, names: tuple[str, ...]) -> None:
    """Put runs into the bin; `restore` takes them out."""
    from lazulite.client import runs, summaries

    summaries.several(call.session, names)  # all are there, or none goes
    for name in names:
        runs.set_deleted(call.session, name, deleted=True)


@command.command()
@click.argument("names", metavar="RUN ...", nargs=-1, required=True, type=Name("jobs"))
@common
def restore(call: Call, names: tuple[str, ...]) -> None:
    """Take runs out of the bin."""
    from lazulite.client import runs, summaries

    summaries.several(call.session, names)  # all are there, or none comes
    for name in names:
        runs.set_deleted(call.session, name, deleted=False)


@command.command()
@click.option("--older-than", type=click.IntRange(0), metavar="DAYS", help="Only older runs.")
@click.option("--dry-run", is_flag=True, help="Delete nothing, only say what would go.")
@yes_option
@common
def purge(call: Call, older_than: int | None, *, dry_run: bool, yes: bool) -> None:
    """Free disk: the runs in the bin with files and models, and what nothing uses any more.

    What the registry uses stays. So does what somebody may be about to use: uploads and code that
    are younger than a week.
    """
    from lazulite.client import runs

    before = None
    if older_than is not None:
        before = int(datetime.now(UTC).timestamp() - older_than * 86_400) * 1000
    found = runs.purge(call.session, before=before, dry=True)
    going = [one for one in found if not one.get("kept")]
    freed = size(sum(one["size"] for one in going))
    runs_going = counted(sum(one["id"] is not None for one in going), "run")
    stay = len(found) - len(going)
    staying = f"; {stay} stay{'s' if stay == 1 else ''}" if stay else ""
    call.say(f"{runs_going}, {freed} in all{staying}" if found else "there is nothing to free")
    if going and not dry_run:
        confirm("Delete them for good?", yes=yes)
        found = runs.purge(call.session, before=before, dry=False)
    call.show(found, _BIN_COLUMNS)
