"""`lazulite up`, `down` and `status`: the server of a home."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from lazulite.cli.call import Call, common
from lazulite.cli.exits import UNREACHABLE
from lazulite.config import Settings, read_settings

F = TypeVar("F", bound=Callable[..., Any])


def _home_option(function: F) -> F:
    return click.option(
        "--home",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder of the server; LAZULITE_HOME or ~/.lazulite by default.",
    )(function)


def _settings(home: Path | None) -> Settings:
    environ = dict(os.environ)
    if home is not None:
        environ["LAZULITE_HOME"] = str(home)
    return read_settings(environ)


@click.command()
@_home_option
@click.option("--port", type=click.IntRange(0, 65535), help="Of http; 0 = any free one.")
@click.option("--https-port", type=click.IntRange(0, 65535), help="Of https; 0 = any free one.")
@click.option("-d", "--detach", is_flag=True, help="Run in the background.")
def up(home: Path | None, port: int | None, https_port: int | None, *, detach: bool) -> None:
    """Run the server of this home until Ctrl-C, or in the background."""
    settings = _settings(home)
    if port is not None:
        settings = replace(settings, http_port=port)
    if https_port is not None:
        settings = replace(settings, https_port=https_port)
    if detach:
        _detach(settings, port, https_port)
        return
    import gc

    from lazulite.wiring import log_to_stderr, serve

    gc.set_threshold(700)  # Python's own: a server lives long
    log_to_stderr()
    serve(settings, lambda running: click.echo(_greeting(running.http, running.https, settings)))


def _detach(settings: Settings, port: int | None, https_port: int | None) -> None:
    from lazulite.client import home
    from lazulite.domain.errors import Conflict

    held = home.running(settings)
    if held is not None:
        pairs = ((port, held.http), (https_port, held.https))
        if any(asked is not None and not url.endswith(f":{asked}") for asked, url in pairs):
            raise Conflict(
                f"home {settings.home} is held by the server with pid {held.pid}, at {held.http}; "
                "stop it with `lazulite down`"
            )
        click.echo(_greeting(held.http, held.https, settings))
        return
    ports = ("--port", str(settings.http_port), "--https-port", str(settings.https_port))
    server = home.start(settings, ports)
    click.echo(_greeting(server.http, server.https, settings))


def _greeting(http: str, https: str, settings: Settings) -> str:
    return (
        f"Lazulite is ready at {http} and {https} (home {settings.home})\n"
        'connect scripts of the Azure ML SDK with: eval "$(lazulite env)"'
    )


@click.command()
@_home_option
def down(home: Path | None) -> None:
    """Stop the server of this home. Jobs that run go on; the next server takes them up."""
    from lazulite.client.home import stop

    settings = _settings(home)
    stopped = stop(settings)
    if stopped is None:
        click.echo(f"no server runs for {settings.home}", err=True)
    else:
        click.echo(f"stopped the server of {settings.home} (pid {stopped.pid})", err=True)


@click.command()
@_home_option
@common
def status(call: Call, home: Path | None) -> None:
    """Say whether the server of this home runs, where, and how busy it is."""
    from lazulite.client import home as homes
    from lazulite.client.rest import Address, Connection

    settings = _settings(home)
    server = homes.running(settings)
    if server is None:
        call.say(f"no server runs for {settings.home}")
        call.show({"running": False, "home": str(settings.home)})
        click.get_current_context().exit(UNREACHABLE)
    connection = Connection(Address(url=server.http, token=homes.token_of(settings)))
    found = connection.json("GET", "/lazulite/v1/server")
    connection.close()
    call.show({"running": True, **found, "http": server.http, "https": server.https})
