"""What every command shares: the global options, the session, and where its words go."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lazulite.cli import output

if TYPE_CHECKING:
    from lazulite.client.session import Session

F = TypeVar("F", bound=Callable[..., Any])
FORMATS = ("table", "json", "jsonc", "yaml", "yamlc", "tsv", "none")


@dataclass(slots=True)
class Call:
    """One run of a command: the options that all of them take."""

    options: Mapping[str, str | None]  # subscription, group, workspace
    format: str | None  # None = by whether stdout is a terminal
    query: str | None
    quiet: bool = False
    _session: Session | None = field(default=None)

    @property
    def session(self) -> Session:
        """The session, opened at first use."""
        if self._session is None:
            from lazulite.client.session import connect

            self._session = connect(self.options, say=self.say)
        return self._session

    def close(self) -> None:
        """Hang up, if anybody was called."""
        if self._session is not None:
            self._session.close()

    def say(self, text: str) -> None:
        """Tell progress: on stderr, so that stdout is data."""
        if not self.quiet:
            click.echo(text, err=True)

    def warn(self, warnings: Iterable[str]) -> None:
        """Tell warnings."""
        for text in warnings:
            click.echo(f"warning: {text}", err=True)

    @property
    def wants_data(self) -> bool:
        """Whether -o or --query asks for the result even where a command streams."""
        return self.format is not None or self.query is not None

    @property
    def as_table(self) -> bool:
        """Whether rows become a table."""
        return self.for_people or (self.format == "table" and self.query is None)

    @property
    def for_people(self) -> bool:
        """Whether the result goes to a terminal, and nobody asked for a format."""
        return not self.wants_data and sys.stdout.isatty()

    def show(self, data: Any, columns: Sequence[output.Column] = ()) -> None:
        """Print the result, if any, in the format that was asked for.

        Args:
            data: plain dicts and lists.
            columns: of its table; of no effect with --query.
        """
        if self.query is not None:
            data, columns = output.search(data, self.query), ()
        form = self.format or output.default_format(data, terminal=sys.stdout.isatty())
        output.write(data, form, columns)


def common(function: F) -> F:
    """Add the options all commands take; the command gets them as a `Call`."""

    @click.option("-w", "--workspace-name", "--workspace", metavar="NAME", help="Workspace.")
    @click.option("-g", "--resource-group", metavar="NAME", help="Resource group.")
    @click.option("--subscription", metavar="ID", help="Subscription.")
    @click.option("-o", "--output", "form", type=click.Choice(FORMATS), help="Output format.")
    @click.option("--query", metavar="JMESPATH", help="Print only this part of the result.")
    @click.option("--only-show-errors", is_flag=True, help="No progress on stderr.")
    @click.option("--verbose", is_flag=True, hidden=True, help="Of no effect.")
    @click.option("--debug", is_flag=True, help="Show tracebacks.")
    @functools.wraps(function)
    def wrapped(**given: Any) -> Any:
        if given.pop("debug"):
            os.environ["LAZULITE_DEBUG"] = "1"
        given.pop("verbose")
        call = Call(
            options={
                "workspace": given.pop("workspace_name"),
                "group": given.pop("resource_group"),
                "subscription": given.pop("subscription"),
            },
            format=given.pop("form"),
            query=given.pop("query"),
            quiet=given.pop("only_show_errors"),
        )
        try:
            return function(call, **given)
        finally:
            call.close()

    return wrapped  # type: ignore[return-value]  # click calls it by keywords


def file_option(function: F) -> F:
    """Add -f."""
    return click.option(
        "-f", "--file", type=click.Path(path_type=Path), help="YAML file that describes it."
    )(function)


def set_option(function: F) -> F:
    """Add --set, which takes one or more path=value, as az does."""
    return assignments_option("--set", "Change a field, as in inputs.lr=0.1; repeatable.")(function)


def assignments_option(flag: str, text: str) -> Callable[[F], F]:
    """Return a decorator that adds an option of one or more name=value: `--set a=1 b=2`."""

    def decorate(function: F) -> F:
        @click.option(flag, "first", multiple=True, metavar="NAME=VALUE ...", help=text)
        @click.argument("more", nargs=-1, metavar="")
        @functools.wraps(function)
        def wrapped(*args: Any, **given: Any) -> Any:
            first, more = given.pop("first"), given.pop("more")
            for word in (*first, *more):
                if "=" not in word or (more and not first):
                    raise click.UsageError(
                        f"'{word}' is not expected here; {flag} takes NAME=VALUE"
                    )
            return function(*args, assignments=(*first, *more), **given)

        return wrapped  # type: ignore[return-value]  # click calls it by keywords

    return decorate


def yes_option(function: F) -> F:
    """Add --yes."""
    return click.option("-y", "--yes", is_flag=True, help="Do not ask.")(function)


def confirm(question: str, *, yes: bool) -> None:
    """Ask on a terminal; without one, --yes is needed.

    Raises:
        click.UsageError: nobody can be asked.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Say --yes, as nobody can be asked here")
    click.confirm(question, abort=True, err=True)
