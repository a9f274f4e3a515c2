"""Slots against a model: never over a limit, first come first served, released once."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lazulite.engine.slots import Slots


class Model(RuleBasedStateMachine):
    """Jobs come, wait, are admitted, and go, on three targets of one machine."""

    LIMITS: ClassVar = {"free": None, "two": 2, "one": 1}

    def __init__(self) -> None:
        super().__init__()
        self.slots = Slots(4)
        self.jobs: dict[int, tuple[str, int]] = {}
        self.running: set[int] = set()
        self.queues: dict[str, list[int]] = {name: [] for name in self.LIMITS}
        self.count = 0

    def target(self, name: str):
        return self.slots.target(1, name, self.LIMITS[name])

    @rule(name=st.sampled_from(sorted(LIMITS)), want=st.integers(1, 9))
    def come(self, name: str, want: int) -> None:
        self.count += 1
        job = self.count
        self.jobs[job] = (name, want)
        if self.slots.take(job, self.target(name), want):
            assert not self.queues[name]
            self.running.add(job)
        else:
            self.slots.wait(job, self.target(name), want)
            self.queues[name].append(job)
            assert "slots free" in str(self.slots.why(job))

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(sorted(self.jobs)))
        self.slots.release(job)
        self.slots.release(job)
        self.running.discard(job)
        for queue in self.queues.values():
            if job in queue:
                queue.remove(job)
        del self.jobs[job]
        assert self.slots.why(job) is None

    @rule()
    def admit(self) -> None:
        for job in self.slots.admit():
            assert isinstance(job, int)
            queue = self.queues[self.jobs[job][0]]
            assert queue.pop(0) == job
            self.running.add(job)
            assert self.slots.why(job) is None
        for name, queue in self.queues.items():  # nobody waits for what is there
            if queue:
                assert not self.slots._fits(self.target(name), self.jobs[queue[0]][1])

    @invariant()
    def no_limit_is_passed(self) -> None:
        assert 0 <= self.slots.used <= 4
        for name, limit in self.LIMITS.items():
            used = self.target(name).used
            assert used == sum(self.target(name).holders.values())
            assert set(self.target(name).holders) == {
                job for job in self.running if self.jobs[job][0] == name
            }
            assert limit is None or used <= limit

    @invariant()
    def an_empty_machine_has_room(self) -> None:
        if not self.running:
            assert self.slots.used == 0


TestSlots = Model.TestCase
TestSlots.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_a_job_that_runs_already_is_counted_whatever_the_limits() -> None:
    slots = Slots(1)
    target = slots.target(1, "cpu", None)
    slots.adopt("a", target, 1)
    slots.adopt("b", target, 1)
    assert slots.used == 2
    assert not slots.take("c", target, 1)
    slots.wait("c", target, 1)
    slots.release("a")
    assert slots.admit() == []
    slots.release("b")
    assert slots.admit() == ["c"]


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (None, "this machine has 0 of 2 slots free; 0 jobs are ahead in the queue of 'cpu'"),
        (1, "compute 'cpu' has 0 of 1 slots free; 0 jobs are ahead in the queue of 'cpu'"),
        (2, "compute 'cpu' has 0 of 2 slots free; 0 jobs are ahead in the queue of 'cpu'"),
    ],
)
def test_why_says_whose_slots_are_taken(limit: int | None, text: str) -> None:
    slots = Slots(2)
    target = slots.target(1, "cpu", limit)
    slots.take("a", target, 2)
    slots.wait("b", target, 1)
    assert slots.why("b") == text
    slots.wait("c", target, 1)
    assert "1 job is ahead" in str(slots.why("c"))
    assert slots.why("a") is None


def test_why_blames_the_machine_when_the_compute_has_room() -> None:
    slots = Slots(2)
    slots.take("a", slots.target(1, "other", None), 2)
    slots.wait("b", slots.target(1, "cpu", 2), 1)
    assert str(slots.why("b")).startswith("this machine has 0 of 2 slots free")


def test_a_raised_limit_counts_for_those_who_wait() -> None:
    slots = Slots(4)
    slots.take("a", slots.target(1, "cpu", 1), 1)
    slots.wait("b", slots.target(1, "cpu", 1), 1)
    slots.target(1, "cpu", 2)
    assert slots.admit() == ["b"]
