"""Jobs as the engine drives them, on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.records import LATER, NOW, a_child, a_job, a_workspace

from lazulite.domain.errors import Conflict, NotFound, StaleLease
from lazulite.domain.job import FINAL, DataInput, Job, JobError, JobKind, JobStatus, OutputValue
from lazulite.domain.usage import Host, Usage
from lazulite.ports.store import Store
from lazulite.store.database import open_store

ONE, TWO = "engine-1", "engine-2"
HERE, THERE = "host-a", "host-b"
COMPLETED = {"status": JobStatus.COMPLETED, "ended": LATER}


def add(store: Store, *jobs: Job, definition: bytes | None = None) -> list[Job]:
    return [store.write(lambda tx, j=job: tx.jobs.add(j, definition)) for job in jobs]


def claim(store: Store, token: str, jobs: Sequence[int] | None = None) -> list[int]:
    return store.write(lambda tx: tx.executions.claim(token, jobs))


def advance(store: Store, token: str, *changes: tuple[int, dict[str, Any]]) -> None:
    store.write(lambda tx: tx.executions.advance(token, changes))


def held(store: Store, workspace: int, token: str = ONE, **fields: Any) -> Job:
    (job,) = add(store, a_job(workspace, **fields))
    claim(store, token, [job.id])
    return job


def get(store: Store, job: Job) -> Job:
    return store.read(lambda tx: tx.jobs.by_id(job.id))


def beat(store: Store, token: str, host: str, until: timedelta) -> None:
    store.write(lambda tx: tx.executions.beat(token, host, NOW + until))


def takeover(store: Store, token: str, host: str) -> list[int]:
    return store.write(lambda tx: tx.executions.takeover(token, NOW, host))


# -- claim ---------------------------------------------------------------------------------------


def test_a_new_job_is_claimed_once(store: Store, workspace: int) -> None:
    (job,) = add(store, a_job(workspace))
    assert claim(store, ONE) == [job.id]
    assert claim(store, ONE) == []
    assert claim(store, TWO) == []


def test_a_claim_may_name_its_jobs(store: Store, workspace: int) -> None:
    one, two = add(store, a_job(workspace), a_job(workspace))
    assert claim(store, ONE, [two.id, 999]) == [two.id]
    assert claim(store, TWO, []) == []
    assert claim(store, TWO, [one.id, two.id]) == [one.id]


def test_final_jobs_and_bare_runs_are_nobodys(store: Store, workspace: int) -> None:
    add(store, *[a_job(workspace, status=status) for status in sorted(FINAL)])
    add(store, a_job(workspace, kind=JobKind.RUN, status=JobStatus.RUNNING))
    assert claim(store, ONE) == []


def test_two_engines_share_the_jobs_without_overlap(database_url: str, store: Store) -> None:
    workspace = store.write(lambda tx: tx.workspaces.add(a_workspace())).id
    jobs = add(store, *[a_job(workspace) for _ in range(20)])
    with closing(open_store(database_url)) as second, ThreadPoolExecutor(2) as pool:
        ones = pool.submit(lambda: [claim(store, ONE, [job.id]) for job in jobs])
        twos = pool.submit(lambda: [claim(second, TWO, [job.id]) for job in reversed(jobs)])
        taken = [row for part in ones.result() + twos.result() for row in part]
    assert sorted(taken) == [job.id for job in jobs]


# -- spawn ---------------------------------------------------------------------------------------


def test_children_are_born_held(store: Store, workspace: int) -> None:
    parent = held(store, workspace)
    given = [(a_child(parent, f"n{i}", body={"i": i}), b'{"i":%d}' % i) for i in range(3)]
    made = store.write(lambda tx: tx.executions.spawn(ONE, given))
    assert made == [
        msgspec.structs.replace(job, id=new.id, experiment_id=parent.experiment_id)
        for (job, _), new in zip(given, made, strict=True)
    ]
    assert store.read(lambda tx: tx.jobs.children(parent.id)) == made
    assert claim(store, TWO) == []
    advance(store, ONE, *[(job.id, {"status": JobStatus.RUNNING}) for job in made])


def test_spawned_twice_is_there_once(store: Store, workspace: int) -> None:
    parent = held(store, workspace)
    first = [(a_child(parent, "a"), None), (a_child(parent, "b"), None)]
    again = [(a_child(parent, "c"), None), (a_child(parent, "a"), None)]
    a, b = store.write(lambda tx: tx.executions.spawn(ONE, first))
    c, same = store.write(lambda tx: tx.executions.spawn(ONE, again))
    assert same == a
    assert store.read(lambda tx: tx.jobs.children(parent.id)) == [a, b, c]


def test_a_node_named_twice_in_one_spawn_is_there_once(store: Store, workspace: int) -> None:
    parent = held(store, workspace)
    one, two = store.write(lambda tx: tx.executions.spawn(ONE, [(a_child(parent, "a"), None)] * 2))
    assert one == two
    assert len(store.read(lambda tx: tx.jobs.children(parent.id))) == 1


def test_only_the_holder_of_the_parent_spawns(store: Store, workspace: int) -> None:
    parent = held(store, workspace)
    with pytest.raises(StaleLease, match=rf"job #{parent.id}"):
        store.write(lambda tx: tx.executions.spawn(TWO, [(a_child(parent, "a"), None)]))
    assert store.read(lambda tx: tx.jobs.children(parent.id)) == []


def test_a_child_may_be_born_final(store: Store, workspace: int) -> None:
    parent = held(store, workspace)
    reused = a_child(parent, "a", status=JobStatus.COMPLETED, reused_from="older")
    (child,) = store.write(lambda tx: tx.executions.spawn(ONE, [(reused, None)]))
    with pytest.raises(StaleLease):
        advance(store, ONE, (child.id, {"status": JobStatus.FAILED}))


def test_a_child_with_a_taken_name_is_a_conflict(store: Store, workspace: int) -> None:
    parent = held(store, workspace, name="taken")
    child = a_job(workspace, "taken", parent=parent.id, node="a")
    with pytest.raises(Conflict):
        store.write(lambda tx: tx.executions.spawn(ONE, [(child, None)]))


def test_nothing_spawns_nothing(store: Store) -> None:
    assert store.write(lambda tx: tx.executions.spawn(ONE, [])) == []


# -- advance -------------------------------------------------------------------------------------


def test_every_field_of_a_job_advances(store: Store, workspace: int) -> None:
    job = held(store, workspace)
    phases = ("preparing", "queued", "starting", "running", "finalizing", "ended")
    fields: dict[str, Any] = {
        "status": JobStatus.FINALIZING,
        "inputs": {"i": DataInput(type="uri_file", uri="u")},
        "outputs": {"o": OutputValue(type="uri_file", uri="u")},
        "error": JobError(code="UserError", message="m"),
        "fingerprint": "f",
        "reused_from": "r",
        "attempt": 1,
        "exit_code": 0,
        "waits_for": "w",
        "environment_key": "e",
        "cancel_requested": True,
        "properties": {"p": "1"},
        "compute": "cpu",
        "modified_at": LATER,
    }
    advance(store, ONE, (job.id, {**fields, **dict.fromkeys(phases, LATER)}))
    timeline = msgspec.structs.replace(job.timeline, **dict.fromkeys(phases, LATER))
    assert get(store, job) == msgspec.structs.replace(job, timeline=timeline, **fields)


def test_a_field_may_be_taken_back(store: Store, workspace: int) -> None:
    job = held(store, workspace, waits_for="a slot")
    advance(store, ONE, (job.id, {"waits_for": None, "queued": None, "outputs": {}}))
    assert get(store, job) == msgspec.structs.replace(job, waits_for=None)


def test_a_whole_timeline_may_be_written(store: Store, workspace: int) -> None:
    job = held(store, workspace)
    timeline = msgspec.structs.replace(job.timeline, queued=NOW, running=LATER)
    advance(store, ONE, (job.id, {"timeline": timeline}))
    assert get(store, job).timeline == timeline


def test_a_definition_and_a_body_may_be_replaced(store: Store, workspace: int) -> None:
    jobs = [held(store, workspace) for _ in range(2)]
    advance(store, ONE, *[(job.id, {"definition": b"[1]", "body": {"b": 1}}) for job in jobs])
    loaded = store.read(lambda tx: tx.executions.load([job.id for job in jobs]))
    assert [definition for _, definition in loaded] == [b"[1]", b"[1]"]
    assert get(store, jobs[0]).body == {"b": 1}


def test_many_rows_advance_by_different_fields_at_once(store: Store, workspace: int) -> None:
    jobs = [held(store, workspace) for _ in range(4)]
    advance(
        store,
        ONE,
        (jobs[0].id, {"status": JobStatus.QUEUED, "waits_for": "a"}),
        (jobs[1].id, {"status": JobStatus.QUEUED, "waits_for": "b"}),
        (jobs[2].id, {"attempt": 3}),
        (jobs[0].id, {"status": JobStatus.RUNNING}),
    )
    found = [get(store, job) for job in jobs]
    assert [job.waits_for for job in found] == ["a", "b", None, None]
    assert [job.attempt for job in found] == [0, 0, 3, 0]
    assert [job.status for job in found] == ["Running", "Queued", "NotStarted", "NotStarted"]


def test_nothing_advances_nothing(store: Store) -> None:
    advance(store, ONE)


@pytest.mark.parametrize("status", sorted(FINAL))
def test_what_becomes_final_drops_its_lease(
    store: Store, workspace: int, status: JobStatus
) -> None:
    jobs = [held(store, workspace) for _ in range(3)]
    advance(store, ONE, (jobs[0].id, {"status": status}))
    advance(store, ONE, *[(job.id, {"status": status}) for job in jobs[1:]])
    assert store.read(lambda tx: tx.jobs.unfinished(workspace)) == 0
    for job in jobs:
        with pytest.raises(StaleLease):
            advance(store, ONE, (job.id, {"attempt": 1}))


@pytest.mark.parametrize("catch", [False, True])
def test_a_lost_lease_writes_nothing(store: Store, workspace: int, catch: bool) -> None:
    mine, other = held(store, workspace), held(store, workspace, TWO)
    changes = [(mine.id, COMPLETED), (other.id, COMPLETED)]

    def work(tx: Any) -> None:
        try:
            tx.executions.advance(ONE, changes)
        except StaleLease:
            if not catch:
                raise

    if catch:
        store.write(work)
    else:
        with pytest.raises(StaleLease, match=rf"job #{other.id}:"):
            store.write(work)
    assert get(store, mine) == mine
    assert get(store, other) == other


def test_a_document_is_guarded_as_a_row_is(store: Store, workspace: int) -> None:
    job = held(store, workspace, TWO)
    with pytest.raises(StaleLease):
        advance(store, ONE, (job.id, {"definition": b"1"}))
    with pytest.raises(StaleLease):
        advance(store, ONE, (job.id, {"definition": b"1"}), (job.id, {"body": {}}))


def test_a_job_that_does_not_exist_is_a_lost_lease(store: Store) -> None:
    with pytest.raises(StaleLease, match="#1, #2, #3, #4, #5 and 2 more"):
        advance(store, ONE, *[(i, {"attempt": 1}) for i in range(1, 8)])


def test_two_engines_cannot_both_finish_a_job(store: Store, workspace: int) -> None:
    job = held(store, workspace)
    beat(store, ONE, HERE, timedelta(seconds=-1))
    takeover(store, TWO, THERE)
    advance(store, TWO, (job.id, {"status": JobStatus.FAILED}))
    with pytest.raises(StaleLease):
        advance(store, ONE, (job.id, COMPLETED))
    assert get(store, job).status is JobStatus.FAILED


# -- leases --------------------------------------------------------------------------------------


def test_an_engine_that_fell_silent_is_taken_over(store: Store, workspace: int) -> None:
    job = held(store, workspace)
    beat(store, ONE, HERE, timedelta(seconds=5))
    assert takeover(store, TWO, THERE) == []
    beat(store, ONE, HERE, timedelta(seconds=-5))
    assert takeover(store, TWO, THERE) == [job.id]
    assert takeover(store, TWO, THERE) == []
    with pytest.raises(StaleLease):
        advance(store, ONE, (job.id, {"attempt": 1}))
    advance(store, TWO, (job.id, {"attempt": 1}))


def test_a_lease_is_good_until_its_very_end(store: Store, workspace: int) -> None:
    job = held(store, workspace)
    beat(store, ONE, HERE, timedelta(0))
    assert takeover(store, TWO, THERE) == []
    beat(store, ONE, HERE, timedelta(microseconds=-1))
    assert takeover(store, TWO, THERE) == [job.id]


def test_a_restarted_host_takes_its_jobs_back_at_once(store: Store, workspace: int) -> None:
    job = held(store, workspace)
    beat(store, ONE, HERE, timedelta(hours=1))
    beat(store, TWO, HERE, timedelta(hours=1))
    assert takeover(store, TWO, HERE) == [job.id]


def test_an_engine_does_not_take_itself_over(store: Store, workspace: int) -> None:
    job = held(store, workspace)
    beat(store, ONE, HERE, timedelta(seconds=-5))
    assert takeover(store, ONE, HERE) == []
    advance(store, ONE, (job.id, {"attempt": 1}))


def test_a_beat_after_a_takeover_wins_nothing_back(store: Store, workspace: int) -> None:
    job = held(store, workspace)
    beat(store, ONE, HERE, timedelta(seconds=-5))
    takeover(store, TWO, THERE)
    beat(store, ONE, HERE, timedelta(hours=1))
    with pytest.raises(StaleLease):
        advance(store, ONE, (job.id, {"attempt": 1}))


# -- load, twins, earlier -----------------------------------------------------------------------


def test_jobs_are_loaded_in_the_order_asked(store: Store, workspace: int) -> None:
    jobs = add(store, *[a_job(workspace, body={"a": 1}) for _ in range(3)], definition=b"{}")
    asked = [jobs[2].id, 999, jobs[0].id]
    found = store.read(lambda tx: tx.executions.load(asked))
    light = [msgspec.structs.replace(job, body={}) for job in jobs]
    assert found == [(light[2], b"{}"), (light[0], b"{}")]
    assert store.read(lambda tx: tx.executions.load([])) == []


def complete(store: Store, workspace: int, **fields: Any) -> Job:
    return add(store, a_job(workspace, status=JobStatus.COMPLETED, **fields))[0]


def test_a_twin_is_the_newest_that_ran(store: Store, workspace: int) -> None:
    complete(store, workspace, fingerprint="f")
    newest = complete(
        store, workspace, fingerprint="f", outputs={"o": OutputValue(type="t", uri="u")}
    )
    complete(store, workspace, fingerprint="f", reused_from=newest.name)
    complete(store, workspace, fingerprint="f", archived=True)
    complete(store, workspace, fingerprint="g")
    add(store, a_job(workspace, status=JobStatus.FAILED, fingerprint="f"))
    add(store, a_job(workspace, status=JobStatus.FAILED, fingerprint="h"))
    assert store.read(lambda tx: tx.executions.twins(workspace, ["f", "h", "x"])) == {"f": newest}


def test_twins_are_of_the_same_workspace(store: Store, workspace: int) -> None:
    complete(store, workspace, fingerprint="f")
    assert store.read(lambda tx: tx.executions.twins(workspace + 1, ["f"])) == {}


def test_thousands_of_twins_come_at_once(store: Store, workspace: int) -> None:
    parent = held(store, workspace)
    made = [
        (a_child(parent, f"n{i}", status=JobStatus.COMPLETED, fingerprint=f"f{i}"), None)
        for i in range(50)
    ]
    store.write(lambda tx: tx.executions.spawn(ONE, made))
    asked = [f"f{i}" for i in range(40_000)]
    assert len(store.read(lambda tx: tx.executions.twins(workspace, asked))) == 50


def test_earlier_jobs_are_of_the_same_node_and_component(store: Store, workspace: int) -> None:
    registered = b'{"component":"/subscriptions/s/components/prep/versions/%d"}'

    def ran(node: str, definition: bytes | None, **fields: Any) -> Job:
        parent = held(store, workspace)
        child = a_child(parent, node, status=JobStatus.COMPLETED, fingerprint="f", **fields)
        return store.write(lambda tx: tx.executions.spawn(ONE, [(child, definition)]))[0]

    both = ran("prep", registered % 1)
    component = ran("other", registered % 2)
    node = ran("prep", None)
    ran("prep", registered % 3, reused_from="x")

    def earlier(node: str, component: str, before: int = 10**6, most: int = 9) -> list[Job]:
        return store.read(
            lambda tx: tx.executions.earlier(workspace, node, component, before, most)
        )

    assert earlier("prep", "azureml:prep:9") == [both]
    assert earlier("sub.prep", "azureml:prep@latest") == [both]
    assert earlier("new", "prep") == [component, both]
    assert earlier("new", "prep", most=1) == [component]
    assert earlier("prep", "") == [node, both]
    assert earlier("prep", "", both.id) == []
    assert earlier("new", "") == []


def test_a_deleted_workspace_takes_the_leases_along(store: Store, workspace: int) -> None:
    job = held(store, workspace)
    store.write(lambda tx: tx.workspaces.delete(workspace))
    with pytest.raises(StaleLease):
        advance(store, ONE, (job.id, {"attempt": 1}))
    with pytest.raises(NotFound):
        get(store, job)


def test_a_host_is_stored_once_and_shown_with_the_job(store: Store, workspace: int) -> None:
    job = held(store, workspace)
    host = Host(name="box", cpus=4, gpus=("A100",), python="3.11.9")
    made = [store.write(lambda tx: tx.executions.host(host)) for _ in range(2)]
    assert made[0] == made[1] == msgspec.structs.replace(host, id=made[0].id)
    other = store.write(lambda tx: tx.executions.host(msgspec.structs.replace(host, cpus=8)))
    assert other.id != made[0].id
    usage = Usage(cpu=1.5, wall=2.0, memory=10**9)
    advance(store, ONE, (job.id, {"host": made[0], "usage": usage}))
    assert (get(store, job).host, get(store, job).usage) == (made[0], usage)
    [(loaded, _)] = store.read(lambda tx: tx.executions.load([job.id]))
    assert loaded.host == Host(id=made[0].id)  # all that the engine needs
