"""Pipeline jobs and pipeline components: the graph of nodes, bound and checked by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lazulite.domain.expression import expressions
from lazulite.domain.ids import last_segment
from lazulite.formats.yaml.command import IGNORED, JOB_ABOUT, about_job, job_plan
from lazulite.formats.yaml.component import about, component_of
from lazulite.formats.yaml.interface import check_values
from lazulite.formats.yaml.node import read_node
from lazulite.formats.yaml.plan import Build, Plan
from lazulite.formats.yaml.reference import compute_id
from lazulite.formats.yaml.section import Section
from lazulite.formats.yaml.spelling import dropped
from lazulite.formats.yaml.value import JOB, inputs, outputs

_SETTINGS = (
    "default_compute",
    "default_datastore",
    "continue_on_step_failure",
    "force_rerun",
)
_SETTINGS_IGNORED = ("continue_run_on_failed_optional_input", "on_init", "on_finalize")


def read_pipeline_job(build: Build, root: Section) -> Plan:
    """Read a pipeline job's file."""
    known = (*JOB_ABOUT, "jobs", "component", "settings", "inputs", "outputs")
    root.known(known, ignored=IGNORED)
    compute = compute_id(build, root)
    given, bound = inputs(build, root, JOB), outputs(build, root, JOB)
    body = {
        **about_job(root),
        "jobType": "Pipeline",
        "computeId": compute,
        "inputs": given,
        "outputs": bound,
        "settings": _settings(build, root, compute),
        **_graph(build, root, given, bound),
    }
    return job_plan(build, root, body)


def pipeline_specification(build: Build, section: Section) -> dict[str, Any]:
    """Return a pipeline component's `componentSpec`."""
    section.known(
        ("$schema", "type", "name", "version", "display_name", "description", "tags",
         "properties", "inputs", "outputs", "jobs", "settings", "is_deterministic"),
        ignored=("experiment_name", "compute"),
    )  # fmt: skip
    spec = about(section)
    if "is_deterministic" in section:
        spec["is_deterministic"] = section.flag("is_deterministic")
    nodes = _nodes(build, section, spec["inputs"], spec["outputs"])
    return dropped({**spec, "type": "pipeline", "jobs": nodes})


def _graph(
    build: Build, root: Section, given: dict[str, Any], bound: dict[str, Any]
) -> dict[str, Any]:
    """Return the nodes of a job, or those of the component that it names."""
    if "component" not in root:
        return {"jobs": _nodes(build, root, given, bound)}
    if "jobs" in root:
        raise root.fail("a pipeline job has either 'jobs' or 'component'", "component")
    arm, spec = component_of(build, root)
    if spec is None:
        return {"componentId": arm}
    if spec["type"] != "pipeline":
        raise root.fail(f"is a {spec['type']} component; a pipeline is needed", "component")
    check_values(spec["inputs"], given, root)
    for name, declared in spec["inputs"].items():
        if name not in given and "default" in declared:
            given[name] = {"value": declared["default"], "jobInputType": "literal"}
    for name, declared in spec["outputs"].items():
        bound.setdefault(name, {"jobOutputType": declared["type"]})
    return {"jobs": spec["jobs"]}


def _nodes(
    build: Build, owner: Section, given: Mapping[str, Any], bound: Mapping[str, Any]
) -> dict[str, Any]:
    section = owner.section("jobs")
    if section is None or not section.values:
        raise owner.fail(f"needs 'jobs' with at least one step{owner.slip('jobs')}")
    kinds = _kinds_of_parent(given)
    nodes = {}
    for name in section:
        if not isinstance(section.values[name].value, dict):
            raise section.wrong(name, "must be a step: a mapping with 'component' or 'command'")
        nodes[name] = read_node(build, section.at(name), name, kinds)
        _note_outputs(kinds, name, nodes[name])
    for name, node in nodes.items():
        _check_bindings(section.at(name), node, nodes, given, bound)
    return nodes


def _kinds_of_parent(given: Mapping[str, Any]) -> dict[str, str]:
    """Return the type of each `parent.inputs.x`; job inputs and declared inputs both count."""
    kinds = {}
    for name, value in given.items():
        kind = value.get("type") or value.get("jobInputType")
        kinds[f"parent.inputs.{name}"] = "string" if kind == "literal" else kind
    return kinds


def _note_outputs(kinds: dict[str, str], name: str, node: Mapping[str, Any]) -> None:
    for output, spec in (node.get("component") or {}).get("outputs", {}).items():
        kinds[f"parent.jobs.{name}.outputs.{output}"] = spec["type"]


def _check_bindings(
    section: Section,
    node: Mapping[str, Any],
    nodes: Mapping[str, Any],
    given: Mapping[str, Any],
    bound: Mapping[str, Any],
) -> None:
    """Refuse `${{parent...}}` that names no input, step or output of this pipeline."""
    values = section.section("inputs") or section
    for name, value in node.get("inputs", {}).items():
        for expression in expressions(str(value.get("value") or value.get("uri") or "")):
            _check_expression(expression, nodes, given, values, name)
    results = section.section("outputs") or section
    for name, value in node.get("outputs", {}).items():
        for expression in expressions(str(value.get("value") or "")):
            parts = expression.split(".")
            if parts[:2] == ["parent", "outputs"] and len(parts) == 3:
                _known(parts[2], bound, "output of the pipeline", results, name)


def _check_expression(
    expression: str,
    nodes: Mapping[str, Any],
    given: Mapping[str, Any],
    section: Section,
    key: str,
) -> None:
    parts = expression.split(".")
    if parts[:2] == ["parent", "inputs"] and len(parts) >= 3:
        _known(parts[2], given, "input of the pipeline", section, key)
    elif parts[:2] == ["parent", "jobs"] and len(parts) >= 5:
        _known(parts[2], nodes, "step of the pipeline", section, key)
        component = nodes[parts[2]].get("component")
        if component is not None and parts[3] == "outputs":
            _known(parts[4], component["outputs"], f"output of step '{parts[2]}'", section, key)
    elif parts[0] in ("inputs", "outputs", "jobs"):
        raise section.fail(
            f"'${{{{{expression}}}}}' is not known in a step{_parent_hint(parts)}", key
        )


def _parent_hint(parts: list[str]) -> str:
    return f"; did you mean '${{{{parent.{'.'.join(parts)}}}}}'?"


def _known(name: str, known: Iterable[str], what: str, section: Section, key: str) -> None:
    names = list(known)
    if name not in names:
        hint = section.hint(name, names) or f"; there are: {', '.join(names) or 'none'}"
        raise section.fail(f"'{name}' is no {what}{hint}", key)


def _settings(build: Build, root: Section, compute: str | None) -> dict[str, Any]:
    found = root.section("settings")
    if found is None:
        return dropped({"default_compute": compute, "_source": "YAML.JOB"})
    found.known(_SETTINGS, ignored=_SETTINGS_IGNORED)
    store = found.text("default_datastore")
    return dropped(
        {
            "default_compute": compute_id(build, found, "default_compute") or compute,
            "default_datastore": store
            and f"{build.workspace.arm}/datastores/{last_segment(store)}",
            "continue_on_step_failure": found.flag("continue_on_step_failure"),
            "force_rerun": found.flag("force_rerun"),
            "_source": "YAML.JOB",
        }
    )
