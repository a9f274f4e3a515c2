"""Command jobs: builds, slots, exits, timeouts, retries, cancel in each state."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from tests.engine.fakes import Lab, command, pipeline, step, write_output

from lazulite.domain.errors import InvalidInput, Unavailable
from lazulite.domain.job import CommandDef, JobStatus, OutputSpec, Resources
from lazulite.ports.compute import Launch


def runs_on(_launch: Launch) -> None:
    """A process that only the test ends."""


def needs(key: str, text: str = "true") -> CommandDef:
    """A command whose environment is not there yet."""
    environment = "azureml://registries/azureml/environments/sklearn-1.5/labels/latest"
    return CommandDef(command=text, environment=environment, environment_key=key)


def slots_used(lab: Lab) -> int:
    return lab.engine._slots.used  # type: ignore[union-attr]


def statuses_of(lab: Lab, name: str) -> list[str]:
    return [str(status) for job, status in lab.news.seen if job == name]


@pytest.fixture
def curated(running: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A home where the curated environment has the key `new` and must be built."""
    monkeypatch.setattr(running.environments, "plan", lambda _spec: "new")
    return running


# --- builds --------------------------------------------------------------------------------------


def test_two_jobs_that_need_one_environment_build_it_once(curated: Lab) -> None:
    curated.submit("a", needs("new"))
    curated.submit("b", needs("new"))
    curated.until(lambda: bool(curated.environments.builds), "a build")
    curated.until_status("b", JobStatus.PREPARING)
    curated.until(lambda: "installs" in str(curated.services.why(curated.job("b").id)), "why")
    curated.environments.go["new"].set()
    assert curated.ended("a").status is JobStatus.COMPLETED
    assert curated.ended("b").status is JobStatus.COMPLETED
    assert curated.environments.builds == ["new"]


def test_a_failed_build_fails_every_job_that_waits_with_the_end_of_its_log(curated: Lab) -> None:
    curated.environments.fails = InvalidInput("no wheel for x==9", log_tail="last line")
    curated.submit("a", needs("new"))
    curated.until(lambda: bool(curated.environments.builds), "a build")
    curated.submit("b", needs("new"))
    curated.until_status("b", JobStatus.PREPARING)
    curated.environments.go["new"].set()
    for name in ("a", "b"):
        error = curated.ended(name).error
        assert error is not None
        assert (error.code, error.log_tail) == ("EnvironmentError", "last line")
        assert "no wheel for x==9" in error.message


def test_a_build_that_breaks_fails_its_job(curated: Lab) -> None:
    curated.environments.fails = RuntimeError("boom")
    curated.environments.go["new"] = threading.Event()
    curated.environments.go["new"].set()
    error = curated.run("a", needs("new")).error
    assert error is not None
    assert "the build stopped: boom" in error.message


def test_a_build_goes_on_while_one_job_still_waits(curated: Lab) -> None:
    curated.submit("a", needs("new"))
    curated.until(lambda: bool(curated.environments.builds), "a build")
    curated.submit("b", needs("new"))
    curated.until_status("b", JobStatus.PREPARING)
    curated.cancel("a")
    assert curated.ended("a").status is JobStatus.CANCELED
    curated.environments.go["new"].set()
    assert curated.ended("b").status is JobStatus.COMPLETED
    assert curated.environments.builds == ["new"]


def test_a_job_that_comes_while_a_canceled_build_unwinds_gets_a_new_one(curated: Lab) -> None:
    unwinding, unwound = threading.Event(), threading.Event()
    build = curated.environments.build

    def slow(*args: Any, **kwargs: Any) -> Any:
        first = not curated.environments.builds
        try:
            return build(*args, **kwargs)
        finally:
            if first:
                unwinding.set()
                unwound.wait(5)

    curated.environments.build = slow  # type: ignore[method-assign]
    curated.submit("a", needs("new"))
    curated.until(lambda: bool(curated.environments.builds), "a build")
    curated.cancel("a")
    assert unwinding.wait(5)
    curated.submit("b", needs("new"))
    curated.until(lambda: len(curated.environments.builds) == 2, "a second build")
    unwound.set()
    curated.environments.go["new"].set()
    assert curated.ended("b").status is JobStatus.COMPLETED
    assert not curated.engine._commands.builds._builds  # type: ignore[union-attr]


def test_an_environment_removed_while_a_job_waits_for_a_slot_is_an_error(running: Lab) -> None:
    running.environments.there.add("other")
    running.machine.on_launch = lambda _launch: None
    ready, asked = running.environments.ready, []

    def once(key: str) -> Any:
        asked.append(key)
        return ready(key) if len(asked) == 1 else None

    running.environments.ready = once  # type: ignore[method-assign]
    error = running.run("a", command()).error
    assert error is not None
    assert "environment was removed" in error.message
    assert slots_used(running) == 0


# --- slots ---------------------------------------------------------------------------------------


