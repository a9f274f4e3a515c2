"""Pipelines as graphs: nodes, bindings, and the rules that make a graph valid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

import msgspec

from lazulite.domain.errors import InvalidInput
from lazulite.domain.expression import expressions
from lazulite.domain.job import CommandDef, DataInput, InputSpec, OutputSpec


class Settings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`settings` of a pipeline."""

    default_compute: str | None = None
    default_datastore: str | None = None
    continue_on_step_failure: bool = False
    force_rerun: bool = False


Binding = str | DataInput  # text may hold ${{parent.inputs.x}} or ${{parent.jobs.n.outputs.o}}


class Node(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job inside a pipeline: what it runs and how its inputs and outputs are bound."""

    work: CommandDef | PipelineDef
    inputs: dict[str, Binding] = {}
    outputs: dict[str, OutputSpec] = {}  # overrides of what `work` declares
    exports: dict[str, str] = {}  # own output -> the pipeline's output it is bound to
    compute: str | None = None
    display_name: str | None = None
    force_rerun: bool = False


class PipelineDef(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="pipeline"):
    """A pipeline or pipeline component. References inside are resolved."""

    nodes: dict[str, Node]
    inputs: dict[str, InputSpec] = {}
    outputs: dict[str, OutputSpec] = {}
    settings: Settings = Settings()
    component: str | None = None
    display_name: str | None = None


def upstream(node: Node) -> Iterator[tuple[str, str]]:
    """Yield (node, output) for each `${{parent.jobs.NODE.outputs.OUTPUT}}` in the inputs."""
    for binding in node.inputs.values():
        text = binding if isinstance(binding, str) else binding.uri
        for expression in expressions(text):
            parts = expression.split(".")
            if len(parts) == 5 and parts[:2] == ["parent", "jobs"] and parts[3] == "outputs":
                yield parts[2], parts[4]


def order(nodes: Mapping[str, Node], *, path: str = "jobs") -> list[str]:
    """Return the node names so that each comes after what it needs.

    Raises:
        InvalidInput: the graph has a cycle; the message shows it.
    """
    graph = {name: {n for n, _ in upstream(node)} for name, node in nodes.items()}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        ring = " -> ".join(reversed(error.args[1]))
        raise InvalidInput(f"the pipeline has a cycle: {ring}", path=path) from None
