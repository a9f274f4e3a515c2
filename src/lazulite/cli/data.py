"""`lazulite data`."""

from __future__ import annotations

from typing import Any

import click

from lazulite.cli.asset import add_create, verbs

_TYPES = ("uri_file", "uri_folder", "mltable")


@click.group()
def command() -> None:
    """Data assets: named, versioned files, folders and MLTables."""


def _options(function: Any) -> Any:
    for option in (
        click.option("--description", help="What it is."),
        click.option("--path", help="Local file or folder, or an azureml:// or https:// URI."),
        click.option("-t", "--type", type=click.Choice(_TYPES), help="What it is; by the path."),
    ):
        function = option(function)
    return function


add_create(command, "data", "data", _options)
verbs("data", "data", command)