def test_a_job_without_a_slot_waits_and_says_why(running: Lab) -> None:
    running.machine.script = runs_on
    for i in range(4):
        running.submit(f"j{i}", command())
        running.running(f"j{i}")
    running.submit("late", command())
    late = running.until_status("late", JobStatus.QUEUED)
    assert "0 of 4 slots free" in str(running.services.why(late.id))
    running.machine.end("j0")
    running.running("late")
    assert running.services.why(late.id) is None


def test_a_job_for_more_instances_than_slots_runs_alone(running: Lab) -> None:
    running.machine.script = runs_on
    running.submit("big", command(resources=Resources(instance_count=64)))
    running.running("big")
    running.submit("small", command())
    running.until_status("small", JobStatus.QUEUED)
    running.machine.end("big")
    running.running("small")


def test_a_job_whose_compute_was_deleted_runs_on_the_machine(running: Lab) -> None:
    assert running.run("j", command(), compute="gone").status is JobStatus.COMPLETED


# --- how it ends ---------------------------------------------------------------------------------


def test_a_failed_command_says_its_status_and_how_to_run_it_again(running: Lab) -> None:
    running.machine.script = lambda _launch: 3
    job = running.run("j", command("python bad.py"))
    assert (job.status, job.exit_code) == (JobStatus.FAILED, 3)
    assert job.error is not None
    assert job.error.message == "the command ended with exit status 3"
    assert job.error.reproduce is not None


def test_a_lost_process_fails_its_job(running: Lab) -> None:
    running.machine.script = runs_on
    running.submit("j", command())
    running.running("j")
    running.machine.end("j", lost=True)
    error = running.ended("j").error
    assert error is not None
    assert error.code == "ProcessLost"


def test_a_failed_attempt_is_retried_as_often_as_asked(running: Lab) -> None:
    running.machine.script = lambda launch: 1 if launch.attempt < 3 else 0
    job = running.run("j", command(retries=2))
    assert (job.status, job.attempt) == (JobStatus.COMPLETED, 3)
    assert running.machine.launched == [("j", 1), ("j", 2), ("j", 3)]


def test_retries_end(running: Lab) -> None:
    running.machine.script = lambda _launch: 1
    job = running.run("j", command(retries=1))
    assert (job.status, job.attempt) == (JobStatus.FAILED, 2)
    assert slots_used(running) == 0


def test_a_job_over_its_time_is_stopped_and_says_so(running: Lab) -> None:
    running.machine.script = runs_on
    job = running.run("j", command(timeout=0.05))
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert job.error.code == "JobTimedOut"
    assert "0.05 seconds" in job.error.message


def test_a_limit_of_centuries_does_not_stop_the_engine(running: Lab) -> None:
    running.machine.script = runs_on
    running.submit("j", command(timeout=1e15))
    running.running("j")
    running.machine.end("j")
    assert running.ended("j").status is JobStatus.COMPLETED


