"""`lazulite model`."""

from __future__ import annotations

from typing import Any

import click

from lazulite.cli.asset import add_create, verbs

_TYPES = ("custom_model", "mlflow_model", "triton_model")


@click.group()
def command() -> None:
    """Models: named, versioned files or folders."""


def _options(function: Any) -> Any:
    for option in (
        click.option("--description", help="What it is."),
        click.option("-p", "--path", help="Local path, or azureml://jobs/NAME/outputs/... ."),
        click.option("-t", "--type", type=click.Choice(_TYPES), help="custom_model by default."),
    ):
        function = option(function)
    return function


add_create(command, "model", "models", _options)
verbs("model", "models", command)
