"""The server is killed with -9 in each state of a running pipeline: nothing lost, nothing twice."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.databases import KINDS, empty_database
from tests.e2e.server import SCOPE, Server, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

WAIT = 60  # seconds for anything that is awaited
ENVIRONMENT = "azureml:bare:1"


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A ready server on a database of each kind in turn, with an environment."""
    with (
        empty_database(request.param, tmp_path) as url,
        running(tmp_path / "home", LAZULITE_DATABASE_URL=url) as server,
    ):
        server.request(
            "PUT", f"{SCOPE}/environments/bare/versions/1", {"properties": {"image": "python:3"}}
        )
        yield server
        print(server.tail())


def node(command: str, **needs: str) -> dict[str, Any]:
    """Return a node that runs `command`, after the nodes whose output it needs."""
    return {
        "type": "command",
        "component": {
            "type": "command",
            "command": command,
            "environment": ENVIRONMENT,
            "inputs": {name: {"type": "uri_folder"} for name in needs},
            "outputs": {"out": {"type": "uri_folder"}},
        },
        "inputs": {
            name: {"job_input_type": "literal", "value": f"${{{{parent.jobs.{need}.outputs.out}}}}"}
            for name, need in needs.items()
        },
    }


def submit(server: Server, name: str, jobs: dict[str, Any]) -> None:
    body = {"jobType": "Pipeline", "jobs": jobs, "inputs": {}, "outputs": {}, "settings": {}}
    server.request("PUT", f"{SCOPE}/jobs/{name}", {"properties": body})


def until(happened: Any, what: str) -> Any:
    """Return the first true answer of `happened`."""
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        if answer := happened():
            return answer
        time.sleep(0.005)
    raise TimeoutError(f"{what} did not happen in {WAIT} s")


def until_status(server: Server, job: str, status: str) -> None:
    """Follow a pipeline until one of its nodes has a status."""
    for summary in server.watch(job, WAIT):
        if summary["node"] and summary["status"] == status:
            return
    raise AssertionError(f"no node of {job} was ever {status}")


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def test_a_running_step_is_adopted(server: Server, tmp_path: Path) -> None:
    log, go = tmp_path / "effects", tmp_path / "go"
    first = (
        f"echo first >> {log}; until [ -e {go} ]; do sleep 0.01; done; touch ${{{{outputs.out}}}}/x"
    )
    submit(server, "running", {"a": node(first), "b": node(f"echo second >> {log}", data="a")})
    until(lambda: lines(log), "the first step")
    server.kill()
    go.touch()
    server.start()
    assert server.wait("running")["status"] == "Completed"
    assert lines(log) == ["first", "second"]


def test_a_step_that_ended_while_the_server_was_dead_is_collected(
    server: Server, tmp_path: Path
) -> None:
    log, go = tmp_path / "effects", tmp_path / "go"
    until_go = f"until [ -e {go} ]; do sleep 0.01; done; echo done >> {log}; exit 3"
    submit(server, "ended", {"a": node(until_go)})
    until_status(server, "ended", "Running")
    server.kill()
    go.touch()
    until(lambda: lines(log), "the end of the step")
    server.start()
    properties = server.wait("ended")
    assert properties["status"] == "Failed"
    assert "exit status 3" in properties["lazulite"]["error"]["message"]
    assert lines(log) == ["done"]


def test_a_step_killed_before_its_launch_runs_once(server: Server, tmp_path: Path) -> None:
    log, code = tmp_path / "effects", tmp_path / "code"
    code.mkdir()
    for number in range(4_000):  # so that making its folder takes a while
        (code / f"{number}.py").write_text(f"x = {number}\n")
    component = tmp_path / "job.yml"
    component.write_text(
        "$schema: https://azuremlschemas.azureedge.net/latest/pipelineJob.schema.json\n"
        "type: pipeline\njobs:\n  a:\n    type: command\n    code: code\n"
        f"    command: echo once >> {log}\n    environment: {ENVIRONMENT}\n"
    )
    server.cli("job", "create", "-f", str(component), "-n", "before")
    until_status(server, "before", "Starting")
    server.kill()
    server.start()
    assert server.wait("before")["status"] == "Completed"
    assert lines(log) == ["once"]


def test_a_step_killed_while_finalising_is_finalised(server: Server, tmp_path: Path) -> None:
    log = tmp_path / "effects"
    big = f"echo once >> {log}; truncate -s 3G ${{{{outputs.out}}}}/big"
    after = f"wc -c < ${{{{inputs.data}}}}/big >> {log}"
    submit(server, "finalising", {"a": node(big), "b": node(after, data="a")})
    until_status(server, "finalising", "Finalizing")
    server.kill()
    server.start()
    assert server.wait("finalising")["status"] == "Completed"
    assert lines(log) == ["once", str(3 * 1024**3)]


def test_a_step_whose_process_is_gone_without_a_result_fails_with_the_reason(
    server: Server, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    submit(server, "gone", {"a": node(f"echo $$ > {pid_file}; sleep 600")})
    pid = int(until(lambda: lines(pid_file), "the step")[0])
    group = os.getpgid(pid)
    server.kill()
    os.killpg(group, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(group), "the end of the group")
    server.start()
    properties = server.wait("gone")
    assert properties["status"] == "Failed"
    assert properties["lazulite"]["error"]["code"] == "ProcessLost"
    assert "is gone" in properties["lazulite"]["error"]["message"]


def test_a_cancel_outlives_the_server(server: Server, tmp_path: Path) -> None:
    log = tmp_path / "effects"
    stubborn = f"trap '' TERM; echo up >> {log}; while :; do sleep 0.1; done"
    submit(server, "cancel", {"a": node(stubborn), "b": node("true", data="a")})
    until(lambda: lines(log), "the step")
    server.request("POST", f"{SCOPE}/jobs/cancel/cancel")
    until_status(server, "cancel", "CancelRequested")
    server.kill()
    server.start()
    assert server.wait("cancel")["status"] == "Canceled"
    assert {c["status"] for c in server.children("cancel").values()} == {"Canceled"}


def test_many_kills_at_any_moment_lose_and_repeat_nothing(server: Server, tmp_path: Path) -> None:
    log, steps = tmp_path / "effects", 40
    jobs = {"n0": node(f"echo 0 >> {log}; touch ${{{{outputs.out}}}}/0")}
    for k in range(1, steps):
        jobs[f"n{k}"] = node(f"echo {k} >> {log}; touch ${{{{outputs.out}}}}/{k}", data=f"n{k - 1}")
    submit(server, "storm", jobs)
    for kill in range(1, 6):
        until(lambda kill=kill: len(lines(log)) >= kill * 6, f"step {kill * 6}")
        time.sleep(0.003 * kill)  # another moment of the step each time
        server.kill()
        server.start()
    assert server.wait("storm")["status"] == "Completed"
    assert lines(log) == [str(k) for k in range(steps)]


def test_two_hundred_children_on_two_slots(server: Server, tmp_path: Path) -> None:
    running = tmp_path / "running"
    running.mkdir()
    most: list[int] = []
    stop = threading.Event()

    def count() -> None:
        while not stop.wait(0.01):
            most.append(len(list(running.iterdir())))

    counter = threading.Thread(target=count)
    counter.start()
    touch = f"touch {running}/$AZUREML_RUN_ID; sleep 0.02; rm {running}/$AZUREML_RUN_ID"
    try:
        submit(server, "wide", {f"n{k}": node(f"{touch}; : {k}") for k in range(200)})
        assert server.wait("wide")["status"] == "Completed"
    finally:
        stop.set()
        counter.join()
    assert 1 <= max(most) <= 2
