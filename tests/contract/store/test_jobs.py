"""Jobs as clients see them, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import msgspec
import pytest
from tests.records import LATER, NOW, a_child, a_job

from lazulite.domain.errors import Conflict, InvalidInput, NotFound
from lazulite.domain.job import (
    DataInput,
    Job,
    JobError,
    JobKind,
    JobStatus,
    OutputValue,
    Timeline,
)
from lazulite.ports.store import JobFilter, Page, Store

TOKEN = "engine"


def add(store: Store, job: Job, definition: bytes | None = None) -> Job:
    return store.write(lambda tx: tx.jobs.add(job, definition))


def add_children(store: Store, parent: Job, *nodes: str) -> list[Job]:
    store.write(lambda tx: tx.executions.claim(TOKEN, [parent.id]))
    wanted = [(a_child(parent, node), None) for node in nodes]
    return store.write(lambda tx: tx.executions.spawn(TOKEN, wanted))


ROOTS = JobFilter()


def listed(store: Store, workspace: int, which: JobFilter = ROOTS) -> list[str]:
    return [job.name for job in store.read(lambda tx: tx.jobs.page(workspace, which, Page())).items]


def test_a_job_comes_back_as_it_was_put(store: Store, workspace: int) -> None:
    given = a_job(
        workspace,
        kind=JobKind.PIPELINE,
        description="d\n'\"",
        status=JobStatus.FAILED,
        body={"jobType": "Pipeline", "settings": {"x": None}},
        tags={"a": "ö"},
        properties={"p": ""},
        compute="cpu",
        inputs={"a": "1", "b": DataInput(type="uri_file", uri="azureml:x:1"), "c": None},
        outputs={"o": OutputValue(type="uri_folder", uri="azureml://o", digest="d")},
        fingerprint="f",
        reused_from="other",
        attempt=2,
        exit_code=-9,
        error=JobError(code="UserError", message="m", log_tail="t"),
        waits_for="2 cores",
        archived=True,
        cancel_requested=True,
        timeline=Timeline(created=NOW, queued=NOW, ended=LATER),
        environment_key="e",
    )
    stored = add(store, given, b"{}")
    ids = {"id": stored.id, "experiment_id": stored.experiment_id}
    assert all(ids.values())
    assert stored == msgspec.structs.replace(given, **ids)
    assert store.read(lambda tx: tx.jobs.get(workspace, given.name)) == stored
    assert store.read(lambda tx: tx.jobs.by_id(stored.id)) == stored


def test_a_name_is_taken_once_in_a_workspace(store: Store, workspace: int) -> None:
    add(store, a_job(workspace, "one"))
    with pytest.raises(Conflict, match="job 'one' exists already"):
        add(store, a_job(workspace, "one"))
    assert listed(store, workspace) == ["one"]


def test_of_two_who_create_a_job_at_once_one_wins(store: Store, workspace: int) -> None:
    barrier = Barrier(2)

    def create(_: int) -> str:
        barrier.wait(10)
        try:
            return add(store, a_job(workspace, "one", experiment="new")).name
        except Conflict:
            return "conflict"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(create, range(2))) == ["conflict", "one"]


def test_an_unknown_job_is_not_found(store: Store, workspace: int) -> None:
    for work in (
        lambda tx: tx.jobs.get(workspace, "x"),
        lambda tx: tx.jobs.by_id(9),
        lambda tx: tx.jobs.edit(9, display_name="x"),
        lambda tx: tx.jobs.edit(9, status=JobStatus.FAILED),
        lambda tx: tx.jobs.request_cancel(9),
    ):
        with pytest.raises(NotFound):
            store.write(work)


def test_lists_show_roots_newest_first(store: Store, workspace: int) -> None:
    root = add(store, a_job(workspace, "a"))
    add(store, a_job(workspace, "b"))
    add_children(store, root, "n1", "n2")
    assert listed(store, workspace) == ["b", "a"]


def test_children_are_listed_apart(store: Store, workspace: int) -> None:
    root = add(store, a_job(workspace, "a"))
    one, two = add_children(store, root, "n1", "n2")
    assert listed(store, workspace, JobFilter(parent=root.id)) == [two.name, one.name]
    assert store.read(lambda tx: tx.jobs.children(root.id)) == [one, two]


@pytest.mark.parametrize(
    ("which", "names"),
    [
        (JobFilter(), ["run", "bad", "plain"]),
        (JobFilter(archived=True), ["old"]),
        (JobFilter(archived=None), ["run", "old", "bad", "plain"]),
        (JobFilter(kinds=("Run",)), ["run"]),
        (JobFilter(status=(JobStatus.FAILED, JobStatus.RUNNING)), ["run", "bad"]),
        (JobFilter(experiment="other"), ["bad"]),
        (JobFilter(experiment="other", kinds=("Run",)), []),
    ],
)
def test_lists_are_filtered(
    store: Store, workspace: int, which: JobFilter, names: list[str]
) -> None:
    add(store, a_job(workspace, "plain"))
    add(store, a_job(workspace, "bad", status=JobStatus.FAILED, experiment="other"))
    add(store, a_job(workspace, "old", archived=True))
    add(store, a_job(workspace, "run", kind=JobKind.RUN, status=JobStatus.RUNNING))
    assert listed(store, workspace, which) == names


def test_pages_do_not_move_when_jobs_are_added(store: Store, workspace: int) -> None:
    for i in range(5):
        add(store, a_job(workspace, f"j{i}"))
    seen: list[str] = []
    after = None
    while True:
        page = Page(limit=2, after=after)
        part = store.read(lambda tx, p=page: tx.jobs.page(workspace, JobFilter(), p))
        seen += [job.name for job in part.items]
        add(store, a_job(workspace, f"new{len(seen)}"))
        if (after := part.next) is None:
            break
    assert seen == ["j4", "j3", "j2", "j1", "j0"]


def test_a_paging_token_of_another_list_is_refused(store: Store, workspace: int) -> None:
    with pytest.raises(InvalidInput, match="paging token"):
        store.read(lambda tx: tx.jobs.page(workspace, JobFilter(), Page(after="name")))


def test_names_of_many_jobs_come_at_once(store: Store, workspace: int) -> None:
    jobs = [add(store, a_job(workspace)) for _ in range(3)]
    asked = [job.id for job in jobs] + [999]
    names = store.read(lambda tx: tx.jobs.names(asked))
    assert names == {job.id: job.name for job in jobs}
    assert store.read(lambda tx: tx.jobs.names([])) == {}


def test_clients_edit_what_is_theirs(store: Store, workspace: int) -> None:
    job = add(store, a_job(workspace, body={"a": 1}), b"{}")
    fields: dict[str, Any] = {
        "display_name": "new",
        "description": "more",
        "tags": {"t": "1"},
        "properties": {},
        "archived": True,
        "body": {"a": 2},
        "modified_at": LATER,
    }
    store.write(lambda tx: tx.jobs.edit(job.id, **fields))
    found = store.read(lambda tx: tx.jobs.by_id(job.id))
    assert found == msgspec.structs.replace(job, **fields)


def test_the_state_of_a_job_is_the_engines(store: Store, workspace: int) -> None:
    job = add(store, a_job(workspace))
    with pytest.raises(Conflict, match="cancel it"):
        store.write(lambda tx: tx.jobs.edit(job.id, status=JobStatus.COMPLETED))
    assert store.read(lambda tx: tx.jobs.by_id(job.id)) == job


def test_the_state_of_a_bare_run_is_its_clients(store: Store, workspace: int) -> None:
    run = add(store, a_job(workspace, kind=JobKind.RUN, status=JobStatus.RUNNING))
    store.write(lambda tx: tx.jobs.edit(run.id, status=JobStatus.COMPLETED, ended=LATER))
    found = store.read(lambda tx: tx.jobs.by_id(run.id))
    assert (found.status, found.timeline.ended) == (JobStatus.COMPLETED, LATER)


def test_a_field_that_never_changes_is_a_fault(store: Store, workspace: int) -> None:
    job = add(store, a_job(workspace))
    with pytest.raises(TypeError, match="'name'"):
        store.write(lambda tx: tx.jobs.edit(job.id, name="other"))


def test_a_cancel_is_asked_for_until_the_job_ended(store: Store, workspace: int) -> None:
    job = add(store, a_job(workspace))
    assert store.write(lambda tx: tx.jobs.request_cancel(job.id)) is True
    assert store.read(lambda tx: tx.jobs.by_id(job.id)).cancel_requested
    done = add(store, a_job(workspace, status=JobStatus.COMPLETED))
    assert store.write(lambda tx: tx.jobs.request_cancel(done.id)) is False
    assert not store.read(lambda tx: tx.jobs.by_id(done.id)).cancel_requested


def test_unfinished_are_those_an_engine_must_end(store: Store, workspace: int) -> None:
    add(store, a_job(workspace, status=JobStatus.CANCELED))
    add(store, a_job(workspace, kind=JobKind.RUN, status=JobStatus.RUNNING))
    add(store, a_job(workspace))
    assert store.read(lambda tx: tx.jobs.unfinished(workspace)) == 1
    assert store.read(lambda tx: tx.jobs.unfinished(workspace + 1)) == 0


def test_a_tag_whose_name_has_a_nul_is_refused(store: Store, workspace: int) -> None:
    job = a_job(workspace, "nul", tags={"a\0b": "x"})
    with pytest.raises(InvalidInput, match="NUL"):
        store.write(lambda tx: tx.jobs.add(job, None))
