"""Jobs and run history over the wire, without an engine: a job stays as the test put it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from lazulite.domain.ids import ARTIFACT_STORE
from lazulite.domain.job import Job, JobError, JobKind, JobStatus, OutputValue, Timeline
from tests.wire.live import SCOPE, Live, live_server

HISTORY = "/history/v1.0" + SCOPE
COMMAND = {
    "jobType": "Command",
    "command": "echo hello",
    "environmentId": "azureml:py:1",
    "experimentName": "exp",
    "displayName": "hello",
}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_server(tmp_path_factory.mktemp("home")) as server:
        image = {"properties": {"image": "python:3.11"}}
        server.put(f"{SCOPE}/environments/py/versions/1", image)
        yield server


def add(live: Live, name: str, **fields: Any) -> Job:
    """Put a job into the store as an engine might have left it."""
    now = live.services.clock.now()
    job = Job(
        workspace=1,
        name=name,
        kind=fields.pop("kind", JobKind.COMMAND),
        experiment="exp",
        display_name=name,
        timeline=fields.pop("timeline", Timeline(created=now)),
        created_by="owner",
        modified_at=now,
        **fields,
    )
    return live.services.store.write(lambda tx: tx.jobs.add(job, None))


def add_family(live: Live, name: str) -> None:
    """Put a pipeline with a command, and a pipeline with a command in it."""
    root = add(live, name, kind=JobKind.PIPELINE)
    add(live, f"{name}.a", parent=root.id, root=root.id, node="a")
    inner = add(live, f"{name}.b", kind=JobKind.PIPELINE, parent=root.id, root=root.id, node="b")
    add(live, f"{name}.b.c", parent=inner.id, root=root.id, node="c")


def write_log(live: Live, run: str, name: str, text: str) -> None:
    place = f"ExperimentRun/dcid.{run}/{name}"
    path = live.services.files.root(1, ARTIFACT_STORE) / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def names(answer: Any) -> list[str]:
    return [one["name"] for one in answer.body["value"]]


def test_a_job_is_submitted_once_and_wakes_the_engine(live: Live) -> None:
    before = len(live.woken)
    first = live.put(f"{SCOPE}/jobs/j1", {"properties": COMMAND})
    assert (first.status, first.body["properties"]["status"]) == (201, "NotStarted")
    assert len(live.woken) == before + 1
    assert live.put(f"{SCOPE}/jobs/j1", {"properties": COMMAND}).status == 200
    other = {"properties": COMMAND | {"command": "echo other"}}
    assert live.put(f"{SCOPE}/jobs/j1", other).status == 409


def test_a_job_with_a_wrong_field_is_refused_and_not_stored(live: Live) -> None:
    wrong = {"properties": COMMAND | {"environmentId": "azureml:none:1"}}
    answer = live.put(f"{SCOPE}/jobs/j2", wrong)
    assert answer.status in (400, 404)
    assert "environment" in answer.body["error"]["target"]
    assert live.get(f"{SCOPE}/jobs/j2").status == 404
    assert live.put(f"{SCOPE}/jobs/j2", {}).status == 400


def test_a_node_knows_its_parent(live: Live) -> None:
    add_family(live, "p1")
    found = live.get(f"{SCOPE}/jobs/p1.b.c").body["properties"]["lazulite"]
    assert (found["parent"], found["node"]) == ("p1.b", "c")
    assert names(live.get(f"{SCOPE}/jobs/p1/children")) == ["p1.a", "p1.b"]


def test_lists_hold_roots_and_are_filtered(live: Live) -> None:
    add_family(live, "p2")
    add(live, "old", archived=True)
    add(live, "done", status=JobStatus.COMPLETED)
    jobs = f"{SCOPE}/jobs"
    assert {"p2", "done"} <= set(names(live.get(jobs)))
    assert not {"p2.a", "old"} & set(names(live.get(jobs)))
    archived = names(live.get(jobs + "?listViewType=ArchivedOnly"))
    assert ("old" in archived, "p2" in archived) == (True, False)
    assert {"old", "done"} <= set(names(live.get(jobs + "?listViewType=All")))
    ended = names(live.get(jobs + "?status=Completed,Failed"))
    assert ("done" in ended, "p2" in ended) == (True, False)
    assert "done" not in names(live.get(jobs + "?jobType=Pipeline"))


def test_a_list_leaves_the_nodes_of_pipelines_out(live: Live) -> None:
    body = {"jobType": "Pipeline", "jobs": {"a": {"type": "command"}}}
    add(live, "p4", kind=JobKind.PIPELINE, body=body)
    [listed] = [one for one in live.get(f"{SCOPE}/jobs").body["value"] if one["name"] == "p4"]
    assert listed["properties"]["jobs"] == {}
    assert list(live.get(f"{SCOPE}/jobs/p4").body["properties"]["jobs"]) == ["a"]


def test_a_cancel_is_accepted_until_the_job_is_final(live: Live) -> None:
    add(live, "run", status=JobStatus.RUNNING)
    answer = live.call("POST", f"{SCOPE}/jobs/run/cancel")
    assert (answer.status, "location" in answer.headers) == (202, True)
    add(live, "over", status=JobStatus.FAILED)
    assert live.call("POST", f"{SCOPE}/jobs/over/cancel").status == 409
    assert live.call("POST", f"{SCOPE}/jobs/none/cancel").status == 404


def test_logs_are_urls_that_need_no_header(live: Live) -> None:
    add(live, "talks", status=JobStatus.RUNNING)
    write_log(live, "talks", "user_logs/std_log.txt", "hello\n")
    details = live.get(f"{HISTORY}/runs/talks/details").body
    assert details["status"] == "Running"
    url = details["logFiles"]["user_logs/std_log.txt"]
    assert live.get(url.removeprefix(live.http), token=None).raw == b"hello\n"


def test_a_reused_job_shows_the_logs_of_the_one_that_ran(live: Live) -> None:
    write_log(live, "origin", "user_logs/std_log.txt", "from origin\n")
    add(live, "copy", status=JobStatus.COMPLETED, reused_from="origin")
    details = live.get(f"{HISTORY}/runs/copy/details").body
    assert "dcid.origin" in details["logFiles"]["user_logs/std_log.txt"]
    assert details["properties"]["azureml.isreused"] == "true"


def test_a_run_that_failed_says_where_why_and_how_to_see_it_again(live: Live) -> None:
    error = JobError(
        code="UserError",
        message="b.c failed",
        node="b.c",
        log_tail="ZeroDivisionError",
        reproduce="cd x && python y",
    )
    add(live, "failed", status=JobStatus.FAILED, error=error)
    told = live.get(f"{HISTORY}/experiments/exp/runs/failed/details").body["error"]["error"]
    assert told["code"] == "UserError"
    for part in ("b.c failed", "ZeroDivisionError", "cd x && python y"):
        assert part in told["message"]


def test_run_history_knows_the_family(live: Live) -> None:
    add_family(live, "p3")
    found = live.get(f"{HISTORY}/runs/p3/children").body["value"]
    assert [run["runId"] for run in found] == ["p3.a", "p3.b"]
    inner = live.get(f"{HISTORY}/runs/p3.b.c").body
    assert (inner["parentRunId"], inner["rootRunId"]) == ("p3.b", "p3")


def test_a_run_is_renamed_tagged_and_hidden(live: Live) -> None:
    add(live, "edit", tags={"a": "1"})
    path = f"{HISTORY}/experiments/exp/runs/edit"
    changed = live.call("PATCH", path, {"displayName": "new", "tags": {"b": "2"}, "hidden": True})
    assert (changed.body["displayName"], changed.body["hidden"]) == ("new", True)
    assert changed.body["tags"] == {"a": "1", "b": "2"}
    assert live.call("PATCH", path, {"hidden": False}).body["displayName"] == "new"
    assert live.call("PATCH", path, {"hidden": {}}).status == 400


def test_outputs_are_resolved_to_where_they_are(live: Live) -> None:
    uri = "azureml://datastores/workspaceblobstore/paths/azureml/out/model/"
    value = OutputValue(type="mlflow_model", uri=uri)
    add(live, "out", status=JobStatus.COMPLETED, outputs={"model": value})
    run = live.call("POST", HISTORY + "/rundata", {"runId": "out"}).body["runMetadata"]
    assert run["outputs"]["model"]["type"] == "uri_folder"
    reference = run["outputs"]["model"]["assetId"]
    resolve = f"/data/v1.0{SCOPE}/dataversion/batchGetResolvedUris"
    found = live.call("POST", resolve, {"values": [reference]}).body["values"]
    assert found[reference]["uri"] == uri


def test_data_assets_are_resolved_too(live: Live) -> None:
    uri = "azureml://datastores/workspaceblobstore/paths/x/"
    body = {"properties": {"dataType": "uri_folder", "dataUri": uri}}
    live.put(f"{SCOPE}/data/d/versions/1", body)
    references = ["azureml:d:1", "azureml:d@latest", f"{SCOPE}/data/d/versions/1", uri]
    resolve = f"/data/v1.0{SCOPE}/dataversion/batchGetResolvedUris"
    found = live.call("POST", resolve, {"values": references}).body["values"]
    assert {found[one]["uri"] for one in references} == {uri}
    assert live.call("POST", resolve, {"values": ["azureml:none:1"]}).status == 404
    assert live.call("POST", resolve, {"values": "x"}).status == 400
    assert live.call("POST", resolve, {"values": ["x"] * 1001}).status == 400


def test_a_run_has_no_services(live: Live) -> None:
    add(live, "quiet")
    assert live.get(f"{HISTORY}/runs/quiet/serviceinstances/0").body == {"instances": {}}
    assert live.get(f"{HISTORY}/runs/none/serviceinstances/0").status == 404


def test_times_and_durations_are_told(live: Live) -> None:
    now = live.services.clock.now()
    later = now + timedelta(seconds=90)
    add(live, "timed", timeline=Timeline(created=now, running=now, ended=later))
    run = live.get(f"{HISTORY}/runs/timed").body
    assert run["duration"] == "0:01:30"
    assert run["endTimeUtc"] > run["startTimeUtc"]


def test_a_workspace_with_a_running_job_is_not_deleted(live: Live) -> None:
    team = SCOPE.replace("/default", "/busy")
    live.put(team, {})
    live.put(f"{team}/environments/py/versions/1", {"properties": {"image": "python:3.11"}})
    assert live.put(f"{team}/jobs/j", {"properties": COMMAND}).status == 201
    row = live.services.store.read(lambda tx: tx.workspaces.by_id(2))
    live.services.store.write(lambda tx: tx.executions.claim("lease"))
    answer = live.call("DELETE", team)
    assert (row.ids.name, answer.status) == ("busy", 409)
    assert "unfinished" in answer.message
