"""`lazulite run`: what was tracked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import click

from lazulite.cli.call import Call, common, confirm, yes_option
from lazulite.cli.names import Name
from lazulite.cli.output import Column
from lazulite.cli.run_files import download, upload
from lazulite.cli.run_transfer import export, import_
from lazulite.cli.sparkline import sparkline
from lazulite.domain.usage import PREFIX

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
_METRICS = 4  # columns of metrics in a table
_CURVE_COLUMNS = (
    Column("Metric", "metric"),
    Column("First", "first"),
    Column("Min", "min"),
    Column("Max", "max"),
    Column("Last", "last"),
    Column("Curve", "curve"),
)
_BIN_COLUMNS = (
    Column("Run", "id"),
    Column("Name", "name"),
    Column("Files", "files"),
    Column("Size", "size"),
    Column("Stays because", "kept"),
)
_FILE_COLUMNS = (Column("Path", "path"), Column("Size", "size"))


@click.group()
def command() -> None:
    """Runs: what jobs and MLflow clients tracked."""


command.add_command(import_)
command.add_command(export)
command.add_command(upload)
command.add_command(download)


@command.command("list")
@_EXPERIMENT
@click.option("--deleted", is_flag=True, help="Only those in the bin.")
@_MOST
@common
def list_(call: Call, experiments: tuple[str, ...], max_results: int, *, deleted: bool) -> None:
    """List runs, newest first."""
    from lazulite.client import runs

    found = runs.search(call.session, experiments=experiments, deleted=deleted, most=max_results)
    call.show(found, _columns(found))


@command.command()
@click.argument("text", metavar="FILTER", default="")
@click.option("-s", "--sort", "orders", multiple=True, help="As in 'metrics.acc DESC'; repeatable.")
@_EXPERIMENT
@_MOST
@common
def search(
    call: Call,
    text: str,
    orders: tuple[str, ...],
    experiments: tuple[str, ...],
    max_results: int,
) -> None:
    """Find runs: "metrics.acc > 0.9 AND NOT params.kind = 'tree'"."""
    from lazulite.client import runs

    found = runs.search(
        call.session, text, orders=orders, experiments=experiments, most=max_results
    )
    call.show(found, _columns(found))


@command.command()
@_RUN
@common
def show(call: Call, run: str) -> None:
    """Show a run: params, last metrics, tags; of a job also code, data, host and use."""
    from lazulite.client import runs

    found = runs.whole(call.session, run)
    if call.for_people:
        from lazulite.cli.run_record import told

        found = told(call.session, found)
    call.show(found)


@command.command()
@click.argument("names", metavar="RUN RUN ...", nargs=-1, required=True, type=Name("jobs"))
@click.option("--all", "everything", is_flag=True, help="What is the same, too.")
@common
def compare(call: Call, names: tuple[str, ...], *, everything: bool) -> None:
    """Show in what runs differ."""
    from lazulite.client import runs

    found = [runs.get(call.session, name) for name in names]
    call.show(runs.differing(found, everything=everything), _compared(found))


@command.command()
@_RUN
@click.argument("keys", metavar="[METRIC ...]", nargs=-1)
@common
def metrics(call: Call, run: str, keys: tuple[str, ...]) -> None:
    """Show the metrics of a run: first, least, most and last value, and the curve."""
    from lazulite.client import runs

    wanted = keys or sorted(runs.get(call.session, run)["metrics"])
    curves = ((key, runs.curve(call.session, run, key)) for key in wanted)
    call.show([_summary(key, points) for key, points in curves if points], _CURVE_COLUMNS)


@command.command()
@_RUN
@click.argument("path", default="")
@common
def artifacts(call: Call, run: str, path: str) -> None:
    """List the files of a run, below a folder if one is given."""
    from lazulite.client import runs

    call.show(list(runs.artifacts(call.session, run, path)), _FILE_COLUMNS)


@command.command()
@click.argument("names", metavar="RUN ...", nargs=-1, required=True, type=Name("jobs"))
@common
def delete(call: Call, names: tuple[str, ...]) -> None:
    """Put runs into the bin; `restore` takes them out."""
    from lazulite.client import runs

    for name in names:
        runs.set_deleted(call.session, name, deleted=True)


@command.command()
@click.argument("names", metavar="RUN ...", nargs=-1, required=True, type=Name("jobs"))
@common
def restore(call: Call, names: tuple[str, ...]) -> None:
    """Take runs out of the bin."""
    from lazulite.client import runs

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
    size = sum(one["size"] for one in going)
    runs_going = sum(one["id"] is not None for one in going)
    call.say(f"{runs_going} runs, {size / 1e6:.1f} MB in all; {len(found) - len(going)} stay")
    if going and not dry_run:
        confirm("Delete them for good?", yes=yes)
        found = runs.purge(call.session, before=before, dry=False)
    call.show(found, _BIN_COLUMNS)


def _columns(found: Sequence[dict[str, Any]]) -> list[Column]:
    """Return the columns of a list: the metrics that most of its runs have are among them."""
    counts: dict[str, int] = {}
    for run in found:
        for key in run["metrics"]:
            if key.startswith(PREFIX):
                continue  # of machines: every job has them, and nobody compares runs by them
            counts[key] = counts.get(key, 0) + 1
    keys = sorted(counts, key=lambda key: (-counts[key], key))[:_METRICS]
    return [
        Column("Run", "id"),
        Column("Name", "name"),
        Column("Status", "status"),
        Column("Started", lambda run: _time(run["start_time"])),
        *(Column(key, partial(_metric, key)) for key in keys),
    ]


def _compared(found: Sequence[dict[str, Any]]) -> list[Column]:
    return [
        Column("What", "what"),
        *(Column(run["name"], partial(_of, run["id"])) for run in found),
    ]


def _metric(key: str, run: dict[str, Any]) -> object:
    return _number(run["metrics"].get(key))


def _of(run: str, row: dict[str, Any]) -> object:
    return _number(row.get(run))


def _summary(key: str, points: Sequence[dict[str, Any]]) -> dict[str, Any]:
    values = [float(point["value"]) for point in points]
    real = [value for value in values if value == value]
    return {
        "metric": key,
        "first": _number(values[0]),
        "min": _number(min(real, default=None)),
        "max": _number(max(real, default=None)),
        "last": _number(values[-1]),
        "curve": sparkline(values),
    }


def _time(millis: int) -> str:
    local = datetime.fromtimestamp(millis / 1000, UTC).astimezone()
    return local.strftime("%Y-%m-%d %H:%M:%S")


def _number(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value
