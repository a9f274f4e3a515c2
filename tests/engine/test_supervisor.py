"""The engine killed in each state and started again: nothing is lost, nothing runs twice."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.engine.fakes import Lab, Machine, chain, command, pipeline, step
from tests.engine.test_commands import needs

from lazulite.domain.errors import Unavailable
from lazulite.domain.job import DataInput, InputSpec, JobStatus, OutputSpec
from lazulite.domain.pipeline import Node
from lazulite.engine import turn as turns
from lazulite.ports.compute import Launch


def runs_on(_launch: Launch) -> None:
    """A process that only the test ends."""


def once_each(lab: Lab) -> bool:
    return len(set(lab.machine.launched)) == len(lab.machine.launched)


def restart(lab: Lab) -> None:
    lab.kill()
    lab.start()


def test_a_job_nobody_looked_at_is_found_at_the_start(lab: Lab) -> None:
    lab.add("j", command())
    lab.add("p", pipeline(chain("a", "b")))
    lab.start()
    assert lab.ended("j").status is JobStatus.COMPLETED
    assert lab.ended("p").status is JobStatus.COMPLETED


def test_an_engine_that_closes_gives_its_jobs_to_the_next(lab: Lab) -> None:
    engine = lab.start(host="one")
    lab.machine.script = runs_on
    lab.submit("j", command())
    lab.running("j")
    engine.close()
    lab.engine = None
    lab.start(host="one")
    lab.until(lambda: bool(lab.machine.of("j").watchers), "adopted")
    lab.machine.end("j")
    assert lab.ended("j").status is JobStatus.COMPLETED
    assert lab.machine.launched == [("j", 1)]


def test_an_attempt_of_another_machine_is_lost_and_not_run_twice(lab: Lab) -> None:
    lab.start(host="one")
    lab.machine.script = runs_on
    lab.submit("j", command())
    lab.running("j")
    lab.kill()
    lab.machine = Machine(lab.news.tell, lambda _launch: 0)  # it has no record of the attempt
    engine = lab.start(host="another")
    late = datetime.now(UTC) + timedelta(days=1)
    engine._core.post(lambda: engine._take_over(late, ""))
    job = lab.ended("j")
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert job.error.code == "ProcessLost"
    assert lab.machine.launched == []


def test_a_kill_while_an_environment_is_built_builds_it_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab.environments, "plan", lambda _spec: "new")
    lab.start()
    lab.submit("j", needs("new"))
    lab.until(lambda: bool(lab.environments.builds), "a build")
    lab.until_status("j", JobStatus.PREPARING)
    restart(lab)
    lab.until(lambda: len(lab.environments.builds) == 2, "a second build")
    lab.environments.go["new"].set()
    assert lab.ended("j").status is JobStatus.COMPLETED


def test_a_kill_while_a_job_is_queued_queues_it_behind_what_runs(lab: Lab) -> None:
    lab.slots = 1
    lab.start()
    lab.machine.script = runs_on
    lab.submit("p", pipeline({"a": step(), "b": step(text="b")}))
    lab.running("p--a")
    lab.until_status("p--b", JobStatus.QUEUED)
    restart(lab)
    lab.until(lambda: bool(lab.machine.of("p--a").watchers), "adopted")
    lab.machine.end("p--a")
    lab.launched("p--b")
    lab.machine.end("p--b")
    assert lab.ended("p").status is JobStatus.COMPLETED
    assert lab.machine.most == 1


def test_a_queued_job_does_not_take_the_slot_of_one_that_runs_and_is_newer(lab: Lab) -> None:
    lab.slots = 1
    lab.machine.script = runs_on
    lab.start()
    lab.submit("first", command())
    lab.running("first")
    lab.submit("older", command())
    lab.submit("newer", command())
    lab.until_status("newer", JobStatus.QUEUED)
    queued = lab.job("older").id
    lab.machine.end("first")
    lab.launched("older")
    lab.kill()
    # as if `newer` had run and `older` waited
    lab.store.write(lambda tx: tx.executions.claim("t", [queued]))
    lab.start()
    lab.until_status("newer", JobStatus.QUEUED)
    assert lab.machine.most == 1
    lab.machine.end("older")
    lab.ended("older")
    lab.launched("newer")
    lab.machine.end("newer")
    assert lab.ended("newer").status is JobStatus.COMPLETED


def test_a_kill_before_the_launch_launches_once(lab: Lab) -> None:
    launching = threading.Event()

    def die(_launch: Launch) -> None:
        launching.set()
        raise SystemExit  # the worker goes away, as its process does

    lab.machine.on_launch = die
    lab.start()
    lab.submit("j", command())
    assert launching.wait(5)
    lab.kill()
    assert lab.job("j").status is JobStatus.STARTING
    lab.machine.on_launch = lambda _launch: None
    lab.start()
    assert lab.ended("j").status is JobStatus.COMPLETED
    assert lab.machine.launched == [("j", 1)]


def test_a_kill_before_the_launch_of_a_retry_launches_it_once(lab: Lab) -> None:
    launching = threading.Event()

    def die(launch: Launch) -> None:
        if launch.attempt == 2:
            launching.set()
            raise SystemExit

    lab.machine.on_launch = die
    lab.machine.script = lambda launch: 1 if launch.attempt == 1 else 0
    lab.start()
    lab.submit("j", command(retries=1))
    assert launching.wait(5)
    lab.kill()
    lab.machine.on_launch = lambda _launch: None
    lab.start()
    job = lab.ended("j")
    assert (job.status, job.attempt) == (JobStatus.COMPLETED, 2)
    assert lab.machine.launched == [("j", 1), ("j", 2)]


@pytest.mark.parametrize("code", [0, 3])
def test_a_process_that_ends_while_the_server_is_down_is_collected(lab: Lab, code: int) -> None:
    lab.machine.script = runs_on
    lab.start()
    lab.submit("p", pipeline(chain("a", "b")))
    lab.running("p--a")
    lab.kill()
    lab.machine.end("p--a", code)
    lab.machine.script = lambda _launch: 0
    lab.start()
    assert lab.ended("p").status is (JobStatus.FAILED if code else JobStatus.COMPLETED)
    assert once_each(lab)


def test_a_running_process_is_adopted_and_its_timeout_goes_on(lab: Lab) -> None:
    lab.machine.script = runs_on
    lab.start()
    lab.submit("j", command(timeout=0.5))
    lab.running("j")
    lab.until(lambda: lab.job("j").timeline.running is not None, "written")
    restart(lab)
    error = lab.ended("j").error
    assert error is not None
    assert error.code == "JobTimedOut"
    assert lab.machine.launched == [("j", 1)]


def test_a_process_that_is_gone_fails_its_job_and_is_not_run_again(lab: Lab) -> None:
    lab.machine.script = runs_on
    lab.start()
    lab.submit("j", command())
    lab.running("j")
    lab.until(lambda: lab.job("j").timeline.running is not None, "written")
    lab.kill()
    lab.machine.processes.clear()  # a power cut took the record too
    lab.start()
    error = lab.ended("j").error
    assert error is not None
    assert error.code == "ProcessLost"
    assert lab.machine.launched == [("j", 1)]


def test_a_kill_while_outputs_are_read_reads_them_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = threading.Event()

    def die(_path: Any) -> str:
        reading.set()
        raise SystemExit

    lab.start()
    with monkeypatch.context() as patch:
        patch.setattr(lab.files, "digest", die)
        lab.submit("j", command(outputs={"out": OutputSpec(name="m")}))
        assert reading.wait(5)
        lab.kill()
    lab.start()
    job = lab.ended("j")
    assert job.status is JobStatus.COMPLETED
    assert job.outputs["out"].asset == "m:1"
    assert lab.machine.launched == [("j", 1)]


@pytest.mark.parametrize("kills", [1, 2, 3])
def test_a_nested_pipeline_survives_kills_between_its_nodes(lab: Lab, kills: int) -> None:
    inner = pipeline(chain("x", "y"), outputs={"out": OutputSpec()})
    inner.nodes["y"].exports["out"] = "out"
    work = pipeline({"s": step(), "deep": step(work=inner), "z": step({"i": "deep"})})
    lab.machine.script = runs_on
    lab.start()
    lab.submit("p", work)
    names = ["p--s", "p--deep--x", "p--deep--y", "p--z"]
    for number, name in enumerate(names):
        lab.launched(name)
        if number < kills:
            restart(lab)
            lab.until(lambda name=name: bool(lab.machine.of(name).watchers), "adopted")  # type: ignore[misc]
        lab.machine.end(name)
    assert lab.ended("p").status is JobStatus.COMPLETED
    assert sorted(lab.machine.launched) == sorted((name, 1) for name in names)


def test_a_failed_pipeline_waits_after_a_restart_for_what_it_stops(lab: Lab) -> None:
    lab.machine.script = runs_on
    lab.machine.ignores_term = True
    lab.start()
    nodes = {"bad": step(text="bad"), "a": step(text="a"), "b": step({"x": "a"})}
    lab.submit("p", pipeline(nodes))
    lab.running("p--bad")
    lab.running("p--a")
    lab.machine.end("p--a")
    lab.running("p--b")
    lab.machine.end("p--bad", 1)
    lab.until_status("p--b", JobStatus.CANCEL_REQUESTED)
    restart(lab)
    lab.until(lambda: lab.machine.of("p--b").stopped == 2, "stopped again")
    assert not lab.job("p").is_final
    lab.machine.end("p--b", 137)
    assert lab.ended("p").status is JobStatus.FAILED
    assert lab.statuses("p") == {"bad": "Failed", "a": "Completed", "b": "Canceled"}


def test_a_cancel_that_came_while_the_server_was_down_is_done(lab: Lab) -> None:
    lab.machine.script = runs_on
    lab.start()
    lab.submit("p", pipeline(chain("a", "b")))
    lab.submit("j", command())
    lab.running("p--a")
    lab.running("j")
    lab.kill()
    lab.cancel("p")
    lab.cancel("j")
    lab.start()
    assert lab.ended("p").status is JobStatus.CANCELED
    assert lab.ended("j").status is JobStatus.CANCELED
    assert len(lab.machine.launched) == 2


def test_a_pipeline_canceled_before_it_began_starts_nothing(lab: Lab) -> None:
    lab.add("p", pipeline(chain("a", "b")))
    lab.cancel("p")
    lab.start()
    assert lab.ended("p").status is JobStatus.CANCELED
    assert lab.machine.launched == []


def test_data_that_vanished_while_the_server_was_down_ends_the_pipeline_orderly(lab: Lab) -> None:
    place = lab.files.locate(lab.workspace.id, "workspaceblobstore", "raw")
    place.mkdir()
    uri = "azureml://datastores/workspaceblobstore/paths/raw"
    work = command(inputs={"x": InputSpec(type="uri_folder")})
    node = Node(work=work, inputs={"x": DataInput(type="uri_folder", uri=uri)})
    lab.machine.script = runs_on
    lab.start()
    lab.submit("p", pipeline({"a": node}))
    lab.running("p--a")
    lab.kill()
    place.rmdir()
    lab.start()
    job = lab.ended("p")
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert uri in job.error.message
    assert lab.job("p--a").status is JobStatus.CANCELED
    assert lab.machine.of("p--a").stopped == 1


def test_a_definition_of_another_version_fails_its_tree_only(lab: Lab) -> None:
    lab.machine.script = runs_on
    lab.start()
    lab.submit("p", pipeline(chain("a", "b")))
    lab.submit("j", command())
    lab.running("p--a")
    lab.running("j")
    lab.kill()
    row = lab.job("p").id

    def spoil(tx: Any) -> None:
        tx._db.exec_driver_sql(
            f'UPDATE job_documents SET definition = \'{{"type": "loop"}}\' WHERE job = {row}'
        )

    lab.store.write(spoil)
    lab.start()
    error = lab.ended("p").error
    assert error is not None
    assert "another version of Lazulite" in error.message
    assert lab.job("p--a").is_final
    lab.until(lambda: bool(lab.machine.of("j").watchers), "adopted")
    lab.machine.end("j")
    assert lab.ended("j").status is JobStatus.COMPLETED


def test_a_lost_lease_forgets_its_tree_and_no_other(lab: Lab) -> None:
    lab.machine.script = runs_on
    engine = lab.start()
    taken = lab.submit("taken", command())
    kept = lab.submit("kept", command())
    lab.running("taken")
    lab.running("kept")
    lab.until(lambda: lab.job("kept").timeline.running is not None, "written")

    def steal(tx: Any) -> None:
        tx._db.exec_driver_sql(f"UPDATE jobs SET lease_token = 'thief' WHERE id = {taken.id}")

    lab.store.write(steal)
    held = threading.Event()
    engine._core.post(lambda: held.wait(5))  # type: ignore[arg-type,return-value]
    lab.machine.end("taken")
    lab.machine.end("kept")
    held.set()
    assert lab.ended("kept").status is JobStatus.COMPLETED
    lab.until(lambda: taken.id not in engine._core.live, "forgotten")
    assert lab.job("taken").status is JobStatus.RUNNING
    assert kept.id not in engine._core.live
    lab.until(lambda: engine._slots.used == 0, "slots free")


def test_a_write_that_cannot_be_made_fails_one_tree(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.start()
    write = turns.Turn.write

    def broken(self: Any, tx: Any, token: str, now: Any) -> Any:
        if any(live.job.name == "bad" and live.job.is_final for live in self.touched):
            raise TypeError("no such column")
        return write(self, tx, token, now)

    monkeypatch.setattr(turns.Turn, "write", broken)
    lab.submit("bad", command())
    lab.submit("good", command())
    assert lab.ended("good").status is JobStatus.COMPLETED
    error = lab.ended("bad").error
    assert error is not None
    assert "could not be stored (TypeError)" in error.message
    assert lab.run("after", command()).status is JobStatus.COMPLETED


def test_nothing_is_launched_before_its_record_is_written(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lazulite.engine.ledger.RETRY_WRITE", 0.01)
    lab.start()
    write, tries = lab.store.write, []

    def away(work: Any) -> Any:
        if threading.current_thread().name == "lazulite-engine":
            tries.append(len(lab.machine.launched))
            if len(tries) in (2, 3):
                raise Unavailable("the disk is full")
        return write(work)

    lab.services.store.write = away  # type: ignore[method-assign]
    assert lab.run("j", command()).status is JobStatus.COMPLETED
    assert tries[:4] == [0, 0, 0, 0]


def test_a_database_that_is_away_when_a_job_is_claimed_is_asked_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lazulite.engine.core.RETRY_WRITE", 0.01)
    engine = lab.start()
    load, tries = engine._adoption._load, []

    def away(jobs: Any) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise Unavailable("away")
        load(jobs)

    monkeypatch.setattr(engine._adoption, "_load", away)
    assert lab.run("j", command()).status is JobStatus.COMPLETED
    assert len(tries) == 3


def test_a_watcher_that_breaks_stops_nobody(lab: Lab) -> None:
    lab.start()
    job = lab.add("j", command())

    def broken(_: bool) -> None:
        raise RuntimeError("Event loop is closed")

    lab.news.subscribe(job.id, broken)
    lab.services.wake(job.id)
    assert lab.ended("j").status is JobStatus.COMPLETED


def test_an_engine_beats_and_takes_over_from_one_that_died(lab: Lab) -> None:
    lab.start(host="dead machine")
    lab.machine.script = runs_on
    lab.submit("j", command())
    lab.running("j")
    lab.kill()
    later = lab.start(host="other machine")
    late = datetime.now(UTC) + timedelta(hours=1)
    later._core.post(lambda: later._take_over(late, ""))
    lab.until(lambda: bool(lab.machine.of("j").watchers), "adopted")
    lab.machine.end("j")
    assert lab.ended("j").status is JobStatus.COMPLETED
