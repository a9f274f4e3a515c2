"""Cases of tracking that are easily got wrong, over the wire."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from lazulite.wire.mlflow import searches
from tests.wire.live import Answer, Live

API = "/api/2.0/mlflow"
ODD = "größe 😀 名前 \u202e é́"
KEY = "größe/名前"  # MLflow takes letters of every script in keys, and no emoji


def post(server: Live, path: str, body: Any) -> Answer:
    return server.call("POST", f"{API}/{path}", body)


def refused(answer: Answer, status: int, code: str) -> str:
    assert (answer.status, answer.body["error_code"]) == (status, code), answer.raw[:300]
    return str(answer.body["message"])


def experiment(server: Live, name: str) -> str:
    return str(post(server, "experiments/create", {"name": name}).body["experiment_id"])


def run_in(server: Live, experiment: str, **fields: Any) -> str:
    made = post(server, "runs/create", {"experiment_id": experiment, **fields})
    assert made.status == 200, made.raw
    return str(made.body["run"]["info"]["run_id"])


def point(run: str, **fields: Any) -> dict[str, Any]:
    return {"run_id": run, "key": "m", "value": 1.0, "timestamp": 1, "step": 0, **fields}


def search(server: Live, experiment: str, **fields: Any) -> Any:
    answer = post(server, "runs/search", {"experiment_ids": [experiment], **fields})
    assert answer.status == 200, answer.raw
    return answer.body


def names(found: Any) -> list[str]:
    return [run["info"]["run_name"] for run in found.get("runs", [])]


def mutations(token: str) -> Iterator[str]:
    """Yield tokens that are nearly right."""
    yield token[:-1]
    yield token[1:]
    yield token + "A"
    yield token.swapcase()
    yield token[::-1]
    place = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    digest, phase, values = place
    odd: list[Any] = [[], [None], ["x"], [1e308], [-(1 << 63)], {}, None, values * 100]
    for changed in (
        *([digest, phase, value] for value in odd if value != values),
        *([digest, value, values] for value in (-1, 7, 1 << 70, "0", None)),
        *([value, phase, values] for value in ("", "0" * 12, None, 7)),
        [digest, phase],
        {},
    ):
        yield base64.urlsafe_b64encode(json.dumps(changed).encode()).decode().rstrip("=")


def test_a_token_that_was_changed_is_refused_or_finds_runs(server: Live) -> None:
    own = experiment(server, "tokens")
    for number in range(4):
        run_in(server, own, run_name=f"r{number}", start_time=number + 1)
    first = search(server, own, max_results=2)
    assert names(first) == ["r3", "r2"]
    for token in mutations(first["next_page_token"]):
        body = {"experiment_ids": [own], "max_results": 2, "page_token": token}
        answer = post(server, "runs/search", body)
        assert answer.status in (200, 400), (token, answer.raw)
        if answer.status == 200:
            assert set(names(answer.body)) <= {"r0", "r1", "r2", "r3"}
        else:
            refused(answer, 400, "INVALID_PARAMETER_VALUE")
    last = search(server, own, max_results=2, page_token=first["next_page_token"])
    assert names(last) == ["r1", "r0"]


def test_a_token_of_a_history_that_was_changed_is_refused(server: Live) -> None:
    run = run_in(server, "0")
    for step in range(3):
        post(server, "runs/log-metric", point(run, step=step))
    path = f"{API}/metrics/get-history?run_id={run}&metric_key=m&max_results=1"
    token = server.get(path).body["next_page_token"]
    for changed in (token + "x", "-" * 400, "1:1", "nan:1:1", f"{1 << 64}:1:1", "1:1:nan", "%00"):
        answer = server.get(f"{path}&page_token={changed}")
        refused(answer, 400, "INVALID_PARAMETER_VALUE")


def test_the_runs_of_a_deleted_experiment_go_and_come_with_it(server: Live) -> None:
    own = experiment(server, "come and go")
    run = run_in(server, own, run_name="r")
    assert post(server, "experiments/delete", {"experiment_id": own}).status == 200
    refused(post(server, "runs/create", {"experiment_id": own}), 400, "INVALID_PARAMETER_VALUE")
    listed = post(server, "experiments/search", {"max_results": 1000}).body["experiments"]
    assert own not in [one["experiment_id"] for one in listed]
    found = server.get(f"{API}/experiments/get?experiment_id={own}").body["experiment"]
    assert found["lifecycle_stage"] == "deleted"
    assert post(server, "experiments/restore", {"experiment_id": own}).status == 200
    assert names(search(server, own)) == ["r"]
    assert post(server, "runs/log-metric", point(run)).status == 200


def test_the_name_of_a_deleted_experiment_stays_taken(server: Live) -> None:
    own = experiment(server, "taken")
    post(server, "experiments/delete", {"experiment_id": own})
    again = post(server, "experiments/create", {"name": "taken"})
    assert "taken" in refused(again, 400, "RESOURCE_ALREADY_EXISTS")
    assert post(server, "experiments/restore", {"experiment_id": own}).status == 200
    found = server.get(f"{API}/experiments/get-by-name?experiment_name=taken").body
    assert found["experiment"]["experiment_id"] == own


def test_a_param_may_be_repeated_and_not_changed(server: Live) -> None:
    run = run_in(server, "0")
    first = {"run_id": run, "key": "p", "value": "1"}
    assert post(server, "runs/log-parameter", first).status == 200
    assert post(server, "runs/log-parameter", first).status == 200
    changed = post(server, "runs/log-parameter", {**first, "value": "2"})
    assert "'p'" in refused(changed, 400, "INVALID_PARAMETER_VALUE")


def test_a_clock_that_goes_back_leaves_pages_in_order(server: Live) -> None:
    own = experiment(server, "clock")
    for name, begun in (("a", 3000), ("b", 1000), ("c", 2000), ("d", 1000)):
        run = run_in(server, own, run_name=name, start_time=begun)
        post(server, "runs/update", {"run_id": run, "status": "FINISHED", "end_time": 1})
    pages, token = [], ""
    while not pages or token:
        page = search(server, own, max_results=1, page_token=token)
        pages += names(page)
        token = page.get("next_page_token", "")
    assert pages == ["a", "c", "d", "b"]
    assert names(search(server, own, order_by=["attributes.duration ASC"]))[0] == "a"


def test_odd_names_are_kept_everywhere(server: Live) -> None:
    own = experiment(server, ODD)
    found = server.get(f"{API}/experiments/get?experiment_id={own}").body["experiment"]
    assert found["name"] == ODD
    run = run_in(server, own, run_name=ODD, tags=[{"key": KEY, "value": ODD}], user_id=ODD)
    batch = {
        "run_id": run,
        "metrics": [{"key": KEY, "value": 1, "timestamp": 1, "step": 1}],
        "params": [{"key": KEY, "value": ODD}],
    }
    assert post(server, "runs/log-batch", batch).status == 200
    text = f"params.`{KEY}` = '{ODD}' AND tags.`{KEY}` = '{ODD}' AND run_name = '{ODD}'"
    kept = search(server, own, filter=text, order_by=[f"metrics.`{KEY}` DESC"])["runs"][0]
    assert kept["info"]["user_id"] == ODD
    assert kept["data"]["metrics"][0]["key"] == KEY
    assert {"key": KEY, "value": ODD} in kept["data"]["tags"]


def test_infinities_and_nan_come_back_as_mlflow_has_them(server: Live) -> None:
    run = run_in(server, "0")
    for step, value in enumerate(["NaN", "Infinity", "-Infinity"]):
        assert post(server, "runs/log-metric", point(run, value=value, step=step)).status == 200
    path = f"{API}/metrics/get-history?run_id={run}&metric_key=m"
    values = [one["value"] for one in server.get(path).body["metrics"]]
    assert values == ["NaN", 1.7976931348623157e308, -1.7976931348623157e308]


def test_more_runs_than_a_page_come_in_one_answer(
    server: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searches, "PAGE", 100)
    own = experiment(server, "many")
    for number in range(250):
        run_in(server, own, run_name=f"r{number}", start_time=number + 1)
    expected = [f"r{number}" for number in reversed(range(250))]
    whole = search(server, own, max_results=50_000)
    assert names(whole) == expected
    assert "next_page_token" not in whole
    part = search(server, own, max_results=230)
    assert names(part) == expected[:230]
    rest = search(server, own, max_results=230, page_token=part["next_page_token"])
    assert names(rest) == expected[230:]
    assert names(search(server, own, max_results=250)) == expected
