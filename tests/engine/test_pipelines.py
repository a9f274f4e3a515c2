"""Pipelines from start to end, on a real store and real folders."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.engine.fakes import Lab, chain, command, pipeline, step, write_output

from lazulite.domain.asset import AssetKind
from lazulite.domain.errors import Unavailable
from lazulite.domain.job import DataInput, InputSpec, JobStatus, OutputSpec
from lazulite.domain.pipeline import Node
from lazulite.ports.compute import Launch


def writes(launch: Launch) -> int:
    write_output(launch)
    return 0


def fails(*names: str) -> Any:
    return lambda launch: 1 if launch.env["AZUREML_RUN_ID"].endswith(names) else 0


def test_a_command_runs_to_completion(running: Lab) -> None:
    job = running.run("j", command())
    assert (job.status, job.attempt, job.exit_code) == (JobStatus.COMPLETED, 1, 0)


def test_a_chain_runs_in_order(running: Lab) -> None:
    job = running.run("p", pipeline(chain("a", "b", "c")))
    assert job.status is JobStatus.COMPLETED
    assert running.machine.launched == [("p--a", 1), ("p--b", 1), ("p--c", 1)]


def test_a_fan_out_joins_and_uses_all_slots_and_no_more(running: Lab) -> None:
    middle = {f"m{i}": step({"x": "a"}, f"m{i}") for i in range(20)}
    nodes = {"a": step(), **middle, "z": step({n: n for n in middle})}
    assert running.run("p", pipeline(nodes)).status is JobStatus.COMPLETED
    assert running.machine.launched[-1] == ("p--z", 1)
    assert len(running.machine.launched) == 22
    assert running.machine.most <= 4


def test_five_hundred_nodes_end(running: Lab) -> None:
    nodes = {"a": step(), **{f"n{i}": step({"x": "a"}, f"n{i}") for i in range(499)}}
    assert running.run("p", pipeline(nodes)).status is JobStatus.COMPLETED
    assert len(set(running.machine.launched)) == len(running.machine.launched) == 500


def nested(depth: int) -> Node:
    """A pipeline in a pipeline ...: the innermost copies `raw` to `out`."""
    inputs = {"raw": InputSpec(type="uri_folder")}
    raw = {"x": "${{parent.inputs.raw}}"}
    if depth == 0:
        work = command("copy", inputs={"x": inputs["raw"]}, outputs={"out": OutputSpec()})
        node = Node(work=work, inputs=raw, exports={"out": "out"})
    else:
        inner = nested(depth - 1)
        node = Node(work=inner.work, inputs={"raw": raw["x"]}, exports={"out": "out"})
    return Node(work=pipeline({"in": node}, inputs=inputs, outputs={"out": OutputSpec()}))


def test_pipelines_three_deep_hand_their_outputs_up(running: Lab) -> None:
    inner = Node(
        work=nested(2).work,
        inputs={"raw": "${{parent.jobs.first.outputs.out}}"},
        exports={"out": "result"},
    )
    nodes = {"first": step(), "deep": inner, "last": step({"x": "deep"})}
    work = pipeline(nodes, outputs={"result": OutputSpec()})
    running.machine.script = writes
    job = running.run("p", work)
    assert job.status is JobStatus.COMPLETED, job.error
    assert [name for name, _ in running.machine.launched] == [
        "p--first",
        "p--deep--in--in--in",
        "p--last",
    ]
    assert job.outputs["result"] == running.job("p--deep--in--in--in").outputs["out"]
    last = running.job("p--last").inputs["x"]
    assert isinstance(last, DataInput)
    assert last.uri == job.outputs["result"].uri


def test_the_failed_step_deep_below_is_named_with_its_log(running: Lab) -> None:
    running.machine.script = fails("in--in")
    job = running.run("p", pipeline({"deep": nested(1), "first": step()}))
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert job.error.node == "deep.in.in"
    assert "exit status 1" in job.error.message
    assert job.error.reproduce is not None


def test_literals_data_and_optional_inputs_reach_the_command(running: Lab) -> None:
    place = running.files.locate(running.workspace.id, "workspaceblobstore", "raw")
    place.mkdir()
    (place / "a.csv").write_text("1")
    declared = {
        "data": InputSpec(type="uri_folder"),
        "lr": InputSpec(type="number"),
        "n": InputSpec(type="integer", default="3"),
        "maybe": InputSpec(type="string", optional=True),
        "other": InputSpec(type="string", optional=True),
    }
    text = "run ${{inputs.data}} ${{inputs.lr}} ${{inputs.n}} $[[--m ${{inputs.maybe}}]] ${{name}}"
    node = Node(
        work=command(text, inputs=declared),
        inputs={
            "data": DataInput(
                type="uri_folder", uri="azureml://datastores/workspaceblobstore/paths/raw"
            ),
            "lr": "${{parent.inputs.lr}}",
            "maybe": "${{parent.inputs.maybe}}",
        },
    )
    inputs = {"lr": InputSpec(type="number"), "maybe": InputSpec(optional=True)}
    given = {"lr": "0.5", "maybe": None}
    assert running.run("p", pipeline({"a": node}, inputs=inputs), inputs=given).error is None
    launch = running.machine.of("p--a").launch
    assert launch.command == f"run {place} 0.5 3  p--a"
    child = running.job("p--a")
    assert isinstance(child.inputs["data"], DataInput)
    assert child.inputs["data"].digest


def test_data_that_is_gone_fails_the_pipeline_and_says_where_it_was(running: Lab) -> None:
    uri = "azureml://datastores/workspaceblobstore/paths/nowhere"
    work = command(inputs={"x": InputSpec(type="uri_folder")})
    node = Node(work=work, inputs={"x": DataInput(type="uri_folder", uri=uri)})
    job = running.run("p", pipeline({"a": node}))
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert uri in job.error.message
    assert job.error.code == "UserError"


# --- named outputs -----------------------------------------------------------------------------


def named(version: str | None = None) -> Node:
    work = command("make", outputs={"out": OutputSpec(name="model", version=version)})
    return Node(work=work)


def test_a_named_output_becomes_the_next_version_of_a_data_asset(running: Lab) -> None:
    running.run("p", pipeline({"a": named()}, force_rerun=True))
    running.run("q", pipeline({"a": named()}, force_rerun=True))
    assert running.job("p--a").outputs["out"].asset == "model:1"
    assert running.job("q--a").outputs["out"].asset == "model:2"
    get = running.store.read(
        lambda tx: tx.assets.get(running.workspace.id, AssetKind.DATA, "model", "2")
    )
    assert get.body["dataUri"] == running.job("q--a").outputs["out"].uri


def test_a_named_output_of_a_models_type_becomes_a_model(running: Lab) -> None:
    spec = OutputSpec(type="custom_model", name="best", version="1")
    job = running.run("j", command(outputs={"out": spec}))
    get = running.store.read(
        lambda tx: tx.assets.get(running.workspace.id, AssetKind.MODEL, "best", "1")
    )
    assert get.body == {"modelType": "custom_model", "modelUri": job.outputs["out"].uri}


def test_an_output_whose_version_exists_fails_its_job_only(running: Lab) -> None:
    running.run("p", pipeline({"a": named("7")}, force_rerun=True))
    job = running.run("q", pipeline({"a": named("7")}, force_rerun=True))
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert "version '7' of data asset 'model' exists already" in job.error.message
    assert running.run("r", command()).status is JobStatus.COMPLETED


def test_a_reused_step_keeps_the_version_its_twin_registered(running: Lab) -> None:
    running.run("p", pipeline({"a": named("7")}))
    job = running.run("q", pipeline({"a": named("7")}))
    assert job.status is JobStatus.COMPLETED, job.error
    assert running.job("q--a").outputs["out"].asset == "model:7"
    assert running.job("q--a").reused_from == "p--a"


def test_a_reused_step_that_names_a_taken_version_fails(running: Lab) -> None:
    running.run("p", pipeline({"a": named("1")}))
    running.run("other", command("else", outputs={"o": OutputSpec(name="model", version="2")}))
    job = running.run("q", pipeline({"a": named("2"), "b": step(text="b")}))
    assert job.status is JobStatus.FAILED
    assert running.statuses("q")["a"] == "Failed"


def test_two_steps_that_name_one_version_leave_the_engine_alive(running: Lab) -> None:
    hold: list[str] = []
    running.machine.script = lambda launch: hold.append(launch.key)  # type: ignore[func-returns-value]
    running.submit("p", pipeline({"a": named("1"), "b": named("1")}, force_rerun=True))
    running.running("p--a")
    running.running("p--b")
    running.machine.end("p--a")
    running.machine.end("p--b")
    assert running.ended("p").is_final
    running.machine.script = lambda _launch: 0
    assert running.run("r", command()).status is JobStatus.COMPLETED


# --- reuse -------------------------------------------------------------------------------------


def test_an_unchanged_pipeline_is_reused_whole(running: Lab) -> None:
    running.machine.script = writes
    running.run("p", pipeline(chain("a", "b", "c")))
    job = running.run("q", pipeline(chain("a", "b", "c")))
    assert job.status is JobStatus.COMPLETED
    assert len(running.machine.launched) == 3
    found = running.children("q")
    assert {n: c.reused_from for n, c in found.items()} == {"a": "p--a", "b": "p--b", "c": "p--c"}
    assert found["c"].outputs["out"].origin == "p--c"


def test_a_change_reruns_what_depends_on_it_and_nothing_else(running: Lab) -> None:
    running.machine.script = writes
    nodes = {**chain("a", "b", "c"), "side": step(text="side")}
    running.run("p", pipeline(nodes))
    running.run("q", pipeline({**nodes, "b": step({"x": "a"}, "another b")}))
    assert [n for n, _ in running.machine.launched[4:]] == ["q--b", "q--c"]


def test_a_changed_step_with_equal_output_lets_the_rest_be_reused(running: Lab) -> None:
    def same(launch: Launch) -> int:
        write_output(launch, "same")
        return 0

    running.machine.script = same
    running.run("p", pipeline(chain("a", "b")))
    running.run("q", pipeline({**chain("a", "b"), "a": step(text="another a")}))
    assert [n for n, _ in running.machine.launched[2:]] == ["q--a"]


def test_force_rerun_of_the_pipeline_reruns_all(running: Lab) -> None:
    running.run("p", pipeline(chain("a", "b")))
    running.run("q", pipeline(chain("a", "b"), force_rerun=True))
    assert len(running.machine.launched) == 4


def test_force_rerun_of_a_node_reruns_it_alone_even_beside_its_equal(running: Lab) -> None:
    nodes = {"a": step(), "b": step()}
    running.run("p", pipeline(nodes))
    running.run("q", pipeline({"a": step(), "b": step(force_rerun=True)}))
    assert [n for n, _ in running.machine.launched[2:]] == ["q--b"]


def test_a_step_that_is_not_deterministic_always_runs(running: Lab) -> None:
    node = Node(work=command(deterministic=False, outputs={"out": OutputSpec()}))
    running.run("p", pipeline({"a": node}))
    running.run("q", pipeline({"a": node}))
    assert len(running.machine.launched) == 2


def test_a_twin_whose_outputs_were_deleted_is_not_reused(running: Lab) -> None:
    running.machine.script = writes
    running.run("p", pipeline({"a": step()}))
    shutil.rmtree(
        running.launcher.output_path(running.job("p--a"), running.job("p--a").outputs["out"])
    )
    running.run("q", pipeline({"a": step()}))
    assert len(running.machine.launched) == 2


def test_data_at_a_place_that_is_known_late_is_never_reused(running: Lab) -> None:
    place = running.files.locate(running.workspace.id, "workspaceblobstore", "d/one")
    place.mkdir(parents=True)
    uri = "azureml://datastores/workspaceblobstore/paths/d/${{parent.inputs.which}}"
    work = command("read ${{inputs.x}}", inputs={"x": InputSpec(type="uri_folder")})
    node = Node(work=work, inputs={"x": DataInput(type="uri_folder", uri=uri)})
    nodes = pipeline({"a": node}, inputs={"which": InputSpec()})
    for name in ("p", "q"):
        assert running.run(name, nodes, inputs={"which": "one"}).error is None
        assert running.machine.of(f"{name}--a").launch.command == f"read {place}"
    assert len(running.machine.launched) == 2


# --- failure -----------------------------------------------------------------------------------


def test_a_failure_stops_the_siblings_and_starts_nothing_more(running: Lab) -> None:
    running.machine.script = lambda launch: 1 if launch.command == "bad" else None
    nodes = {"good": step(), "bad": step(text="bad"), "after": step({"x": "good"})}
    job = running.run("p", pipeline(nodes))
    assert job.status is JobStatus.FAILED
    assert running.statuses("p") == {"good": "Canceled", "bad": "Failed"}


def test_a_pipeline_that_continues_leaves_out_only_what_needs_the_failed_step(running: Lab) -> None:
    running.machine.script = fails("bad")
    nodes = {"bad": step(), "below": step({"x": "bad"}), **chain("a", "b")}
    job = running.run("p", pipeline(nodes, continue_on_step_failure=True))
    assert job.status is JobStatus.FAILED
    assert running.statuses("p") == {"bad": "Failed", "a": "Completed", "b": "Completed"}


def test_a_failed_pipeline_keeps_the_outputs_that_were_made(running: Lab) -> None:
    running.machine.script = fails("bad")
    good = msgspec.structs.replace(step(), exports={"out": "result"})
    nodes = {"good": good, "bad": step()}
    work = pipeline(nodes, outputs={"result": OutputSpec()}, continue_on_step_failure=True)
    job = running.run("p", work)
    assert job.status is JobStatus.FAILED
    assert job.outputs["result"].uri == running.job("p--good").outputs["out"].uri


def wait_for(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_steps_that_become_ready_while_another_fails_never_start(
    running: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that is made in the very turn of the failure has no row yet."""
    core = running.engine._core  # type: ignore[union-attr]
    inbox = core._inbox
    held, collecting = threading.Event(), threading.Event()

    def tail(*_: Any) -> str:  # the failure is known just after the success
        assert collecting.wait(5)
        wait_for(lambda: inbox.qsize() == 1)
        return ""

    monkeypatch.setattr(running.files, "tail", tail)
    running.machine.script = lambda _launch: None
    deep = Node(work=nested(1).work, inputs={"raw": "${{parent.jobs.a.outputs.out}}"})
    nodes = {"bad": step(), "a": step(text="a"), "n": step({"x": "a"}), "deep": deep}
    running.submit("p", pipeline(nodes))
    running.running("p--a")
    running.running("p--bad")
    core.post(lambda: (held.set(), wait_for(lambda: inbox.qsize() == 3)))  # type: ignore[arg-type]
    assert held.wait(5)
    running.machine.end("p--a")
    running.machine.end("p--bad", 1)
    core.post(lambda: (collecting.set(), wait_for(lambda: inbox.qsize() == 2)))  # type: ignore[arg-type]
    assert running.ended("p").status is JobStatus.FAILED
    found = running.statuses("p")
    assert found == {"bad": "Failed", "a": "Completed", "n": "Canceled", "deep": "Canceled"}
    assert len(running.machine.launched) == 2
    assert running.engine._slots.used == 0  # type: ignore[union-attr]


