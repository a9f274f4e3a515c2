"""A run for people: what a job was made of, where it ran and what it used, each in a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from lazulite.cli.sparkline import sparkline
from lazulite.cli.words import ago, size, span, used
from lazulite.client import runs
from lazulite.client.session import Session
from lazulite.domain.run import PARENT
from lazulite.domain.source import BRANCH, COMMIT, DIRTY, REPOSITORY
from lazulite.domain.usage import CPU, MEMORY, OWN

_CURVES = (("cpu", CPU, "% of a core"), ("memory", MEMORY, "MB"))
_NOTE = "mlflow.note.content"  # the tag that people write
_SHORT = 12  # characters of a digest that a person compares


def told(session: Session, run: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `run show` prints on a terminal: times as people say them, nothing empty."""
    record = run.get("job")
    shown = dict(_head(session, run))
    shown["params"] = run.get("params")
    shown["metrics"] = {k: v for k, v in run["metrics"].items() if not k.startswith(OWN)}
    shown["tags"] = {
        k: v for k, v in run["tags"].items() if k == _NOTE or not k.startswith("mlflow.")
    }
    if record:
        shown |= {**dict(_made_of(record)), **dict(_ran(session, run, record))}
    return {key: value for key, value in shown.items() if value not in (None, {}, "")}


def _head(session: Session, run: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from ((key, run.get(key)) for key in ("id", "name", "status"))
    yield "experiment", runs.experiment_name(session, run["experiment_id"])
    yield "started", _time(run["start_time"])
    if run.get("end_time"):
        yield "took", span((run["end_time"] - run["start_time"]) / 1000)
    yield "user", run.get("user")
    yield "deleted", run.get("deleted") or None
    yield "parent", run["tags"].get(PARENT)
    yield "source", None if run.get("job") else run["tags"].get("mlflow.source.name")


def _time(millis: int) -> str:
    then = datetime.fromtimestamp(millis / 1000, UTC)
    local = then.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return f"{local} ({ago(millis / 1000, datetime.now(UTC))})"


def _made_of(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "parent", record.get("parent")
    if code := record.get("code"):
        count = f"{code['files']} file{'' if code['files'] == 1 else 's'}"
        how = f"get it with: lazulite job download -n {record['job']} --code"
        yield "code", f"{code['digest'][:_SHORT]}, {count}, {size(code['size'])}; {how}"
    yield "git", _git(record.get("source") or {})
    yield "command", record.get("command")
    if environment := record.get("environment"):
        name = _asset(str(environment["id"]))
        python = f", Python {environment['python']}" if environment.get("python") else ""
        yield "environment", f"{name}{python} (key {str(environment['key'])[:_SHORT]})"
    yield "inputs", {name: _input(value) for name, value in (record.get("inputs") or {}).items()}
    yield "outputs", {name: _output(value) for name, value in (record.get("outputs") or {}).items()}


def _ran(
    session: Session, run: Mapping[str, Any], record: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    yield "reused from", record.get("reusedFrom")
    if host := record.get("host"):
        gpus = f", {', '.join(host['gpus'])}" if host.get("gpus") else ""
        memory = f"{host.get('cpus', '?')} cores, {size(host.get('memory', 0))}{gpus}"
        system = f"{host.get('system')} {host.get('machine')}"
        yield "host", f"{host.get('name')} ({system}, {memory}), Lazulite {host.get('server')}"
    yield "used", used(record.get("usage") or {})
    for name, key, unit in _CURVES:
        if key in run["metrics"]:
            values = [float(point["value"]) for point in runs.curve(session, run["id"], key)]
            low, high = f"{min(values):.0f}", f"{max(values):.0f}"
            reach = high if low == high else f"{low} to {high}"
            yield f"{name} over time", f"{sparkline(values)} {reach} {unit}"


def _git(source: Mapping[str, str]) -> str:
    dirty = " with changes" if source.get(DIRTY) == "True" else ""
    commit = f"{source[COMMIT][:_SHORT]}{dirty}" if COMMIT in source else ""
    parts = (source.get(BRANCH), commit, source.get(REPOSITORY))
    return ", ".join(part for part in parts if part)


def _asset(arm: str) -> str:
    """Return `name:version` of an ARM id, another reference as it is."""
    kind, _, version = arm.rpartition("/versions/")
    return f"{kind.rsplit('/', 1)[-1]}:{version[:_SHORT]}" if kind else arm


def _input(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return f"{value['uri']} (from {value['origin']})" if value.get("origin") else value["uri"]


def _output(value: Mapping[str, Any]) -> str:
    notes = [f"registered as {value['asset']}"] if value.get("asset") else []
    notes += [f"from {value['origin']}"] if value.get("origin") else []
    return f"{value['uri']} ({', '.join(notes)})" if notes else str(value["uri"])
