"""What a user does by `azureml://`; run in a virtual environment that has the plugin.

`python azureml_session.py URI`; the variables are those of `lazulite env`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import mlflow
import mlflow.pyfunc


class Twice(mlflow.pyfunc.PythonModel):
    def predict(self, context: Any, model_input: list[int], params: Any = None) -> list[int]:
        return [2 * value for value in model_input]


def main(uri: str) -> None:
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("by the plugin")
    client = mlflow.MlflowClient()
    run = track(client)
    keep_files(client, run)
    keep_models(client)
    print("all of it works")


def track(client: Any) -> str:
    with mlflow.start_run(run_name="größe") as run:
        for step in range(3):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_params({"rate": 0.1, "kind": "tree"})
        mlflow.set_tag("team", "blue 😀")
        mlflow.log_metric("late", 1.5, synchronous=False).wait()
        with mlflow.start_run(nested=True):
            pass
    run_id = str(run.info.run_id)
    found = client.search_runs([run.info.experiment_id], "metrics.loss < 0.5 AND params.rate='0.1'")
    assert run_id in [one.info.run_id for one in found]
    data = client.get_run(run_id).data
    assert (data.metrics["late"], data.tags["team"]) == (1.5, "blue 😀")
    assert [point.step for point in client.get_metric_history(run_id, "loss")] == [0, 1, 2]
    return run_id


def keep_files(client: Any, run: str) -> None:
    folder = Path(tempfile.mkdtemp())
    (folder / "deep").mkdir()
    (folder / "deep" / "zwei ü.txt").write_text("2")
    client.log_text(run, "first", "notes.txt")
    client.log_text(run, "second", "notes.txt")
    client.log_artifacts(run, str(folder), "tree")
    assert {one.path for one in client.list_artifacts(run)} == {"notes.txt", "tree"}
    assert [one.path for one in client.list_artifacts(run, "tree")] == ["tree/deep"]
    assert mlflow.artifacts.load_text(f"runs:/{run}/notes.txt") == "second"
    whole = Path(mlflow.artifacts.download_artifacts(f"runs:/{run}/"))
    assert (whole / "tree" / "deep" / "zwei ü.txt").read_text() == "2"


def keep_models(client: Any) -> None:
    named = "name" if int(mlflow.__version__.split(".")[0]) >= 3 else "artifact_path"
    with mlflow.start_run() as run:
        made = mlflow.pyfunc.log_model(
            **{named: "model"},
            python_model=Twice(),
            pip_requirements=[],
            registered_model_name="twice",
        )
    client.set_registered_model_alias("twice", "best", "1")
    folder = tempfile.mkdtemp() + "/model"
    mlflow.pyfunc.save_model(folder, python_model=Twice(), pip_requirements=[])
    local = client.create_model_version("twice", f"file://{folder}")
    for uri in (
        made.model_uri,
        f"runs:/{run.info.run_id}/model",
        "models:/twice/1",
        "models:/twice@best",
        f"models:/twice/{local.version}",
    ):
        assert mlflow.pyfunc.load_model(uri).predict([1, 2]) == [2, 4], uri


if __name__ == "__main__":
    main(sys.argv[1])
