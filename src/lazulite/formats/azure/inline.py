"""Components written out inside a pipeline, as versions without a name. It stores nothing.

azure-ai-ml reads back a pipeline only if its nodes name their components by id, and a component
only if it names a version of its environment, not a label.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from blake3 import blake3

ANONYMOUS_COMPONENT = "azureml_anonymous"  # the name azure-ai-ml gives them

Pin = Callable[[str], str]  # reference to an environment -> the same with its version


def lifted(
    graph: Mapping[str, Any], arm: str, pin: Pin
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return a pipeline whose nodes name components by id, and the components by version.

    Args:
        graph: `properties` of a job, or a `componentSpec`, of any kind: only pipelines change.
        arm: the workspace's id.
        pin: applied to each component's environment.
    """
    found: dict[str, dict[str, Any]] = {}
    return _lifted(graph, arm, pin, found), found


def _lifted(
    graph: Mapping[str, Any], arm: str, pin: Pin, found: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    nodes = graph.get("jobs")
    if not isinstance(nodes, dict):
        return dict(graph)
    return {**graph, "jobs": {name: _node(node, arm, pin, found) for name, node in nodes.items()}}


def _node(node: Any, arm: str, pin: Pin, found: dict[str, dict[str, Any]]) -> Any:
    if not isinstance(node, dict) or not isinstance(node.get("component"), dict):
        return node
    spec = pinned(_lifted(node["component"], arm, pin, found), pin)
    version = str(blake3(msgspec.json.encode(spec, order="sorted")).hexdigest())
    found[version] = spec
    rest = {key: value for key, value in node.items() if key != "component"}
    return {**rest, "componentId": f"{arm}/components/{ANONYMOUS_COMPONENT}/versions/{version}"}


def pinned(spec: Mapping[str, Any], pin: Pin) -> dict[str, Any]:
    """Return a `componentSpec` whose environment is `pin`ned."""
    environment = spec.get("environment")
    if not isinstance(environment, str):
        return dict(spec)
    return {**spec, "environment": pin(environment)}
