"""Jobs that track with the real MLflow client, with nothing set up; and what the server tracks."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.e2e.server import Server, running

STEP = """
import contextlib
import os
import sys
import mlflow

experiment = mlflow.get_experiment_by_name(os.environ["MLFLOW_EXPERIMENT_NAME"])
assert experiment.experiment_id == os.environ["MLFLOW_EXPERIMENT_ID"]
explicit = mlflow.start_run() if sys.argv[1] == "two" else contextlib.nullcontext()
with explicit:
    mlflow.log_param("name", sys.argv[1])
    for step in range(3):
        mlflow.log_metric("loss", 1 / (1 + step), step=step)
    mlflow.log_text("seen", "notes/seen.txt")
    own = mlflow.active_run().info
    assert own.run_id == os.environ["AZUREML_RUN_ID"]
    assert own.experiment_id == experiment.experiment_id
    with mlflow.start_run(nested=True, run_name="inner") as inner:
        mlflow.log_metric("deep", 1)
        assert inner.info.experiment_id == experiment.experiment_id


@mlflow.trace
def answer(question):
    with mlflow.start_span("model", span_type="LLM") as span:
        span.set_outputs(question.upper())


answer(sys.argv[1])
"""
PIPELINE = """
type: pipeline
experiment_name: tracked
jobs:
  one: &step
    type: command
    code: ./src
    command: python step.py one
    environment: {image: "python:3.11-slim", conda_file: ./conda.yml}
  two:
    <<: *step
    command: python step.py two
"""
CONDA = """
dependencies:
  - python=3.11
  - pip:
      - mlflow-skinny>=3.17
"""


@pytest.mark.timeout(600)  # the environment is built from the registry
def test_what_the_steps_of_a_pipeline_log_is_in_their_runs(server: Server, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "step.py").write_text(STEP)
    (tmp_path / "pipeline.yml").write_text(PIPELINE)
    (tmp_path / "conda.yml").write_text(CONDA)
    server.cli("job", "create", "-f", str(tmp_path / "pipeline.yml"), "--name", "p")
    assert server.wait("p", timeout=500)["status"] == "Completed", server.tail()

    def search(text: str) -> dict[str, dict[str, object]]:
        body = {"experiment_ids": ["*"], "filter": text, "order_by": ["run_name"]}
        found = server.request("POST", "/api/2.0/mlflow/runs/search", body).get("runs", [])
        return {run["info"]["run_id"]: run["data"] for run in found}

    steps = search("tags.mlflow.parentRunId = 'p'")
    assert set(steps) == {"p--one", "p--two"}
    for data in steps.values():
        logged = [(m["key"], m["step"]) for m in data["metrics"] if "/" not in m["key"]]
        assert logged == [("loss", 2)]  # the others are how much the job used
    inner = search("ancestor_id = 'p' AND metrics.deep = 1")
    assert len(inner) == 2
    body = {"filter": "run_id = 'p--one' AND span.type = 'LLM'"}
    (trace,) = server.request("POST", "/api/3.0/mlflow/traces/search", body)["traces"]
    assert (trace["state"], trace["request_preview"]) == ("OK", '{"question": "one"}')
    path = "/api/2.0/mlflow/artifacts/list?run_id=p--one&path=notes"
    assert server.request("GET", path)["files"][0]["path"] == "notes/seen.txt"
    assert server.job("p--one")["status"] == "Completed"


BUSY = """
type: command
code: ./src
command: python busy.py ${{inputs.go}}
environment: {image: "python:3.11-slim"}
inputs:
  go: {type: string, default: "GO"}
"""
WRITES = """
import pathlib, sys
pathlib.Path("outputs", "early.txt").write_text("here")
pathlib.Path("logs", "own.log").write_text("line")
held = b"x" * 150_000_000
print("ready", flush=True)
while not pathlib.Path(sys.argv[1]).exists():
    sum(range(100_000))
"""


@pytest.mark.timeout(300)
def test_a_running_job_shows_its_files_where_it_runs_and_what_it_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, folder = tmp_path / "go", tmp_path / "repo"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "busy.py").write_text(WRITES)
    (folder / "job.yml").write_text(BUSY.replace("GO", str(go)))
    _commit(folder)
    with running(tmp_path / "home", LAZULITE_SAMPLE_SECONDS="1") as server:
        server.cli("job", "create", "-f", str(folder / "job.yml"), "--name", "busy")
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", (server.home / "token").read_text().strip())
        client = MlflowClient(server.about["http"])

        def files(path: str) -> list[str]:
            return [file.path for file in client.list_artifacts("busy", path)]

        _until(lambda: files("outputs") == ["outputs/early.txt"])
        _until(lambda: files("logs") == ["logs/own.log"])
        assert server.job("busy")["status"] == "Running"
        assert "outputs/early.txt" in server.cli("run", "artifacts", "busy").stdout
        _until(lambda: len(client.get_metric_history("busy", "system/job/cpu_percentage")) > 2)
        [first, *_] = client.get_metric_history("busy", "system/job/memory_megabytes")
        assert 150 < first.value < 1000
        tags = client.get_run("busy").data.tags
        assert len(tags["mlflow.source.git.commit"]) == 40
        assert tags["mlflow.source.git.branch"] == "trunk"
        go.touch()
        assert server.wait("busy", timeout=60)["status"] == "Completed", server.tail()
        own = server.job("busy")["lazulite"]
        assert own["usage"]["cpu"] > 0.5
        assert own["usage"]["memory"] > 150_000_000
        assert own["host"]["python"].startswith("3.11")
        server.cli("job", "download", "-n", "busy", "--code", "-p", str(tmp_path / "got"))
        assert (tmp_path / "got" / "code" / "busy.py").read_text() == WRITES


def _commit(folder: Path) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    for words in (("init", "-q", "-b", "trunk"), ("add", "."), ("commit", "-q", "-m", "x")):
        subprocess.run(["git", *who, *words], cwd=folder, check=True)


def _until(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 100
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.1)
