"""A pipeline whose steps track with the real MLflow client, with nothing set up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.server import Server

STEP = """
import sys
import mlflow

mlflow.log_param("name", sys.argv[1])
for step in range(3):
    mlflow.log_metric("loss", 1 / (1 + step), step=step)
mlflow.log_text("seen", "notes/seen.txt")
with mlflow.start_run(nested=True, run_name="inner"):
    mlflow.log_metric("deep", 1)
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
        body = {"filter": text, "order_by": ["run_name"]}
        found = server.request("POST", "/api/2.0/mlflow/runs/search", body).get("runs", [])
        return {run["info"]["run_id"]: run["data"] for run in found}

    steps = search("tags.mlflow.parentRunId = 'p'")
    assert set(steps) == {"p--one", "p--two"}
    for data in steps.values():
        assert [(m["key"], m["step"]) for m in data["metrics"]] == [("loss", 2)]
    inner = search("ancestor_id = 'p' AND metrics.deep = 1")
    assert len(inner) == 2
    path = "/api/2.0/mlflow/artifacts/list?run_id=p--one&path=notes"
    assert server.request("GET", path)["files"][0]["path"] == "notes/seen.txt"
    assert server.job("p--one")["status"] == "Completed"
