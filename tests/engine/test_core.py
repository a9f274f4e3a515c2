"""Turns, timers, workers and faults of the engine's thread."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from tests.engine.fakes import Lab, command
from tests.records import a_job

from lazulite.domain.errors import Unavailable
from lazulite.domain.job import JobStatus
from lazulite.engine.core import Core
from lazulite.engine.live import LiveCommand


@pytest.fixture
def core(lab: Lab) -> Any:
    """A core whose thread the test plays itself."""
    made = Core(lab.services, "token", "here")
    yield made
    made.close()


def a_live(lab: Lab) -> LiveCommand:
    return LiveCommand(job=a_job(lab.workspace.id), workspace=lab.workspace, work=command())


def test_a_fault_of_one_act_fails_its_job_and_not_the_thread(lab: Lab, core: Core) -> None:
    failed: list[Any] = []
    core.on_crash = lambda live, error: failed.append((live, str(error)))
    live = a_live(lab)
    core.guard(lambda: 1 // 0, live)  # type: ignore[arg-type,return-value]
    core.guard(lambda: 1 // 0)  # type: ignore[arg-type,return-value]
    assert failed == [(live, "integer division or modulo by zero")]


def test_a_fault_of_failing_a_job_is_logged(
    lab: Lab, core: Core, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_live: Any, _error: Any) -> None:
        raise RuntimeError("worse")

    core.on_crash = broken
    core.guard(lambda: 1 // 0, a_live(lab))  # type: ignore[arg-type,return-value]
    assert "could not be failed" in caplog.text


def test_acts_of_a_dropped_job_are_not_done(lab: Lab, core: Core) -> None:
    done: list[str] = []
    core.on_crash = lambda *_: done.append("crash")
    live = a_live(lab)
    live.dropped = True
    core.guard(lambda: done.append("act"), live)
    core._crash(live, RuntimeError())
    assert done == []


def test_timers_go_off_in_their_order(core: Core) -> None:
    done: list[str] = []
    core.at(0.02, lambda: done.append("late"))
    core.at(0.0, lambda: done.append("soon"))
    core.at(1e300, lambda: done.append("never"))
    core.at(0.04, core.closing.set)
    core.run()
    assert done == ["soon", "late"]


def test_the_result_and_the_fault_of_a_worker_come_back_to_the_thread(lab: Lab, core: Core) -> None:
    found: list[Any] = []
    core.on_crash = lambda live, error: (found.append(str(error)), core.closing.set())  # type: ignore[func-returns-value]
    live, here = a_live(lab), threading.get_ident()

    def broken() -> None:
        raise OSError("no disk")

    def then(result: int) -> None:
        found.append((result, threading.get_ident() == here))
        core.work(live, broken, lambda _: None, lambda error: found.append(type(error).__name__))
        core.work(live, broken, lambda _: None)

    core.work(live, lambda: 7, then)
    core.run()
    assert found[0] == (7, True)
    assert "no disk" in found


def test_no_work_is_begun_once_it_closes(lab: Lab, core: Core) -> None:
    begun: list[int] = []
    core._pool.shutdown()
    with pytest.raises(RuntimeError):
        core.work(a_live(lab), lambda: begun.append(1), lambda _: None)
    core.closing.set()
    core.work(a_live(lab), lambda: begun.append(1), lambda _: None)
    assert begun == []


def test_a_job_that_is_not_stored_yet_is_changed_in_memory_alone(lab: Lab, core: Core) -> None:
    live = a_live(lab)
    core.write(live, status=JobStatus.CANCELED)
    assert live.job.is_final
    assert core.turn.changes == {}
    assert core.turn.touched == [live]


def test_a_turn_that_cannot_be_written_before_the_end_is_not_acted_upon(
    lab: Lab, core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int] = []

    def away(_work: Any) -> None:
        core.closing.set()
        raise Unavailable("away")

    monkeypatch.setattr(lab.store, "write", away)
    live = a_live(lab)
    core.spawn(live, None, lambda: done.append(1))
    core.commit()
    assert done == []


def test_a_close_writes_nothing_and_closes_the_backend(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = lab.start()
    closed: list[int] = []
    writes: list[Any] = []
    with monkeypatch.context() as patch:
        patch.setattr(lab.machine, "close", lambda: closed.append(1))
        lab.until(lambda: not engine._core.turn, "an idle engine")
        patch.setattr(lab.store, "write", writes.append)
        engine.close()
    lab.engine = None
    assert closed == [1]
    assert writes == []
