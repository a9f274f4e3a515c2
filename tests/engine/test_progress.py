"""The planner against a naive model: once each, in order, and the right end."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lazulite.domain.job import CommandDef, JobStatus
from lazulite.domain.pipeline import Node
from lazulite.engine.progress import Progress

COMPLETED, FAILED, CANCELED = JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELED
WORK = CommandDef(command="true")


def graph(*edges: set[int]) -> dict[str, Node]:
    return {
        f"n{i}": Node(
            work=WORK,
            inputs={f"i{j}": f"${{{{parent.jobs.n{j}.outputs.o}}}}" for j in needs if j < i},
        )
        for i, needs in enumerate(edges)
    }


@given(
    st.lists(st.sets(st.integers(0, 12), max_size=4), min_size=1, max_size=13),
    st.data(),
    st.booleans(),
)
def test_a_run_is_as_the_naive_model_says(edges: list[set[int]], data: Any, goes_on: bool) -> None:
    needs = [{j for j in one if j < i} for i, one in enumerate(edges)]
    progress = Progress(graph(*edges), continue_on_failure=goes_on)
    ended: dict[int, JobStatus] = {}
    offered = [int(name[1:]) for name in progress.start()]
    active = set(offered)
    while active:
        assert progress.active == {f"n{i}" for i in active}
        assert progress.outcome is None
        one = data.draw(st.sampled_from(sorted(active)))
        status = data.draw(st.sampled_from([COMPLETED, COMPLETED, COMPLETED, FAILED, CANCELED]))
        ready = [int(name[1:]) for name in progress.finish(f"n{one}", status)]
        assert progress.finish(f"n{one}", COMPLETED) == []
        active.remove(one)
        ended[one] = status
        stops = not goes_on and any(s is not COMPLETED for s in ended.values())
        model = {
            i
            for i in range(len(edges))
            if i not in offered and all(ended.get(j) is COMPLETED for j in needs[i])
        }
        assert set(ready) == (set() if stops else model)
        offered += ready
        active |= set(ready)
    assert len(set(offered)) == len(offered)
    if FAILED in ended.values():
        assert progress.outcome is FAILED
    elif len(ended) == len(edges) and set(ended.values()) == {COMPLETED}:
        assert progress.outcome is COMPLETED
    else:
        assert progress.outcome is CANCELED


def test_a_state_that_is_not_final_changes_nothing() -> None:
    progress = Progress(graph(set(), {0}), continue_on_failure=False)
    progress.start()
    assert progress.finish("n0", JobStatus.RUNNING) == []
    assert progress.active == {"n0"}


def test_nothing_starts_after_a_stop() -> None:
    progress = Progress(graph(set(), {0}), continue_on_failure=True)
    progress.start()
    progress.stop()
    assert progress.finish("n0", COMPLETED) == []
    assert progress.outcome is CANCELED
    assert progress.start() == []


def test_a_node_an_earlier_engine_started_counts_as_active() -> None:
    progress = Progress(graph(set(), {0}), continue_on_failure=False)
    progress.start()
    progress.stop()
    progress.finish("n0", COMPLETED)
    progress.adopt("n1")
    assert progress.outcome is None
    progress.finish("n1", CANCELED)
    assert progress.outcome is CANCELED
