"""What a user does with the unmodified MLflow client."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from lazulite.domain.job import JobKind, JobStatus, Timeline
from lazulite.services.runs import artifact_folder
from tests.wire.live import SCOPE, Live


def test_a_run_logs_everything(mlflow: Any, client: Any) -> None:
    with mlflow.start_run(run_name="größe 😀") as run:
        mlflow.log_param("lr", 0.1)
        mlflow.log_params({"depth": 3, "kind": "tree"})
        mlflow.log_metric("acc", 0.5, step=1)
        mlflow.log_metric("acc", 0.9, step=2)
        mlflow.log_metrics({"nan": math.nan, "inf": math.inf})
        mlflow.set_tag("team", "blue 😀")
        mlflow.set_tags({"gone": "1"})
        mlflow.delete_tag("gone")
    found = client.get_run(run.info.run_id)
    assert (found.info.status, found.info.run_name) == ("FINISHED", "größe 😀")
    assert found.data.params == {"lr": "0.1", "depth": "3", "kind": "tree"}
    assert found.data.metrics["acc"] == 0.9
    assert math.isnan(found.data.metrics["nan"])
    assert found.data.metrics["inf"] == 1.7976931348623157e308
    assert found.data.tags["team"] == "blue 😀"
    assert "gone" not in found.data.tags
    assert [m.value for m in client.get_metric_history(run.info.run_id, "acc")] == [0.5, 0.9]
    assert found.info.start_time <= found.info.end_time


def test_runs_nest(mlflow: Any, client: Any) -> None:
    with mlflow.start_run() as parent, mlflow.start_run(nested=True) as child:
        pass
    assert mlflow.get_parent_run(child.info.run_id).info.run_id == parent.info.run_id
    text = f"tags.mlflow.parentRunId = '{parent.info.run_id}'"
    found = client.search_runs([child.info.experiment_id], text)
    assert [run.info.run_id for run in found] == [child.info.run_id]


def test_a_run_is_resumed_renamed_deleted_and_restored(mlflow: Any, client: Any) -> None:
    with mlflow.start_run() as run:
        pass
    with mlflow.start_run(run_id=run.info.run_id):
        assert client.get_run(run.info.run_id).info.status == "RUNNING"
    client.update_run(run.info.run_id, name="other")
    assert client.get_run(run.info.run_id).info.run_name == "other"
    client.set_tag(run.info.run_id, "mlflow.runName", "third")
    assert client.get_run(run.info.run_id).info.run_name == "third"
    mlflow.delete_run(run.info.run_id)
    assert client.get_run(run.info.run_id).info.lifecycle_stage == "deleted"
    with pytest.raises(mlflow.MlflowException, match="must be in the 'active' state"):
        client.log_metric(run.info.run_id, "m", 1)
    client.restore_run(run.info.run_id)
    client.log_metric(run.info.run_id, "m", 1)


def test_experiments_live_and_come_back(client: Any, mlflow: Any, uri: str) -> None:
    name = f"exp {uri[-1]}"
    made = client.create_experiment(name, tags={"k": "v"})
    with pytest.raises(mlflow.MlflowException, match="already exists") as refused:
        client.create_experiment(name)
    assert refused.value.error_code == "RESOURCE_ALREADY_EXISTS"
    client.set_experiment_tag(made, "l", "w")
    client.rename_experiment(made, name + "!")
    found = client.get_experiment_by_name(name + "!")
    assert (found.experiment_id, found.tags) == (made, {"k": "v", "l": "w"})
    client.delete_experiment(made)
    assert client.get_experiment(made).lifecycle_stage == "deleted"
    assert made not in [one.experiment_id for one in client.search_experiments()]
    with pytest.raises(mlflow.MlflowException, match="must be in the 'active' state"):
        client.create_run(made)
    client.restore_experiment(made)
    assert client.search_experiments(filter_string="tags.l = 'w'")[0].lifecycle_stage == "active"
    assert client.get_experiment_by_name("nothing") is None


def test_the_default_experiment_is_number_0(mlflow: Any, client: Any) -> None:
    run = client.create_run("0")
    assert client.get_experiment("0").name == "Default"
    found = client.search_runs(["0"])
    assert run.info.run_id in [one.info.run_id for one in found]


def test_searches_become_tables(mlflow: Any) -> None:
    for lr, acc in ((0.1, 0.5), (0.01, 0.9), (0.001, 0.7)):
        with mlflow.start_run():
            mlflow.log_param("lr", lr)
            mlflow.log_metric("acc", acc)
    table = mlflow.search_runs(filter_string="metrics.acc > 0.6", order_by=["metrics.acc DESC"])
    assert list(table["params.lr"]) == ["0.01", "0.001"]
    both = mlflow.search_runs(filter_string="params.lr < 0.005 OR metrics.acc = 0.5")
    assert len(both) == 2


def test_searches_come_in_pages(mlflow: Any, client: Any) -> None:
    experiment = mlflow.set_experiment(experiment_id=client.create_run("0").info.experiment_id)
    for _ in range(5):
        client.create_run(experiment.experiment_id)
    seen, token = [], None
    while not seen or token:
        page = client.search_runs([experiment.experiment_id], max_results=2, page_token=token)
        seen += [run.info.run_id for run in page]
        token = page.token
    assert len(seen) == len(set(seen)) >= 6


@pytest.mark.parametrize("text", ["metrics.acc >", "metrics.acc > 'x'", "foo = 'x'"])
def test_a_wrong_filter_says_where(client: Any, mlflow: Any, text: str) -> None:
    with pytest.raises(mlflow.MlflowException, match="Invalid filter at character"):
        client.search_runs(["0"], text)


def test_a_param_does_not_change(mlflow: Any, client: Any) -> None:
    run = client.create_run("0").info.run_id
    client.log_param(run, "p", "1")
    client.log_param(run, "p", "1")
    with pytest.raises(mlflow.MlflowException, match="Changing param values is not allowed"):
        client.log_param(run, "p", "2")


def test_artifacts_come_and_go(mlflow: Any, client: Any, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.bin").write_bytes(bytes(range(256)) * 5000)
    (tmp_path / "empty.txt").touch()
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(tmp_path), "all")
        mlflow.log_text("hëllo", "notes/a b+c.txt")
        mlflow.log_dict({"x": 1}, "d.json")
    run_id = run.info.run_id
    names = [(one.path, one.is_dir) for one in client.list_artifacts(run_id)]
    assert names == [("all", True), ("d.json", False), ("notes", True)]
    assert [one.file_size for one in client.list_artifacts(run_id, "all")] == [0, None]
    assert client.list_artifacts(run_id, "d.json") == []
    root = Path(client.download_artifacts(run_id, "", str(tmp_path)))
    assert (root / "all" / "model" / "weights.bin").stat().st_size == 256 * 5000
    assert (root / "notes" / "a b+c.txt").read_text() == "hëllo"
    assert mlflow.artifacts.load_dict(run.info.artifact_uri + "/d.json") == {"x": 1}
    table = {"a": [1, 2]}
    client.log_table(run_id, table, "t.json")
    client.log_table(run_id, table, "t.json")
    assert len(mlflow.load_table("t.json", run_ids=[run_id])) == 4


@pytest.fixture
def inside(
    server: Live, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, mlflow: Any
) -> Any:
    """A running job, with the variables that its process has."""
    job, token = server.running(f"job-{abs(hash(request.node.name))}")
    monkeypatch.setattr(mlflow.tracking.fluent, "_active_experiment_id", None)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)  # the client itself sets it
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{server.http}/mlflow/v1.0{SCOPE}")
    mlflow.set_tracking_uri(f"{server.http}/mlflow/v1.0{SCOPE}")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", token)
    monkeypatch.setenv("MLFLOW_RUN_ID", job.name)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "jobs")
    return job


def test_what_a_job_logs_is_in_its_own_run(
    server: Live, inside: Any, mlflow: Any, client: Any
) -> None:
    mlflow.log_metric("acc", 0.75)
    mlflow.log_text("x", "outputs/x.txt")
    with mlflow.start_run(nested=True) as child:
        mlflow.log_param("p", 1)
    mlflow.end_run()
    found = client.get_run(inside.name)
    assert (found.data.metrics, found.info.status) == ({"acc": 0.75}, "RUNNING")
    assert client.get_run(child.info.run_id).data.tags["mlflow.parentRunId"] == inside.name
    job = server.services.store.read(lambda tx: tx.jobs.by_id(inside.id))
    assert (job.status, job.kind) == (JobStatus.RUNNING, JobKind.COMMAND)
    folder = server.home / "files" / "stores" / "1" / "workspaceartifactstore"
    assert (folder / artifact_folder(inside.name) / "outputs" / "x.txt").read_text() == "x"


def test_a_job_may_not_write_to_the_run_of_another(
    server: Live, inside: Any, mlflow: Any, client: Any
) -> None:
    other, _ = server.running(f"{inside.name}-other", timeline=Timeline(created=inside.modified_at))
    for act in (
        lambda: client.log_metric(other.name, "m", 1),
        lambda: client.set_terminated(other.name),
        lambda: client.log_text(other.name, "x", "x.txt"),
        lambda: client.delete_run(other.name),
    ):
        with pytest.raises((mlflow.MlflowException, OSError), match="may not write"):
            act()


def test_a_run_of_a_notebook_is_in_the_list_of_jobs(mlflow: Any, server: Live) -> None:
    with mlflow.start_run(run_name="from a notebook") as run:
        pass
    listed = server.get(f"{SCOPE}/jobs?$top=1000").body["value"]
    mine = next(one for one in listed if one["name"] == run.info.run_id)
    assert mine["properties"]["status"] == "Completed"
    assert mine["properties"]["displayName"] == "from a notebook"
