"""Leases against a model: whatever engines do, in any order, a job has one holder or none."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from tests.records import NOW, a_child, a_job, a_workspace

from lazulite.domain.errors import StaleLease
from lazulite.domain.job import FINAL, JobKind, JobStatus
from lazulite.ports.store import Store

FREE, NOBODYS = "free", "nobody's"
HOSTS = {"one": "a", "two": "a", "three": "b"}  # engine -> host
engines = st.sampled_from(sorted(HOSTS))
picks = st.integers(min_value=0, max_value=30)
statuses = st.sampled_from([JobStatus.QUEUED, JobStatus.RUNNING, *sorted(FINAL)])


class Leases(RuleBasedStateMachine):
    store: Store

    def __init__(self) -> None:
        super().__init__()
        self.workspace = self.store.write(lambda tx: tx.workspaces.add(a_workspace())).id
        self.holder: dict[int, str] = {}  # job -> engine, FREE or NOBODYS
        self.status: dict[int, JobStatus] = {}
        self.until: dict[str, int] = {}  # engine -> seconds after NOW
        self.now = 0

    def teardown(self) -> None:
        self.store.write(lambda tx: tx.workspaces.delete(self.workspace))
        late = NOW + timedelta(days=1)
        self.store.write(lambda tx: tx.executions.takeover("nobody", late, ""))

    def job(self, pick: int) -> int:
        return sorted(self.holder)[pick % len(self.holder)] if self.holder else 999

    @rule(kind=st.sampled_from(list(JobKind)), status=statuses)
    def add(self, kind: JobKind, status: JobStatus) -> None:
        new = a_job(self.workspace, kind=kind, status=status)
        row = self.store.write(lambda tx: tx.jobs.add(new, None)).id
        self.holder[row] = NOBODYS if status in FINAL or kind is JobKind.RUN else FREE
        self.status[row] = status

    @rule(engine=engines, some=st.none() | st.lists(picks, max_size=4))
    def claim(self, engine: str, some: list[int] | None) -> None:
        jobs = None if some is None else [self.job(pick) for pick in some]
        taken = self.store.write(lambda tx: tx.executions.claim(engine, jobs))
        free = [row for row, who in sorted(self.holder.items()) if who == FREE]
        assert taken == [row for row in free if jobs is None or row in jobs]
        self.holder |= dict.fromkeys(taken, engine)

    @rule(engine=engines, some=st.lists(picks, min_size=1, max_size=4), status=statuses)
    def advance(self, engine: str, some: list[int], status: JobStatus) -> None:
        jobs = {self.job(pick) for pick in some}
        changes = [(row, {"status": status}) for row in jobs]
        held = all(self.holder.get(row) == engine for row in jobs)
        try:
            self.store.write(lambda tx: tx.executions.advance(engine, changes))
        except StaleLease:
            assert not held
            return
        assert held
        self.status |= dict.fromkeys(jobs, status)
        if status in FINAL:
            self.holder |= dict.fromkeys(jobs, NOBODYS)

    @rule(engine=engines, pick=picks, node=st.sampled_from("xy"))
    def spawn(self, engine: str, pick: int, node: str) -> None:
        parent = self.job(pick)
        if parent not in self.holder:
            return
        found = self.store.read(lambda tx: tx.jobs.by_id(parent))
        wanted = [(a_child(found, node), None)]
        try:
            (child,) = self.store.write(lambda tx: tx.executions.spawn(engine, wanted))
        except StaleLease:
            assert self.holder[parent] != engine
            return
        assert self.holder[parent] == engine
        if child.id not in self.holder:
            self.holder[child.id] = engine
            self.status[child.id] = child.status

    @rule(engine=engines, seconds=st.integers(min_value=1, max_value=5))
    def beat(self, engine: str, seconds: int) -> None:
        until = NOW + timedelta(seconds=self.now + seconds)
        self.store.write(lambda tx: tx.executions.beat(engine, HOSTS[engine], until))
        self.until[engine] = self.now + seconds

    @rule(seconds=st.integers(min_value=1, max_value=5))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule(engine=engines)
    def takeover(self, engine: str) -> None:
        now, host = NOW + timedelta(seconds=self.now), HOSTS[engine]
        taken = self.store.write(lambda tx: tx.executions.takeover(engine, now, host))
        dead = {
            other
            for other, until in self.until.items()
            if other != engine and (until < self.now or HOSTS[other] == host)
        }
        assert taken == sorted(row for row, who in self.holder.items() if who in dead)
        self.holder |= dict.fromkeys(taken, engine)
        for other in dead:
            del self.until[other]

    @invariant()
    def the_store_says_the_same(self) -> None:
        rows = sorted(self.holder)
        jobs = self.store.read(lambda tx: [job for job, _ in tx.executions.load(rows)])
        assert {job.id: job.status for job in jobs} == self.status
        unfinished = self.store.read(lambda tx: tx.jobs.unfinished(self.workspace))
        assert unfinished == sum(who != NOBODYS for who in self.holder.values())


def test_leases_behave_as_their_model(store: Store) -> None:
    run_state_machine_as_test(
        type("LeasesOfOneStore", (Leases,), {"store": store}),
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
