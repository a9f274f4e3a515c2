"""Components: command and pipeline components as Azure's `componentSpec`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from lazulite.domain.errors import Unsupported
from lazulite.formats.yaml import kind
from lazulite.formats.yaml.command import ABOUT, RUN, WORK, distribution, limits, resources
from lazulite.formats.yaml.environment import environment_id
from lazulite.formats.yaml.interface import check_command, declared_inputs, declared_outputs
from lazulite.formats.yaml.plan import Build, Plan
from lazulite.formats.yaml.reference import asset_id, code, is_reference
from lazulite.formats.yaml.section import Section
from lazulite.formats.yaml.spelling import dropped

_COMPONENT = (*ABOUT, "version", "is_deterministic", "inputs", "outputs")
_MAX_NESTING = 32  # pipelines inside pipelines


def read_component(build: Build, root: Section) -> Plan:
    """Read a component's own file."""
    spec = specification(build, root)
    name, version = root.need("name"), root.text("version")
    body = {
        "componentSpec": {**spec, "name": name},
        "description": root.text("description"),
        "isAnonymous": False,
        "isArchived": False,
        "properties": root.texts("properties") or {},
        "tags": root.texts("tags") or {},
    }
    return Plan(
        kind="components",
        name=name,
        version=version,
        body={"properties": dropped(body)},
        uploads=tuple(build.uploads),
        environments=build.environments,
        warnings=tuple(build.warnings),
        root=root,
    )


def component_of(build: Build, owner: Section) -> tuple[str | None, dict[str, Any] | None]:
    """Return what `component` names: the id of a registered one, or the specification itself.

    Args:
        build: the reading at hand.
        owner: a node or a pipeline job.
    """
    if isinstance(owner.values["component"].value, dict):
        return None, specification(build, owner.at("component"))
    text = owner.need("component")
    if is_reference(text):
        return asset_id(build.workspace.arm, owner, "component", text, "components"), None
    path, shown = build.refer(owner, "component", text)
    return None, _from_file(build, owner, path, shown)


def _from_file(build: Build, owner: Section, path: Path, shown: str) -> dict[str, Any]:
    if path in build.nesting:
        raise owner.fail(f"'{shown}' contains itself", "component")
    if len(build.nesting) >= _MAX_NESTING:
        raise owner.fail(f"pipelines are nested deeper than {_MAX_NESTING}", "component")
    section = build.open(path, shown, owner.at("component"))
    inner = replace(build, nesting=(*build.nesting, path))  # collections are shared
    return specification(inner, section)


def specification(build: Build, section: Section) -> dict[str, Any]:
    """Return a component's `componentSpec`.

    Raises:
        Unsupported: it is a component of a kind that Lazulite does not run.
    """
    found = kind.of_component(section)
    if found not in build.specify:
        raise kind.refusal(section, found, "component", Unsupported)
    return build.specify[found](build, section)


def about(section: Section) -> dict[str, Any]:
    """Return what every component says of itself."""
    return {
        "name": section.text("name"),
        "version": section.text("version"),
        "$schema": section.text("$schema"),
        "display_name": section.text("display_name"),
        "description": section.text("description"),
        "tags": section.texts("tags"),
        "inputs": declared_inputs(section),
        "outputs": declared_outputs(section),
        "_source": "YAML.COMPONENT",
    }


def command_specification(build: Build, section: Section) -> dict[str, Any]:
    """Return a command component's `componentSpec`."""
    section.known((*_COMPONENT, *WORK, *RUN), ignored=("identity", "services"))
    deterministic = section.flag("is_deterministic")
    spec = {
        **about(section),
        "type": "command",
        "command": section.need("command"),
        "code": code(build, section, prefix="azureml:"),
        "environment": environment_id(build, section, prefix="azureml:"),
        "is_deterministic": True if deterministic is None else deterministic,
        "resources": resources(section),
        "distribution": distribution(section),
        "limits": limits(section),
        "environment_variables": section.texts("environment_variables"),
    }
    names = [f"inputs.{n}" for n in spec["inputs"]] + [f"outputs.{n}" for n in spec["outputs"]]
    check_command(spec["command"], names, section)
    return dropped(spec)
