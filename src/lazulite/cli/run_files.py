"""`lazulite run upload` and `lazulite run download`: files of a run, whole over every cut."""

from __future__ import annotations

from pathlib import Path

import click

from lazulite.cli.call import Call, common
from lazulite.cli.names import Name

_RUN = click.argument("run", type=Name("jobs"))


@click.command()
@_RUN
@click.argument("local", metavar="FILE|FOLDER", type=click.Path(path_type=Path, exists=True))
@click.option("--path", default="", help="Folder among the run's files, else their root.")
@common
def upload(call: Call, run: str, local: Path, path: str) -> None:
    """Put a file, or all that is in a folder, among the files of a run.

    After a cut the same command sends what is missing; what is there already is not sent.
    """
    from lazulite.client import artifacts

    moved = artifacts.upload(call.session, run, local, path, say=call.say)
    call.show({"files": moved.files, "size": moved.size, "sent": moved.sent})


@click.command()
@_RUN
@click.argument("path", default="")
@click.option(
    "-p",
    "--download-path",
    "target",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Folder to put them in, else this one.",
)
@common
def download(call: Call, run: str, path: str, target: Path) -> None:
    """Bring the files of a run, or those below a folder; after a cut, what is missing."""
    from lazulite.client import artifact_download

    moved = artifact_download.download(call.session, run, path, target, say=call.say)
    call.show({"files": moved.files, "size": moved.size, "received": moved.sent})
