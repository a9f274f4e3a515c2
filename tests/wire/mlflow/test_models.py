"""Logged models, datasets and the registry, by the unmodified MLflow client."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from tests.wire.live import SCOPE, Live


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """MLflow and scikit-learn warn of each other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture
def model(mlflow: Any) -> Any:
    """A model that was logged and registered as `m-NAME`, and its name there."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression().fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
    name = f"reg-{abs(hash(mlflow.get_tracking_uri()))}"
    with mlflow.start_run():
        info = mlflow.sklearn.log_model(
            fitted, name="model", registered_model_name=name, pip_requirements=["scikit-learn"]
        )
    return info, name


@pytest.mark.slow
@pytest.mark.parametrize("uri", ["workspace"], indirect=True)
def test_a_model_is_loaded_by_every_form_of_uri(mlflow: Any, client: Any, model: Any) -> None:
    info, name = model
    version = client.get_latest_versions(name)[0].version
    client.set_registered_model_alias(name, "best", version)
    client.transition_model_version_stage(name, version, "Production")
    forms = [
        info.model_uri,
        f"models:/{info.model_id}",
        f"runs:/{info.run_id}/model",
        f"models:/{name}/{version}",
        f"models:/{name}@best",
        f"models:/{name}/Production",
        f"models:/{name}/latest",
    ]
    for uri in forms:
        loaded = mlflow.sklearn.load_model(uri)
        assert list(loaded.predict([[0.0], [3.0]])) == [0, 1], uri
    assert list(mlflow.pyfunc.load_model(forms[3]).predict([[3.0]])) == [1]
    mlflow.register_model(info.model_uri, "räd 50% no 1")
    assert mlflow.sklearn.load_model("models:/räd 50% no 1/1").predict([[3.0]])[0] == 1


@pytest.mark.slow
@pytest.mark.parametrize("uri", ["workspace"], indirect=True)
def test_a_model_of_one_client_is_the_same_model_in_the_other(
    server: Live, client: Any, model: Any
) -> None:
    _, name = model
    version = client.get_latest_versions(name)[0]
    asset = server.get(f"{SCOPE}/models/{name}/versions/{version.version}").body["properties"]
    assert asset["modelType"] == "mlflow_model"
    assert asset["modelUri"].startswith("azureml://datastores/workspaceartifactstore/paths/")
    other = {"modelUri": asset["modelUri"], "modelType": "mlflow_model", "tags": {"by": "azure"}}
    put = server.put(f"{SCOPE}/models/{name}-azure/versions/7", {"properties": other})
    assert put.status == 201
    found = client.get_model_version(f"{name}-azure", "7")
    assert (found.tags, found.current_stage) == ({"by": "azure"}, "None")
    import mlflow

    assert mlflow.sklearn.load_model(f"models:/{name}-azure/7").predict([[3.0]])[0] == 1


@pytest.mark.slow
@pytest.mark.parametrize("uri", ["workspace"], indirect=True)
def test_a_grid_search_logs_itself(mlflow: Any, client: Any) -> None:
    import numpy
    from sklearn.model_selection import GridSearchCV
    from sklearn.tree import DecisionTreeClassifier

    mlflow.sklearn.autolog(max_tuning_runs=3)
    try:
        with mlflow.start_run() as run:
            grid = GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2]}, cv=2)
            grid.fit(numpy.arange(20.0).reshape(-1, 1), numpy.arange(20) % 2)
    finally:
        mlflow.sklearn.autolog(disable=True)
    found = client.get_run(run.info.run_id)
    assert "best_cv_score" in found.data.metrics
    assert found.data.params["best_max_depth"] in ("1", "2")
    assert len(found.outputs.model_outputs) == 2
    assert found.inputs.dataset_inputs[0].dataset.name == "dataset"
    children = client.search_runs(
        [run.info.experiment_id], f"tags.mlflow.parentRunId = '{run.info.run_id}'"
    )
    assert len(children) == 2
    text = "datasets.context = 'train' AND datasets.name = 'dataset'"
    assert len(client.search_runs([run.info.experiment_id], text)) == 3  # its children too


def test_the_registry_is_kept(client: Any, mlflow: Any, uri: str) -> None:
    name = f"kept {abs(hash(uri))}"
    client.create_registered_model(name, tags={"team": "blue"}, description="d")
    with pytest.raises(mlflow.MlflowException, match="already exists") as refused:
        client.create_registered_model(name)
    assert refused.value.error_code == "RESOURCE_ALREADY_EXISTS"
    run = client.create_run("0").info
    source = f"{run.artifact_uri}/model"
    one = client.create_model_version(name, source, run.run_id, tags={"a": "1"}, description="x")
    two = client.create_model_version(name, source, run.run_id)
    assert (str(one.version), str(two.version)) == ("1", "2")
    assert (one.source, one.run_id) == (source, run.run_id)
    client.set_registered_model_alias(name, "champion", "1")
    assert str(client.get_model_version_by_alias(name, "champion").version) == "1"
    assert client.get_registered_model(name).aliases == {"champion": "1"}
    client.set_model_version_tag(name, "1", "b", "2")
    client.delete_model_version_tag(name, "1", "a")
    assert client.get_model_version(name, "1").tags == {"b": "2"}
    client.update_model_version(name, "1", "better")
    client.transition_model_version_stage(name, "1", "Staging")
    client.transition_model_version_stage(name, "2", "Staging", archive_existing_versions=True)
    assert client.get_model_version(name, "1").current_stage == "Archived"
    assert len(client.search_model_versions(f"name = '{name}'")) == 2
    assert len(client.search_model_versions(f"name = '{name}' AND tags.b = '2'")) == 1
    client.set_registered_model_tag(name, "t", "v")
    client.delete_registered_model_tag(name, "team")
    assert client.search_registered_models("tags.t = 'v' AND name LIKE 'kept%'")[0].name == name
    client.rename_registered_model(name, name + "2")
    client.update_registered_model(name + "2", "new words")
    assert client.get_registered_model(name + "2").description == "new words"
    client.delete_registered_model_alias(name + "2", "champion")
    client.delete_model_version(name + "2", "1")
    client.delete_registered_model(name + "2")
    with pytest.raises(mlflow.MlflowException, match="not found"):
        client.get_registered_model(name + "2")


@pytest.mark.parametrize(
    "source", ["file:///etc", "s3://bucket/x", "/etc/passwd", "mlflow-artifacts:/0/../x"]
)
def test_a_model_from_elsewhere_is_refused(client: Any, mlflow: Any, source: str) -> None:
    name = f"else-{abs(hash((source, mlflow.get_tracking_uri())))}"
    client.create_registered_model(name)
    with pytest.raises(mlflow.MlflowException, match=r"source|path") as refused:
        client.create_model_version(name, source)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


def test_a_logged_model_is_searched_tagged_and_deleted(mlflow: Any, client: Any) -> None:
    experiment = client.create_run("0").info.experiment_id
    made = client.create_logged_model(experiment, "one", tags={"a": "1"}, params={"p": "q"})
    run = client.create_run(experiment).info.run_id
    client.log_metric(run, "acc", 0.9, model_id=made.model_id)
    client.set_logged_model_tags(made.model_id, {"b": "2"})
    client.delete_logged_model_tag(made.model_id, "a")
    client.finalize_logged_model(made.model_id, "READY")
    found = client.get_logged_model(made.model_id)
    assert (found.tags, found.params, str(found.status)) == ({"b": "2"}, {"p": "q"}, "READY")
    assert [(m.key, m.value) for m in found.metrics] == [("acc", 0.9)]
    text = f"metrics.acc > 0.5 AND model_id = '{made.model_id}'"
    assert len(client.search_logged_models([experiment], text)) == 1
    assert len(client.search_logged_models([experiment], "params.p = 'z'")) == 0
    client.delete_logged_model(made.model_id)
    with pytest.raises(mlflow.MlflowException, match="not found"):
        client.get_logged_model(made.model_id)


def test_a_prompt_is_kept(mlflow: Any, uri: str) -> None:
    name = f"prompt-{abs(hash(uri))}"
    made = mlflow.genai.register_prompt(name=name, template="Hello {{who}}")
    assert mlflow.genai.load_prompt(f"prompts:/{name}/{made.version}").format(who="you") == (
        "Hello you"
    )
