"""What jobs use is sampled while they run, and kept when they end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.engine.fakes import Lab, Machine, command

from lazulite.domain.job import JobStatus
from lazulite.domain.run import Point
from lazulite.domain.usage import CPU, MEMORY, PROCESSES, READ, WRITTEN, Host, Usage
from lazulite.engine.core import Core
from lazulite.engine.live import LiveCommand, Meter
from lazulite.engine.usage import Hosts, usage_of
from lazulite.ports.compute import Ended, GpuLoad, Launch, Load, Lost, Sight

EVERY = 0.05  # seconds


@pytest.fixture
def sampled(lab: Lab) -> Lab:
    lab.machine.script = lambda _launch: None  # processes run until they are ended
    lab.start(sample=EVERY)
    return lab


def history(lab: Lab, name: str, key: str) -> list[Point]:
    run = lab.job(name).id
    return lab.store.read(lambda tx: tx.metrics.history(run, key, 1000, None)).items


def test_what_runs_is_sampled_in_one_pass(sampled: Lab) -> None:
    for name in ("a", "b"):
        sampled.submit(name, command())
    sampled.until(lambda: ["a", "b"] in map(sorted, sampled.machine.measured), "one sample of both")
    sampled.until(lambda: bool(history(sampled, "b", MEMORY)), "it is kept")
    assert {point.value for point in history(sampled, "b", MEMORY)} == {5.0}
    assert history(sampled, "b", PROCESSES)[0].value == 2
    assert history(sampled, "b", READ)[0].value == 0
    assert history(sampled, "b", CPU)[0].value > 0
    assert history(sampled, "b", WRITTEN) == []  # nobody knows


def test_a_job_that_ends_soon_is_never_sampled(sampled: Lab) -> None:
    sampled.machine.script = lambda _launch: 0
    sampled.run("a", command())
    time.sleep(3 * EVERY)  # nothing tells that nothing happens
    assert sampled.machine.measured == []


def test_nothing_is_sampled_once_the_last_has_ended(sampled: Lab) -> None:
    sampled.submit("a", command())
    sampled.until(lambda: bool(sampled.machine.measured), "a sample")
    sampled.machine.end("a")
    sampled.ended("a")
    time.sleep(2 * EVERY)
    count = len(sampled.machine.measured)
    time.sleep(2 * EVERY)
    assert len(sampled.machine.measured) == count
    sampled.submit("b", command())
    sampled.until(lambda: ["b"] in sampled.machine.measured, "it begins anew")


def test_no_samples_are_taken_if_none_are_wanted(lab: Lab) -> None:
    lab.machine.script = lambda _launch: None
    lab.start(sample=0)
    lab.submit("a", command())
    lab.running("a")
    time.sleep(2 * EVERY)
    assert lab.machine.measured == []


def test_an_adopted_job_is_sampled(sampled: Lab) -> None:
    sampled.submit("a", command())
    sampled.until_status("a", JobStatus.RUNNING)
    sampled.kill()
    sampled.machine.measured.clear()
    sampled.start(sample=EVERY)
    sampled.until(lambda: ["a"] in sampled.machine.measured, "a sample")


def test_samples_that_fail_are_only_not_there(
    sampled: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_self: Machine, _launches: object) -> list[Load | None]:
        raise OSError("no /proc")

    with monkeypatch.context() as broken:
        broken.setattr(Machine, "measure", fails)
        sampled.submit("a", command())
        sampled.until_status("a", JobStatus.RUNNING)
        time.sleep(3 * EVERY)
    sampled.until(lambda: ["a"] in sampled.machine.measured, "a sample, later")
    sampled.machine.end("a")
    assert sampled.ended("a").status is JobStatus.COMPLETED


def test_a_job_keeps_where_it_ran_and_what_it_used(sampled: Lab) -> None:
    sampled.submit("a", command())
    sampled.until(lambda: bool(history(sampled, "a", MEMORY)), "a sample")
    sampled.machine.end("a")
    job = sampled.ended("a")
    assert job.usage == Usage(wall=1, memory=5_000_000)
    assert job.host is not None
    assert job.host.python == "3.11.9"


def test_the_system_and_samples_complete_each_other(tmp_path: Path) -> None:
    launch = Launch(
        key="1", attempt=1, fence="f", command="", cwd=tmp_path, env={}, log=tmp_path,
        records=tmp_path,
    )  # fmt: skip
    live = LiveCommand.__new__(LiveCommand)
    live.meter = None

    def used(sight: Sight) -> Usage | None:
        return usage_of(live, sight)

    ended = Ended(exit_code=0, started=1, ended=3.5, usage=Usage(cpu=2, memory=10))
    assert used(ended) == Usage(cpu=2, memory=10, wall=2.5)
    assert used(Lost(reason="gone")) is None
    live.meter = Meter(launch=launch, peak=20)
    assert used(ended) == Usage(cpu=2, memory=20, wall=2.5)
    assert used(Lost(reason="gone")) == Usage(memory=20)


def test_gpus_have_metrics_of_their_own(sampled: Lab) -> None:
    gpu = GpuLoad(index=1, busy=50.0, memory=2_000_000)
    sampled.machine.load = Load(cpu=0, memory=1, processes=1, written=10**6, gpus=(gpu,))
    sampled.submit("a", command())
    sampled.until(lambda: bool(history(sampled, "a", WRITTEN)), "a sample")
    assert history(sampled, "a", "system/job/gpu_1_utilization_percentage")[0].value == 50
    assert history(sampled, "a", "system/job/gpu_1_memory_megabytes")[0].value == 2


def test_a_host_is_stored_once_a_server(lab: Lab) -> None:
    hosts = Hosts(Core(lab.services, "token", "here"))
    first = hosts.of("3.11.9")
    assert isinstance(first, Host)
    assert hosts.of("3.11.9") is first
    assert hosts.of("3.12.1") != first
