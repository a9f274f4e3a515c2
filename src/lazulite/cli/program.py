"""The `lazulite` command: its nouns, and what becomes of errors."""

from __future__ import annotations

import os
import sys

import click

from lazulite import __version__
from lazulite.cli.exits import EXITS, exit_of
from lazulite.cli.lazy import LazyGroup
from lazulite.domain.errors import LazuliteError

_HERE = "lazulite.cli"
COMMANDS = {
    "job": (f"{_HERE}.job", "Submit jobs and pipelines; follow, list, download, explain them."),
    "run": (f"{_HERE}.run", "What was tracked: search, compare, metrics, artifacts."),
    "trace": (f"{_HERE}.trace", "What programs did, span by span: list, show, delete."),
    "workspace": (f"{_HERE}.workspace", "Workspaces."),
    "compute": (f"{_HERE}.compute", "Compute targets."),
    "datastore": (f"{_HERE}.datastore", "Datastores."),
    "data": (f"{_HERE}.data", "Data assets."),
    "environment": (f"{_HERE}.environment", "Environments, and the cache of built ones."),
    "component": (f"{_HERE}.component", "Components of pipelines."),
    "model": (f"{_HERE}.model", "Models."),
    "up": (f"{_HERE}.server", "Run the server of this home."),
    "down": (f"{_HERE}.server", "Stop the server of this home."),
    "status": (f"{_HERE}.server", "Say whether the server runs, and where."),
    "configure": (f"{_HERE}.configure", "Show or set the default workspace."),
    "env": (f"{_HERE}.configure", "Print variables that connect unchanged scripts."),
    "completion": (f"{_HERE}.configure", "Print the script that completes names in a shell."),
}
LATER = {
    "online-endpoint": "online endpoints",
    "online-deployment": "online endpoints",
    "batch-endpoint": "batch endpoints",
    "batch-deployment": "batch endpoints",
    "schedule": "schedules",
    "registry": "registries",
    "connection": "connections",
    "feature-store": "feature stores",
    "feature-set": "feature stores",
    "feature-store-entity": "feature stores",
    "marketplace-subscription": "marketplace",
    "serverless-endpoint": "serverless endpoints",
    "index": "indexes",
}
EPILOG = "Exit codes: " + ", ".join(f"{code} {word}" for code, word in EXITS.items()) + "."


@click.group(
    cls=LazyGroup,
    modules=COMMANDS,
    later=LATER,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
)
@click.version_option(__version__, "-V", "--version", prog_name="lazulite")
def lazulite() -> None:
    """Azure ML workspaces, jobs and pipelines on your own machine."""


def run(argv: list[str]) -> int:
    """Run the command; return its exit code. Errors become one line on stderr."""
    try:
        code = lazulite.main(argv, prog_name="lazulite", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return 130
    except (BrokenPipeError, SystemExit):  # click leaves the program when a pipe breaks
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0  # the reader has seen enough, as in `| head`
    except LazuliteError as error:
        return _fail(error.message, exit_of(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}", 1)
    return code if isinstance(code, int) else 0


def _fail(message: str, code: int) -> int:
    if os.environ.get("LAZULITE_DEBUG"):
        import traceback

        traceback.print_exc()
    click.echo(f"error: {message}", err=True)
    return code
