"""Pipelines from start to end, on a real store."""

from __future__ import annotations

from lazulite.domain.job import JobStatus
from tests.engine.fakes import Lab, chain, command, pipeline


def test_a_command_runs_to_completion(running: Lab) -> None:
    job = running.run("j", command())
    assert (job.status, job.attempt, job.exit_code) == (JobStatus.COMPLETED, 1, 0)


def test_a_chain_runs_in_order(running: Lab) -> None:
    job = running.run("p", pipeline(chain("a", "b", "c")))
    assert job.status is JobStatus.COMPLETED
    assert running.machine.launched == [("p.a", 1), ("p.b", 1), ("p.c", 1)]
