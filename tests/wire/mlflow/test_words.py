"""The words that MLflow's clients, and the tests of those who use them, look for in answers."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.wire.live import Answer, Live

API = "/api/2.0/mlflow"
AJAX = "/ajax-api/2.0/mlflow"
BULK = "metrics/get-history-bulk"


@pytest.fixture(scope="module")
def run(server: Live) -> str:
    made = post(server, "runs/create", {"experiment_id": "0", "start_time": 1})
    return str(made.body["run"]["info"]["run_id"])


def post(server: Live, path: str, body: Any) -> Answer:
    return server.call("POST", f"{API}/{path}", body)


def ask(server: Live, path: str, **query: Any) -> Answer:
    return server.get(f"{AJAX}/{path}?{urlencode(query, doseq=True)}")


def told(answer: Answer) -> str:
    assert (answer.status, answer.body["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    return str(answer.body["message"])


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("experiments/create", {"name": 123}, "Invalid value 123 for parameter 'name' supplied"),
        ("experiments/create", {}, "Missing value for required parameter 'name'"),
        ("experiments/create", {"name": ""}, "Missing value for required parameter 'name'"),
        (
            "experiments/create",
            {"name": "x", "artifact_location": 9.0},
            "Invalid value 9.0 for parameter 'artifact_location'",
        ),
        (
            "experiments/create",
            {"name": "x", "tags": "5"},
            "Invalid value \"5\" for parameter 'tags'",
        ),
        ("experiments/update", {"experiment_id": "1"}, "required parameter 'new_name'"),
        ("runs/log-metric", {"run_id": 31}, "Invalid value 31 for parameter 'run_id' supplied"),
        ("runs/log-parameter", {"key": 31}, "Invalid value 31 for parameter 'key' supplied"),
        ("runs/set-tag", {"key": "k", "value": 4}, "Invalid value 4 for parameter 'value'"),
        ("runs/set-tag", {"key": None}, "Missing value for required parameter 'key'"),
        ("runs/log-batch", {"metrics": "foo"}, "Invalid value \"foo\" for parameter 'metrics'"),
        (
            "runs/log-batch",
            {"metrics": [{"key": "m", "value": 1, "timestamp": -5}]},
            "Invalid value -5 for parameter 'metrics[0].timestamp' supplied",
        ),
        ("runs/search", {"max_results": 123456789}, "Invalid value 123456789 for parameter"),
        ("runs/create", [], "Invalid value [] for parameter 'request' supplied"),
        ("experiments/search-datasets", {}, "must specify at least one experiment_id."),
        (
            "experiments/search-datasets",
            {"experiment_ids": ["1"] * 21},
            "cannot specify more than 20 experiment_ids. Received 21",
        ),
    ],
)
def test_a_wrong_field_is_named_with_its_value(
    server: Live, path: str, body: Any, words: str
) -> None:
    assert words in told(post(server, path, body))


@pytest.mark.parametrize(
    ("path", "query", "words"),
    [
        (BULK, {"metric_key": "k"}, "GetMetricHistoryBulk request must specify at least one"),
        (BULK, {"run_id": list("x" * 101), "metric_key": "k"}, "cannot specify more than 100"),
        (BULK, {"run_id": "1"}, "GetMetricHistoryBulk request must specify a metric_key"),
        (f"{BULK}-interval", {"metric_key": "k"}, "required parameter 'run_ids'."),
        (f"{BULK}-interval", {"run_ids": list("x" * 101)}, "must specify at most 100 run_ids."),
        (f"{BULK}-interval", {"run_ids": "1", "max_results": 5}, "parameter 'metric_key'"),
        (
            f"{BULK}-interval",
            {"run_ids": "1", "metric_key": "k", "max_results": 0},
            "max_results must be between 1 and 2500",
        ),
        (
            f"{BULK}-interval",
            {"run_ids": "1", "metric_key": "k", "start_step": 1, "end_step": 0},
            "end_step must be greater than start_step. ",
        ),
        (
            f"{BULK}-interval",
            {"run_ids": "1", "metric_key": "k", "start_step": 1},
            "If either start step or end step are specified, both must be specified.",
        ),
    ],
)
def test_a_wrong_question_about_curves_is_refused(
    server: Live, path: str, query: dict[str, Any], words: str
) -> None:
    assert words in told(ask(server, path, **query))


def test_a_changed_param_names_its_run(server: Live, run: str) -> None:
    post(server, "runs/log-parameter", {"run_id": run, "key": "p", "value": "a"})
    answer = post(server, "runs/log-parameter", {"run_id": run, "key": "p", "value": "b"})
    assert f"was already logged with value='a' for run ID='{run}'" in told(answer)


def test_a_bulk_history_has_no_more_points_than_asked(server: Live, run: str) -> None:
    points = [{"key": "few", "value": k, "timestamp": k, "step": k} for k in range(9)]
    post(server, "runs/log-batch", {"run_id": run, "metrics": points})
    found = ask(server, BULK, run_id=run, metric_key="few", max_results=2).body["metrics"]
    assert [point["step"] for point in found] == [0, 1]


def test_no_experiment_can_take_the_name_of_the_default_one(server: Live) -> None:
    for path, body in (
        ("experiments/create", {"name": "Default"}),
        ("experiments/update", {"experiment_id": "1", "new_name": "Default"}),
    ):
        answer = post(server, path, body)
        assert (answer.status, answer.body["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")


def test_the_data_of_an_experiment_is_listed_once_per_context(server: Live) -> None:
    experiment = post(server, "experiments/create", {"name": "has data"}).body["experiment_id"]
    dataset = {"name": "d", "digest": "abc", "source_type": "local", "source": "{}"}
    tags = [{"key": "mlflow.data.context", "value": "train"}]
    for _ in range(2):
        made = post(server, "runs/create", {"experiment_id": experiment})
        used = {"datasets": [{"dataset": dataset, "tags": tags}]}
        post(server, "runs/log-inputs", {"run_id": made.body["run"]["info"]["run_id"], **used})
    found = post(server, "experiments/search-datasets", {"experiment_ids": [experiment]})
    expected = {"experiment_id": experiment, "name": "d", "digest": "abc", "context": "train"}
    assert found.body == {"dataset_summaries": [expected]}


def test_a_deleted_version_number_is_never_given_again(server: Live, run: str) -> None:
    post(server, "registered-models/create", {"name": "once"})
    draft = {"name": "once", "source": f"runs:/{run}/model", "run_id": run}
    for number in ("1", "2"):
        made = post(server, "model-versions/create", draft).body["model_version"]
        assert made["version"] == number
    server.call("DELETE", f"{API}/model-versions/delete", {"name": "once", "version": "2"})
    assert post(server, "model-versions/create", draft).body["model_version"]["version"] == "3"


def test_a_version_made_of_a_version_is_of_the_same_run(server: Live, run: str) -> None:
    post(server, "registered-models/create", {"name": "copied"})
    first = {"name": "copied", "source": f"runs:/{run}/model", "run_id": run}
    post(server, "model-versions/create", first)
    again = {"name": "copied", "source": "models:/copied/1"}
    assert post(server, "model-versions/create", again).body["model_version"]["run_id"] == run


def test_names_are_sorted_by_timestamp(server: Live) -> None:
    for name in ("sorted-b", "sorted-a"):
        post(server, "registered-models/create", {"name": name})
    query = {"filter": "name LIKE 'sorted-%'", "order_by": "timestamp DESC"}
    found = ask(server, "registered-models/search", **query).body["registered_models"]
    assert [one["name"] for one in found] == ["sorted-a", "sorted-b"]


def test_what_the_registry_does_not_have_is_told_in_its_words(server: Live) -> None:
    post(server, "registered-models/create", {"name": "bare"})
    missing = ask(server, "registered-models/alias", name="bare", alias="none")
    assert told(missing) == "Registered model alias none not found."
    assert "required parameter 'experiment_ids'" in told(post(server, "logged-models/search", {}))
    made = post(server, "logged-models", {"experiment_id": "0", "name": "m"})
    model = made.body["model"]["info"]["model_id"]
    gone = server.call("DELETE", f"{API}/logged-models/{model}/tags/x")
    assert gone.status == 404
    assert gone.body["message"] == f"No tag with key 'x' found for model with ID '{model}'."


def test_a_search_in_no_experiment_finds_nothing_and_in_every_one_all(
    server: Live, run: str
) -> None:
    assert post(server, "runs/search", {}).body == {}
    body = {"experiment_ids": ["*"], "filter": f"run_id = '{run}'"}
    assert len(post(server, "runs/search", body).body["runs"]) == 1
