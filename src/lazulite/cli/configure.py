"""`lazulite configure`, `env` and `completion`: how this shell finds its workspace."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from lazulite.cli.call import Call, assignments_option, common
from lazulite.client.config import FIELDS, choose, write_defaults
from lazulite.config import read_settings
from lazulite.domain.errors import InvalidInput
from lazulite.domain.ids import check_name

_SPELLINGS = {"resource_group": "group", "resource-group": "group", "location": ""}
CLOUD = "lazulite"  # its name in the metadata document


@click.command()
@assignments_option("--defaults", "workspace=NAME group=NAME subscription=ID; empty forgets.")
@click.option("--list-defaults", is_flag=True, help="Show what is set.")
@common
def configure(call: Call, assignments: tuple[str, ...], *, list_defaults: bool) -> None:
    """Set the default workspace of this home, or show which one is meant here and why."""
    settings = read_settings(os.environ)
    if assignments:
        write_defaults(settings.home, dict(_default(text) for text in assignments))
    elif not list_defaults:
        call.say("set one with: lazulite configure --defaults workspace=NAME group=NAME")
    choice = choose(call.options, os.environ, Path.cwd(), settings.home)
    names = zip(FIELDS, choice.workspace, strict=True)
    found = [{"name": f, "value": v, "source": choice.origins[f]} for f, v in names]
    call.show([{"name": "home", "value": str(settings.home), "source": "LAZULITE_HOME"}, *found])


def _default(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    field = _SPELLINGS.get(name, name)
    if not field:
        return "location", ""  # az has a default location; here is only one
    if field not in FIELDS:
        raise InvalidInput(f"--defaults {name}: use {', '.join(FIELDS)}", path=name)
    return field, check_name(value, field) if value else ""


@click.command()
@common
def env(call: Call) -> None:
    """Print variables that connect unchanged scripts: eval "$(lazulite env)"."""
    from lazulite.client.home import require, token_of

    session = call.session
    server = require(session.settings)
    token, ids = token_of(session.settings), session.workspace
    variables = {
        "ARM_CLOUD_METADATA_URL": f"{server.https}/metadata/endpoints",
        "AZUREML_CURRENT_CLOUD": CLOUD,  # without the document the SDK must fail, not call Azure
        "IDENTITY_ENDPOINT": f"{server.https}/msi/token",
        "IDENTITY_HEADER": token,
        "REQUESTS_CA_BUNDLE": str(session.settings.tls / "bundle.pem"),
        "REGISTRY_DISCOVERY_ENDPOINT_URL": f"{server.https}/",  # of the registry `azureml`
        "AZUREML_ARM_SUBSCRIPTION": ids.subscription,
        "AZUREML_ARM_RESOURCEGROUP": ids.resource_group,
        "AZUREML_ARM_WORKSPACE_NAME": ids.name,
        "MLFLOW_TRACKING_URI": _tracking(call),
        "MLFLOW_TRACKING_TOKEN": token,
    }
    given = {name: value for name, value in variables.items() if value}
    if call.wants_data:
        call.show(given)
        return
    for name, value in given.items():
        click.echo(f"export {name}={shlex.quote(value)}")


def _tracking(call: Call) -> str | None:
    found = call.session.arm("GET", "")["properties"].get("mlFlowTrackingUri")
    return None if found is None else str(found)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), required=False)
def completion(shell: str | None) -> None:
    """Print the script that completes commands and names: eval "$(lazulite completion bash)"."""
    from click.shell_completion import get_completion_class

    from lazulite.cli.program import lazulite

    name = shell or Path(os.environ.get("SHELL", "bash")).name
    for program in ("lazulite", "lz"):
        made = get_completion_class(name)
        if made is None:
            raise InvalidInput(f"no completion for the shell '{name}': use bash, zsh or fish")
        click.echo(made(lazulite, {}, program, f"_{program.upper()}_COMPLETE").source())