def test_a_limit_that_passes_while_outputs_are_read_changes_nothing(
    running: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, go = threading.Event(), threading.Event()
    digest = running.files.digest

    def slow(path: Any) -> str:
        reading.set()
        go.wait(5)
        return digest(path)

    monkeypatch.setattr(running.files, "digest", slow)
    running.submit("j", command(timeout=0.05, outputs={"out": OutputSpec()}))
    assert reading.wait(5)
    fired = threading.Event()
    running.engine._core.at(0.1, fired.set)  # type: ignore[union-attr]
    running.engine._core.post(lambda: None)  # type: ignore[union-attr]
    assert fired.wait(5)
    go.set()
    assert running.ended("j").status is JobStatus.COMPLETED


def test_what_cannot_be_launched_fails_and_frees_its_slot(running: Lab) -> None:
    def refuse(_launch: Launch) -> None:
        raise OSError("the disk said \udcff no")

    running.machine.on_launch = refuse
    job = running.run("j", command())
    assert job.error is not None
    assert job.error.code == "SystemError"
    assert "the disk said" in job.error.message
    assert slots_used(running) == 0


def test_an_output_that_cannot_be_read_fails_its_job(
    running: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Any) -> str:
        raise InvalidInput("a file called '\udcff' is not for us")

    monkeypatch.setattr(running.files, "digest", refuse)
    job = running.run("j", command(outputs={"out": OutputSpec()}))
    assert job.error is not None
    assert job.error.code == "OutputError"
    assert running.run("k", command()).status is JobStatus.COMPLETED


def test_a_watch_that_breaks_stops_the_process_and_frees_the_slot(
    running: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_launch: Launch, _on_exit: Any) -> None:
        raise OSError("too many files")

    running.machine.script = runs_on
    monkeypatch.setattr(running.machine, "watch", refuse)
    assert running.run("j", command()).status is JobStatus.FAILED
    running.until(lambda: running.machine.of("j").stopped == 1, "a stop")
    assert slots_used(running) == 0


def test_the_run_folder_of_a_completed_job_is_removed(running: Lab) -> None:
    running.machine.script = lambda launch: write_output(launch) or 0  # type: ignore[func-returns-value]
    job = running.run("j", command(outputs={"out": OutputSpec()}))
    folder = running.launcher.folder(job)
    running.until(lambda: not folder.exists(), "tidied")
    assert running.launcher.output_path(job, job.outputs["out"]).is_dir()
    assert job.outputs["out"].digest


# --- cancel --------------------------------------------------------------------------------------


def test_a_job_is_canceled_before_anyone_looked_at_it(lab: Lab) -> None:
    lab.add("j", command())
    lab.cancel("j")
    lab.start()
    assert lab.ended("j").status is JobStatus.CANCELED
    assert lab.machine.launched == []


def test_a_job_is_canceled_while_its_environment_is_built(curated: Lab) -> None:
    curated.submit("j", needs("new"))
    curated.until_status("j", JobStatus.PREPARING)
    curated.cancel("j")
    assert curated.ended("j").status is JobStatus.CANCELED


def test_a_job_is_canceled_in_the_queue(running: Lab) -> None:
    running.machine.script = runs_on
    running.submit("big", command(resources=Resources(instance_count=4)))
    running.running("big")
    running.submit("j", command())
    running.until_status("j", JobStatus.QUEUED)
    running.cancel("j")
    assert running.ended("j").status is JobStatus.CANCELED
    running.machine.end("big")
    running.ended("big")
    assert running.machine.launched == [("big", 1)]


def test_a_cancel_in_the_turn_of_the_start_launches_nothing(running: Lab) -> None:
    core = running.engine._core  # type: ignore[union-attr]
    gate, held = threading.Event(), threading.Event()
    core.post(lambda: (held.set(), gate.wait(5)))  # type: ignore[arg-type,return-value]
    assert held.wait(5)
    job = running.submit("j", command())
    running.cancel("j")

    def cancel() -> None:
        running.engine._pipelines.cancel(core.live[job.id])  # type: ignore[union-attr]

    core.post(lambda: core.post(cancel))
    gate.set()
    assert running.ended("j").status is JobStatus.CANCELED
    assert running.machine.launched == []
    assert slots_used(running) == 0


def test_a_job_is_canceled_while_it_is_being_launched(running: Lab) -> None:
    launching, go = threading.Event(), threading.Event()

    def slow(_launch: Launch) -> None:
        launching.set()
        go.wait(5)

    running.machine.script = runs_on
    running.machine.on_launch = slow
    running.submit("j", command())
    assert launching.wait(5)
    running.cancel("j")
    running.until_status("j", JobStatus.CANCEL_REQUESTED)
    go.set()
    assert running.ended("j").status is JobStatus.CANCELED
    assert running.machine.of("j").stopped == 1


def test_a_running_job_is_canceled(running: Lab) -> None:
    running.machine.script = runs_on
    running.submit("j", command())
    running.running("j")
    running.cancel("j")
    running.cancel("j")
    job = running.ended("j")
    assert (job.status, job.exit_code) == (JobStatus.CANCELED, 143)
    assert running.machine.of("j").stopped == 1


def test_a_job_is_canceled_while_its_outputs_are_read(
    running: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, go = threading.Event(), threading.Event()

    def slow(_path: Any) -> str:
        reading.set()
        go.wait(5)
        return "d"

    monkeypatch.setattr(running.files, "digest", slow)
    running.submit("j", command(outputs={"out": OutputSpec()}))
    assert reading.wait(5)
    running.cancel("j")
    running.until_status("j", JobStatus.CANCEL_REQUESTED)
    go.set()
    assert running.ended("j").status is JobStatus.CANCELED


def test_a_stop_that_comes_too_early_is_tried_again(
    running: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lazulite.engine.processes.STOP_AGAIN", 0.01)
    running.machine.script = runs_on
    running.machine.stop_fails = [Unavailable("it is still starting")]
    running.submit("j", command())
    running.running("j")
    running.cancel("j")
    assert running.ended("j").status is JobStatus.CANCELED


def test_a_canceled_pipeline_stops_all_below_it(running: Lab) -> None:
    running.machine.script = runs_on
    deep = pipeline({"x": step(), "y": step({"in": "x"})})
    wide = {f"n{i}": step(text=f"n{i}") for i in range(10)}
    running.submit("p", pipeline({"deep": step(work=deep), **wide}))
    running.running("p--n0")
    running.until_status("p--deep--x", JobStatus.QUEUED)
    running.cancel("p")
    assert running.ended("p").status is JobStatus.CANCELED
    assert set(running.statuses("p").values()) == {"Canceled"}
    assert running.statuses("p--deep") == {"x": "Canceled"}
    assert slots_used(running) == 0
    assert not running.engine._core.live  # type: ignore[union-attr]


def test_a_canceled_node_ends_its_pipeline(running: Lab) -> None:
    running.machine.script = runs_on
    running.submit("p", pipeline({"a": step(), "b": step({"x": "a"})}))
    running.running("p--a")
    running.cancel("p--a")
    assert running.ended("p").status is JobStatus.CANCELED


def test_a_final_job_stays_as_it_is(running: Lab) -> None:
    running.run("j", command())
    running.cancel("j")
    assert running.run("k", command()).status is JobStatus.COMPLETED
    assert running.job("j").status is JobStatus.COMPLETED