def test_a_step_with_an_impossible_place_fails_and_stops_its_wave(running: Lab) -> None:
    bad = Node(work=command(outputs={"out": OutputSpec(uri="${{nowhere}}")}))
    job = running.run("p", pipeline({"bad": bad, "good": step()}))
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert "not a place on a datastore" in job.error.message
    assert running.statuses("p") == {"bad": "Failed", "good": "Canceled"}
    assert running.machine.launched == []


def test_a_fault_while_the_next_nodes_are_made_ends_the_pipeline(
    running: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes_of = running.engine._pipelines._nodes  # type: ignore[union-attr]
    make = nodes_of.make_node

    def broken(live: Any, name: str) -> Any:
        if name == "b":
            raise KeyError("b")
        return make(live, name)

    monkeypatch.setattr(nodes_of, "make_node", broken)
    job = running.run("p", pipeline(chain("a", "b")))
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert job.error.code == "SystemError"
    assert running.run("q", command()).status is JobStatus.COMPLETED


def test_a_database_that_is_away_delays_the_next_nodes(
    running: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lazulite.engine.pipelines.RETRY_WRITE", 0.01)
    nodes_of = running.engine._pipelines._nodes  # type: ignore[union-attr]
    twins, tries = nodes_of.twins, []

    def away(live: Any, made: Any) -> Any:
        tries.append(1)
        if len(tries) < 3:
            raise Unavailable("away")
        return twins(live, made)

    monkeypatch.setattr(nodes_of, "twins", away)
    assert running.run("p", pipeline(chain("a", "b"))).status is JobStatus.COMPLETED
    assert len(running.machine.launched) == 2


def test_a_cancel_while_the_database_keeps_nodes_waiting_ends_the_pipeline(
    running: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lazulite.engine.pipelines.RETRY_WRITE", 0.01)
    nodes_of = running.engine._pipelines._nodes  # type: ignore[union-attr]

    def away(_live: Any, _made: Any) -> Any:
        running.news.tell()
        raise Unavailable("away")

    monkeypatch.setattr(nodes_of, "twins", away)
    running.submit("p", pipeline(chain("a", "b")))
    running.until_status("p", JobStatus.RUNNING)
    running.cancel("p")
    assert running.ended("p").status is JobStatus.CANCELED


def test_a_name_that_grows_too_long_becomes_a_short_one(running: Lab) -> None:
    name = "p" * 240
    running.run(name, pipeline({"a" * 30: step()}))
    [child] = running.children(name).values()
    assert len(child.name) == 32
    assert child.status is JobStatus.COMPLETED
