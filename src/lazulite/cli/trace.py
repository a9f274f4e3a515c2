"""`lazulite trace`: what programs did, span by span."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from lazulite.cli.call import Call, common, confirm, yes_option
from lazulite.cli.output import Column
from lazulite.cli.words import counted, moment, span
from lazulite.domain.errors import InvalidInput

if TYPE_CHECKING:
    from rich.text import Text

_EXPERIMENT = click.option(
    "-e", "--experiment", "experiments", multiple=True, help="Only of this one; repeatable."
)
_SHORT = 100  # characters of an attribute on a terminal
_IN, _OUT = "mlflow.spanInputs", "mlflow.spanOutputs"
_WORDS = {_IN: "in", _OUT: "out", "mlflow.spanLogLevel": "log level"}


@click.group()
def command() -> None:
    """Traces: what programs did, span by span."""


@command.command("list")
@click.argument("text", metavar="[FILTER]", default="")
@_EXPERIMENT
@click.option("-s", "--sort", "orders", multiple=True, help="As in 'execution_time DESC'.")
@click.option(
    "-r",
    "--max-results",
    type=click.IntRange(1),
    default=50,
    help="At most so many, else 50.",
)
@common
def list_(
    call: Call, text: str, experiments: tuple[str, ...], orders: tuple[str, ...], max_results: int
) -> None:
    """List traces, newest first: "status = 'ERROR' AND tags.team = 'a'"."""
    from lazulite.client import traces

    try:
        found = traces.search(
            call.session, text, orders=orders, experiments=experiments, most=max_results
        )
    except InvalidInput as error:
        from lazulite.cli.run_table import pointed

        raise pointed(error, text) from None
    call.show(found, _COLUMNS)


@command.command()
@click.argument("trace")
@click.option("--all", "everything", is_flag=True, help="Attributes and events whole.")
@common
def show(call: Call, trace: str, *, everything: bool) -> None:
    """Show a trace: its spans as a tree, how long each took, and what went wrong."""
    from lazulite.client import traces

    found = traces.get(call.session, trace)
    if call.for_people:
        _draw(found, everything=everything)
    elif call.format == "table":
        call.show(nested(found["spans"]), _SPAN_COLUMNS)
    else:
        call.show(found)


@command.command()
@click.argument("names", metavar="[TRACE ...]", nargs=-1)
@click.option("-e", "--experiment", help="All of this one that are old enough.")
@click.option("--older-than", type=click.IntRange(0), metavar="DAYS", help="With -e.")
@yes_option
@common
def delete(
    call: Call,
    names: tuple[str, ...],
    experiment: str | None,
    older_than: int | None,
    *,
    yes: bool,
) -> None:
    """Delete traces for good: those named, or the old ones of an experiment."""
    from lazulite.client import traces

    if bool(names) == (experiment is not None) or (experiment is None) != (older_than is None):
        raise click.UsageError("name traces, or an experiment with -e and --older-than")
    if experiment is None:
        confirm(f"Delete {counted(len(names), 'trace')}?", yes=yes)
        gone = traces.delete(call.session, names)
    else:
        confirm(
            f"Delete the traces of '{experiment}' older than {counted(older_than or 0, 'day')}?",
            yes=yes,
        )
        before = datetime.now(UTC).timestamp() - (older_than or 0) * 86_400
        gone = traces.delete_before(call.session, experiment, int(before * 1000))
    call.show({"deleted": gone})


def nested(spans: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return spans in the order of their tree, each with its `depth`."""
    known = {one["id"] for one in spans}
    below: dict[str | None, list[dict[str, Any]]] = {}
    for one in spans:
        below.setdefault(one["parent"] if one["parent"] in known else None, []).append(one)
    found = []
    waiting = [(one, 0) for one in reversed(below.pop(None, []))]
    while waiting:
        one, depth = waiting.pop()
        found.append({**one, "depth": depth})
        waiting += [(child, depth + 1) for child in reversed(below.pop(one["id"], []))]
    return found


def _draw(trace: Mapping[str, Any], *, everything: bool) -> None:
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    bad = trace["state"] == "ERROR"
    head = Text(f"{trace['name'] or trace['id']}  ", style="bold")
    head.append(trace["state"], style="bold red" if bad else "green")
    head.append(f"  {_took(trace['seconds'])}  {_time(trace)}  {trace['id']}", style="dim")
    tree = Tree(head)
    places = [tree]  # by depth
    for one in nested(trace["spans"]):
        node = places[one["depth"]].add(_line(one))
        places[one["depth"] + 1 :] = [node]
        for text in _told(one, everything=everything):
            node.add(text)
    for said in trace["assessments"]:
        value = next((said[k].get("value") for k in ("feedback", "expectation") if k in said), "")
        tree.add(Text(f"{said['assessment_name']}: {value} {said.get('rationale', '')}", "cyan"))
    Console().print(tree)


def _line(one: Mapping[str, Any]) -> Text:
    from rich.text import Text

    bad = one["status"] == "ERROR"
    line = Text(one["name"], style="bold red" if bad else "")
    if one["type"]:
        line.append(f"  {one['type']}", style="cyan")
    return line.append(f"  {_took(one['seconds'])}", style="dim")


def _told(one: Mapping[str, Any], *, everything: bool) -> list[Text]:
    """Return what a span went in with and came out with, or all of it, and what went wrong."""
    from rich.text import Text

    names = list(one["attributes"]) if everything else [_IN, _OUT]
    kept = [(name, one["attributes"][name]) for name in names if name in one["attributes"]]
    found = []
    for name, value in kept:
        text = value if isinstance(value, str) else _json(value)
        short = text if everything or len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"
        found.append(Text(f"{_WORDS.get(name, name)}: {short}", style="dim"))
    for event in one["events"]:
        if everything or event["name"] == "exception":
            told = event["attributes"]
            last = told.get("exception.stacktrace") if everything else None
            text = last or f"{told.get('exception.type', '')}: {told.get('exception.message', '')}"
            found.append(Text(text if event["name"] == "exception" else event["name"], style="red"))
    return found


def _json(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)


def _took(seconds: float | None) -> str:
    return "" if seconds is None else span(seconds)


def _time(trace: Mapping[str, Any]) -> str:
    found = moment(trace["time"])
    return found.astimezone().strftime("%Y-%m-%d %H:%M:%S") if found else ""


def _state(text: str) -> str:
    return {"OK": "green", "ERROR": "bold red"}.get(text, "dim")


_COLUMNS = (
    Column("Trace", "id"),
    Column("Name", "name"),
    Column("State", "state", _state),
    Column("Time", _time),
    Column("Took", lambda one: _took(one["seconds"])),
    Column("Request", lambda one: (one["request"] or "")[:60], spare=True),
)
_SPAN_COLUMNS = (
    Column("Span", lambda one: "  " * one["depth"] + one["name"]),
    Column("Type", "type"),
    Column("Status", "status", _state),
    Column("Took", lambda one: _took(one["seconds"])),
    Column("Message", "message"),
)
