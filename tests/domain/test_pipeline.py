"""The order of a graph, and its rings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazulite.domain.errors import InvalidInput
from lazulite.domain.job import CommandDef, DataInput
from lazulite.domain.pipeline import Node, order, upstream

WORK = CommandDef(command="true")


def node(*needs: str) -> Node:
    return Node(work=WORK, inputs={n: f"${{{{parent.jobs.{n}.outputs.o}}}}" for n in needs})


def test_what_a_node_needs_is_read_from_texts_and_data() -> None:
    bound = {
        "a": "${{parent.jobs.x.outputs.o}}/${{parent.jobs.y.outputs.p}}",
        "b": DataInput(type="uri_folder", uri="${{parent.jobs.z.outputs.o}}"),
        "c": "${{parent.inputs.q}} ${{parent.jobs.x}} ${{a.b.c.outputs.e}}",
        "d": "${{parent.jobs.n.inputs.i}}",
    }
    assert list(upstream(Node(work=WORK, inputs=bound))) == [("x", "o"), ("y", "p"), ("z", "o")]


@given(st.lists(st.lists(st.integers(0, 20), max_size=4), max_size=20))
def test_every_node_comes_after_what_it_needs(edges: list[list[int]]) -> None:
    nodes = {f"n{i}": node(*{f"n{j}" for j in needs if j < i}) for i, needs in enumerate(edges)}
    found = order(nodes)
    assert sorted(found) == sorted(nodes)
    for name, one in nodes.items():
        assert all(found.index(need) < found.index(name) for need, _ in upstream(one))


def test_a_ring_is_shown() -> None:
    with pytest.raises(InvalidInput, match=r"cycle: .*(a|b|c) -> ") as caught:
        order({"a": node("c"), "b": node("a"), "c": node("b")}, path="jobs")
    assert caught.value.path == "jobs"


def test_a_node_that_needs_itself_is_a_ring() -> None:
    with pytest.raises(InvalidInput, match="a -> a"):
        order({"a": node("a")})
