"""From a YAML file, or the same as a dict, to a plan. The only door of this package."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lazulite.domain.errors import Unsupported
from lazulite.domain.ids import WorkspaceId
from lazulite.formats.yaml import kind, overrides
from lazulite.formats.yaml.asset import read_data, read_model
from lazulite.formats.yaml.command import read_command_job
from lazulite.formats.yaml.component import command_specification, read_component
from lazulite.formats.yaml.environment import read_environment
from lazulite.formats.yaml.pipeline import pipeline_specification, read_pipeline_job
from lazulite.formats.yaml.plan import Build, Files, Plan
from lazulite.formats.yaml.resource import read_compute, read_datastore, read_workspace
from lazulite.formats.yaml.section import Section

_SPECIFY = {"command": command_specification, "pipeline": pipeline_specification}


class Document(NamedTuple):
    """What to read."""

    path: Path  # absolute: of the file; of a dict: anything in the folder its paths start from
    shown: str  # its name in messages
    content: Mapping[str, Any] | None = None  # given = nothing is read from `path`
    assignments: tuple[str, ...] = ()  # `--set`, in order


def read(noun: str, document: Document, workspace: WorkspaceId, files: Files) -> Plan:
    """Read the description of one thing.

    Args:
        noun: job, component, environment, data, model, compute, datastore or workspace.
        document: the file or dict, and what `--set` changes in it.
        workspace: whose ids the plan names.
        files: the disk.

    Raises:
        InvalidInput: something in it is wrong; the message names file, line and field.
        Unsupported: Azure ML allows it and this version of Lazulite does not run it.
    """
    build = Build(workspace=workspace, files=files, specify=_SPECIFY)
    root = _root(build, document)
    plan = (_read_job if noun == "job" else _READERS[noun])(build, root)
    if plan.name is not None:
        plan.root.safe_name(plan.name, noun, "name")
    return plan


def _root(build: Build, document: Document) -> Section:
    if document.content is None and not document.assignments:
        return build.open(document.path, document.shown)
    if document.content is None:
        opened = build.open(document.path, document.shown)
        node = overrides.apply(opened.node, document.assignments)
    else:
        from lazulite.formats.yaml.parser import parse

        text = json.dumps(dict(document.content), default=str)  # JSON is YAML
        node = overrides.apply(parse(text, document.shown), document.assignments)
    return build.wrap(node, document.shown, document.path.parent)


def _read_job(build: Build, root: Section) -> Plan:
    found = kind.of_job(root)
    if found not in _JOBS:
        raise kind.refusal(root, found, "job", Unsupported)
    return _JOBS[found](build, root)


_JOBS: dict[str, Callable[[Build, Section], Plan]] = {
    "command": read_command_job,
    "pipeline": read_pipeline_job,
}
_READERS: dict[str, Callable[[Build, Section], Plan]] = {
    "component": read_component,
    "environment": read_environment,
    "data": read_data,
    "model": read_model,
    "compute": read_compute,
    "datastore": read_datastore,
    "workspace": read_workspace,
}


def nouns() -> Iterable[str]:
    """Return what `read` reads."""
    return ("job", *_READERS)
