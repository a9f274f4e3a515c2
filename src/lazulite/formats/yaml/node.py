"""One step of a pipeline, as Azure's snake_case node. It does not know the other steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazulite.domain.errors import Unsupported
from lazulite.domain.expression import sole_expression
from lazulite.formats.yaml import kind
from lazulite.formats.yaml.command import (
    ABOUT,
    IGNORED,
    RUN,
    WORK,
    limits,
    node_distribution,
    resources,
    retry,
)
from lazulite.formats.yaml.component import component_of
from lazulite.formats.yaml.environment import environment_id
from lazulite.formats.yaml.interface import check_command, check_values
from lazulite.formats.yaml.plan import Build
from lazulite.formats.yaml.reference import code, compute_id
from lazulite.formats.yaml.section import Section
from lazulite.formats.yaml.spelling import dropped
from lazulite.formats.yaml.value import NODE, inputs, outputs

_NODE = (*ABOUT, "component", "compute", "inputs", "outputs", "retry_settings")
_NODE_IGNORED = (*IGNORED, "experiment_name", "settings", "jeopardy", "version")


def read_node(
    build: Build, section: Section, name: str, kinds: Mapping[str, str]
) -> dict[str, Any]:
    """Read one entry of `jobs`.

    Args:
        build: the reading at hand.
        section: the entry.
        name: its name.
        kinds: types of what `${{parent...}}` may name, so far as they are known here.

    Raises:
        Unsupported: it is a step of a kind that Lazulite does not run.
    """
    section.safe_name(name, "step")
    found = kind.of_node(section)
    if found in kind.LATER:
        raise kind.refusal(section, found, "step", Unsupported)
    section.known((*_NODE, *WORK, *RUN), ignored=_NODE_IGNORED)
    given, bound = inputs(build, section, NODE), outputs(build, section, NODE)
    arm, spec = _work(build, section, found, given, kinds)
    if spec is not None:
        _check(section, spec, given, bound)
    body = {
        "name": name,
        "type": spec["type"] if spec else ("command" if found == "component" else found),
        "display_name": section.text("display_name"),
        "computeId": compute_id(build, section),
        "inputs": given,
        "outputs": bound,
        "resources": resources(section),
        "distribution": node_distribution(section) and dropped(node_distribution(section) or {}),
        "limits": limits(section),
        "retry_settings": retry(section),
        "environment_variables": section.texts("environment_variables"),
        "environment": _override(build, section),
        "tags": section.texts("tags"),
        "_source": "YAML.COMPONENT" if "component" in section else "YAML.JOB",
        "componentId": arm,
        "component": spec,
    }
    return dropped(body)


def _work(
    build: Build,
    section: Section,
    found: str,
    given: Mapping[str, Any],
    kinds: Mapping[str, str],
) -> tuple[str | None, dict[str, Any] | None]:
    """Return the id of the step's component, or the specification of one."""
    if "component" in section:
        for key in ("command", "code", "additional_includes"):
            if key in section:
                raise section.fail("stands beside 'component'; a step has one of them", key)
        return component_of(build, section)
    if found == "pipeline":
        raise section.fail("a pipeline inside a pipeline needs 'component'")
    return None, _inline(build, section, given, kinds)


def _override(build: Build, section: Section) -> str | None:
    """Return the environment that a step puts in place of its component's."""
    if "component" not in section or "environment" not in section:
        return None
    return environment_id(build, section)


def _inline(
    build: Build, section: Section, given: Mapping[str, Any], kinds: Mapping[str, str]
) -> dict[str, Any]:
    """Return the component that a command written in place amounts to."""
    declared = {name: _declare(value, kinds) for name, value in given.items()}
    for name in section.section("inputs") or ():
        declared.setdefault(name, {"type": "string", "optional": True})  # it was null
    results = _results(section)
    command = section.need("command")
    names = [f"inputs.{n}" for n in declared] + [f"outputs.{n}" for n in results]
    check_command(command, names, section)
    return dropped(
        {
            "type": "command",
            "command": command,
            "display_name": section.text("display_name"),
            "code": code(build, section, prefix="azureml:"),
            "environment": environment_id(build, section, prefix="azureml:"),
            "is_deterministic": True,
            "inputs": declared,
            "outputs": results,
            "_source": "YAML.JOB",
        }
    )


def _declare(value: Mapping[str, Any], kinds: Mapping[str, str]) -> dict[str, Any]:
    if "uri" in value:
        return {"type": value["job_input_type"]}
    bound = sole_expression(value.get("value") or "")
    if bound is None:
        return {"type": "string"}
    default = "uri_folder" if bound.startswith("parent.jobs.") else "string"
    return {"type": kinds.get(bound, default)}


def _results(section: Section) -> dict[str, Any]:
    found = section.section("outputs")
    if found is None:
        return {}
    results = {}
    for name in found:
        value = found.values[name].value
        kind_of = found.at(name).text("type") if isinstance(value, dict) else None
        results[name] = {"type": kind_of or "uri_folder"}
    return results


def _check(
    section: Section,
    spec: Mapping[str, Any],
    given: Mapping[str, Any],
    bound: Mapping[str, Any],
) -> None:
    check_values(spec["inputs"], given, section)
    results = section.section("outputs") or section
    for name in bound:
        if name not in spec["outputs"]:
            names = ", ".join(spec["outputs"]) or "none"
            hint = Section.hint(name, spec["outputs"]) or f"; its outputs are: {names}"
            raise results.fail(f"the component has no output '{name}'{hint}", name)
