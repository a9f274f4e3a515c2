"""`lazulite run import` and `lazulite run export`: runs and models from and to stores of MLflow."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lazulite.cli.call import Call, common
from lazulite.cli.names import Name
from lazulite.cli.output import Column
from lazulite.cli.words import counted, size

if TYPE_CHECKING:
    from lazulite.client.transfer.report import Report

_EXPERIMENT = click.option(
    "-e", "--experiment", "experiments", multiple=True, help="Only this one; repeatable."
)
_DRY = click.option("--dry-run", is_flag=True, help="Write nothing, only say what would be new.")
_NO_ARTIFACTS = click.option("--no-artifacts", is_flag=True, help="Leave the files where they are.")
_REDRAW = 0.1  # seconds


@click.command("import")
@click.argument("uri")
@_EXPERIMENT
@click.option(
    "--artifacts",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Where a server keeps what its store calls mlflow-artifacts:, else mlartifacts beside it.",
)
@_NO_ARTIFACTS
@_DRY
@common
def import_(call: Call, uri: str, artifacts: Path | None, **given: Any) -> None:
    """Bring runs and models from an MLflow store: a SQLite file, an mlruns folder, a server."""
    from lazulite.client.transfer.ends import import_from

    with Progress(call) as progress:
        report = import_from(call.session, uri, artifacts, _wanted(given), progress.tell)
    _show(call, report)


@click.command()
@click.argument("uri")
@click.argument("runs", metavar="[RUN ...]", nargs=-1, type=Name("jobs"))
@_EXPERIMENT
@_NO_ARTIFACTS
@common
def export(call: Call, uri: str, runs: tuple[str, ...], **given: Any) -> None:
    """Copy runs and models to an MLflow store: an mlruns folder, or a server."""
    from lazulite.client.transfer.ends import export_to

    with Progress(call) as progress:
        wanted = _wanted(given, frozenset(runs))
        report = export_to(call.session, uri, wanted, progress.tell)
    _show(call, report)


class Progress:
    """A line on the terminal that is drawn again and again; nothing where there is none."""

    def __init__(self, call: Call) -> None:
        """Draw nothing yet."""
        self._on = sys.stderr.isatty() and not call.quiet
        self._last = 0.0
        self._width = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._draw("")

    def tell(self, report: Report) -> None:
        """Take the counts of this moment."""
        now = time.monotonic()
        if self._on and now - self._last >= _REDRAW:
            self._last = now
            counts = {kind: tally.new + tally.there for kind, tally in report.of.items()}
            text = (
                f"{counted(counts['runs'], 'run')}, {counted(report.progress, 'point')}, "
                f"{counted(counts['artifacts'], 'file')} ({size(counts['bytes'])})"
            )
            self._draw(text)

    def _draw(self, text: str) -> None:
        if self._on and (text or self._width):
            click.echo(f"\r{text.ljust(self._width)}" + ("" if text else "\r"), nl=False, err=True)
            self._width = len(text)


def _wanted(given: dict[str, Any], runs: frozenset[str] = frozenset()) -> Any:
    from lazulite.client.transfer.move import Wanted

    return Wanted(
        experiments=given["experiments"],
        runs=runs,
        artifacts=not given["no_artifacts"],
        dry=given.get("dry_run", False),
    )


def _show(call: Call, report: Report) -> None:
    call.warn(report.words())
    columns = [
        Column("What", "what"),
        Column("New", lambda row: _count(row, "new")),
        Column("There already", lambda row: _count(row, "there")),
        Column("Skipped", lambda row: _count(row, "skipped")),
    ]
    call.show(report.rows(), columns)


def _count(row: dict[str, Any], column: str) -> str:
    return size(row[column]) if row["what"] == "bytes" else f"{row[column]:,}".replace(",", " ")
