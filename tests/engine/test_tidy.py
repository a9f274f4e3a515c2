"""Run folders of completed jobs go when the machine has nothing better to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.engine.fakes import Lab, command

from lazulite.domain.job import JobStatus
from lazulite.engine import tidy
from lazulite.ports.compute import Launch


def stays_if_asked(launch: Launch) -> int | None:
    return None if launch.command == "stay" else 0


def folder(lab: Lab, name: str) -> Path:
    return lab.folder / "runs" / str(lab.workspace.id) / name


def gone(lab: Lab, *names: str) -> bool:
    return not any(folder(lab, name).exists() for name in names)


def test_folders_stay_while_another_job_runs_and_go_with_the_last(running: Lab) -> None:
    running.machine.script = stays_if_asked
    running.submit("long", command("stay"))
    running.running("long")
    assert running.run("short", command()).status is JobStatus.COMPLETED
    running.submit("later", command())
    running.ended("later")
    assert folder(running, "short").exists()
    running.machine.end("long")
    running.until(lambda: gone(running, "long", "short", "later"), "tidy")


def test_a_folder_does_not_wait_for_ever(running: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidy, "LATEST", 0.05)
    running.machine.script = stays_if_asked
    running.submit("long", command("stay"))
    running.running("long")
    running.submit("short", command())
    running.until(lambda: running.job("short").is_final and gone(running, "short"), "tidy")
    assert folder(running, "long").exists()


def test_the_folder_of_a_job_that_failed_stays_to_be_looked_at(running: Lab) -> None:
    running.machine.script = lambda _launch: 1
    assert running.run("bad", command()).status is JobStatus.FAILED
    running.machine.script = lambda _launch: 0
    running.run("good", command())
    running.until(lambda: gone(running, "good"), "tidy")
    assert folder(running, "bad").exists()
