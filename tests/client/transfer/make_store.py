"""Fills a store by MLflow's own client: `python make_store.py URI`. Prints the id of the parent."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")

import mlflow  # noqa: E402
import pandas as pd  # noqa: E402


class Echo(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    def predict(self, context: Any, model_input: Any) -> Any:
        return model_input


def main(uri: str) -> None:
    mlflow.set_tracking_uri(uri)
    client = mlflow.MlflowClient()
    mlflow.set_experiment("exp 🎉 / one")
    mlflow.set_experiment_tag("team", "blue 🟦")
    with mlflow.start_run(run_name="parent 🚀") as parent:
        mlflow.log_params({"lr": 0.1, "long": "x" * 3000, "ünï": "ß"})
        mlflow.log_metric("nan", float("nan"), step=1)
        mlflow.log_metric("inf", float("inf"), step=2)
        mlflow.log_metric("a/b", -float("inf"), step=-2)
        for step in range(30):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.set_tag("emoji", "🙂\nline2 '\"\t")
        mlflow.log_text("hi", "d/notes é #1.txt")
        Path("sub").mkdir()
        Path("sub/empty.bin").write_bytes(b"")
        Path("sub/big.bin").write_bytes(bytes(range(256)) * 8192)
        mlflow.log_artifacts("sub", "sub dir")
        data = mlflow.data.from_pandas(pd.DataFrame({"x": [1, 2]}), name="ds1")
        mlflow.log_input(data, context="train")
        made = mlflow.pyfunc.log_model(
            name="model", python_model=Echo(), registered_model_name="reg 1"
        )
        mlflow.log_dict({"flavors": {}}, "old/MLmodel")
        with mlflow.start_run(nested=True, run_name="child"):
            mlflow.log_metric("x", 1.5, step=3, model_id=made.model_id)
            with mlflow.start_run(nested=True, run_name="grandchild"):
                mlflow.log_param("deep", 1)
    with mlflow.start_run(run_name="gone") as gone:
        mlflow.log_metric("m", 1.0)
    client.delete_run(gone.info.run_id)
    running = client.create_run(parent.info.experiment_id, run_name="runs still")
    client.log_metric(running.info.run_id, "m", 1.0, step=1)
    client.create_model_version(
        "reg 1", f"{parent.info.artifact_uri}/old", parent.info.run_id, description="old layout"
    )
    client.create_model_version("reg 1", f"{parent.info.artifact_uri}/old", parent.info.run_id)
    client.delete_model_version("reg 1", "2")
    client.set_registered_model_alias("reg 1", "champ", "1")
    client.set_model_version_tag("reg 1", "1", "k", "v 🙂")
    client.set_registered_model_tag("reg 1", "rk", "rv")
    client.update_registered_model("reg 1", "desc")
    client.update_model_version("reg 1", "1", "vdesc")
    client.transition_model_version_stage("reg 1", "3", "Staging")
    client.set_logged_model_tags(made.model_id, {"mt": "1"})
    client.create_registered_model("no versions")
    other = client.create_experiment("deleted exp", tags={"et": "1"})
    kept = client.create_run(other, run_name="in the bin's experiment")
    client.set_terminated(kept.info.run_id, "KILLED")
    client.delete_experiment(other)
    print(parent.info.run_id)


if __name__ == "__main__":
    main(sys.argv[1])
