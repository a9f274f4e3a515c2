"""What no client of MLflow's sends of traces, and what must come of it."""

from __future__ import annotations

import subprocess
import sys
import uuid
from typing import Any

import pytest

from lazulite.domain.trace import MAX_LABELS
from tests.wire.live import Answer, Live

API = "/api/3.0/mlflow"


@pytest.fixture(scope="module")
def home(server: Live) -> str:
    body = {"name": uuid.uuid4().hex}
    made = server.call("POST", "/api/2.0/mlflow/experiments/create", body)
    return str(made.body["experiment_id"])


def an_info(home: str, **fields: Any) -> dict[str, Any]:
    return {
        "trace_id": f"tr-{uuid.uuid4().hex}",
        "trace_location": {
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": {"experiment_id": home},
        },
        "request_time": "2026-01-01T00:00:00Z",
        "state": "OK",
    } | fields


def start(server: Live, info: dict[str, Any]) -> Answer:
    return server.call("POST", f"{API}/traces", {"trace": {"trace_info": info}})


def a_trace(server: Live, home: str, **fields: Any) -> str:
    answer = start(server, an_info(home, **fields))
    assert answer.status == 200, answer.raw
    return str(answer.body["trace"]["trace_info"]["trace_id"])


@pytest.mark.parametrize(
    "fields",
    [
        {"request_time": "yesterday"},
        {"request_time": "1960-01-01T00:00:00Z"},
        {"request_time": 5},
        {"execution_duration": "long"},
        {"execution_duration": "1" * 400 + "s"},
        {"state": "HAPPY"},
        {"trace_id": ""},
        {"trace_id": "x" * 251},
        {"trace_id": "a\0b"},
        {"client_request_id": "x" * 251},
        {"trace_location": {}},
        {"trace_location": {"mlflow_experiment": {"experiment_id": "x"}}},
        {"tags": {str(at): "v" for at in range(MAX_LABELS + 1)}},
        {"tags": {"a": 1}},
        {"trace_metadata": []},
        {"assessments": [{"assessment_name": "x"}]},
        {"assessments": [{"assessment_name": "", "feedback": {"value": 1}}]},
        {"assessments": [{"assessment_name": "x", "feedback": {}, "issue": {}}]},
    ],
    ids=lambda fields: str(fields)[:40],
)
def test_a_trace_that_is_none_is_refused(server: Live, home: str, fields: dict[str, Any]) -> None:
    answer = start(server, an_info(home, **fields))
    assert answer.status == 400, answer.raw[:300]
    assert answer.body["error_code"] == "INVALID_PARAMETER_VALUE"


def test_an_experiment_that_is_not_there_takes_no_trace(server: Live) -> None:
    assert start(server, an_info("99999999")).status == 404


def test_what_is_told_of_a_trace_comes_back(server: Live, home: str) -> None:
    said = {
        "assessment_name": "x",
        "feedback": {"value": None, "error": {"error_code": "E", "error_message": "m"}},
        "source": {"source_type": "CODE", "source_id": "me"},
        "create_time": "2026-01-01T00:00:00.250Z",
        "metadata": {"a": "b"},
        "span_id": "00f067aa0ba902b7",
    }
    info = an_info(
        home,
        execution_duration="1.25s",
        request_time="2026-01-01T01:00:00.123456789+01:00",
        tags={"k\0": "v" * 9000, "mlflow.trace.spansLocation": "elsewhere"},
        trace_metadata={"m": "", "mlflow.trace.infoFinalized": "false"},
        request_preview="<script>\0",
        assessments=[said],
    )
    found = start(server, info).body["trace"]["trace_info"]
    assert (found["request_time"], found["execution_duration"]) == (
        "2026-01-01T00:00:00.123Z",
        "1.250s",
    )
    assert len(found["tags"]["k\ufffd"]) == 8000
    assert found["tags"]["mlflow.trace.spansLocation"] == "TRACKING_STORE"
    assert found["trace_metadata"] == {"m": "", "mlflow.trace.infoFinalized": "true"}
    assert found["request_preview"] == "<script>\ufffd"
    (kept,) = found["assessments"]
    assert kept.items() >= {"span_id": said["span_id"], "feedback": said["feedback"]}.items()
    assert kept["create_time"] == said["create_time"]


def test_a_trace_that_is_told_again_is_the_same(server: Live, home: str) -> None:
    info = an_info(home, tags={"a": "1"})
    for tags in ({"a": "1"}, {"a": "2", "b": "1"}):
        answer = start(server, info | {"tags": tags})
    found = answer.body["trace"]["trace_info"]["tags"]
    assert (found["a"], found["b"]) == ("2", "1")


@pytest.mark.parametrize(
    "body",
    [
        {"max_results": 10**9},
        {"max_results": 0},
        {"max_results": "many"},
        {"page_token": "forged"},
        {"filter": "span.colour = 'x'"},
        {"filter": "metrics.x > 1"},
        {"filter": "text = 'x'"},
        {"filter": "timestamp IN (1, 2)"},
        {"filter": "(" * 5000},
        {"order_by": ["span.name"]},
        {"order_by": ["feedback.x"]},
        {"order_by": ["timestamp"] * 11},
        {"locations": "x"},
    ],
    ids=lambda body: str(body)[:40],
)
def test_a_search_that_is_none_is_refused(server: Live, home: str, body: dict[str, Any]) -> None:
    here = {"locations": [{"mlflow_experiment": {"experiment_id": home}}]}
    answer = server.call("POST", f"{API}/traces/search", here | body)
    assert (answer.status, answer.body["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_traces_of_a_place_that_is_not_here_are_none(server: Live, home: str) -> None:
    a_trace(server, home)
    body = {"locations": [{"type": "UC_SCHEMA", "uc_schema": {"catalog_name": "c"}}]}
    assert server.call("POST", f"{API}/traces/search", body).body == {"traces": []}


def test_a_trace_without_its_spans_is_got_in_part_or_not_at_all(server: Live, home: str) -> None:
    sizes = {"mlflow.trace.sizeStats": '{"num_spans": 2}'}
    trace = a_trace(server, home, trace_metadata=sizes)
    path = f"{API}/traces/get?trace_id={trace}"
    assert server.get(f"{path}&allow_partial=True").body["trace"]["spans"] == []
    answer = server.get(path)
    assert (answer.status, answer.body["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert "not fully exported yet" in answer.body["message"]
    assert server.get(f"{API}/traces/batchGet?trace_ids={trace}").body == {"traces": []}
    infos = server.call("POST", f"{API}/traces/batchGetInfos", {"trace_ids": [trace, "tr-no"]})
    assert [one["trace_id"] for one in infos.body["trace_infos"]] == [trace]


def test_too_many_traces_at_once_are_refused(server: Live) -> None:
    names = "&".join(f"trace_ids=tr-{at}" for at in range(501))
    assert server.get(f"{API}/traces/batchGet?{names}").status == 413
    assert server.get(f"{API}/traces/batchGet").status == 400
    linked = {"run_id": "r", "trace_ids": [str(at) for at in range(101)]}
    assert server.call("POST", "/api/2.0/mlflow/traces/link-to-run", linked).status == 400


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"max_traces": 5},
        {"max_timestamp_millis": 5, "request_ids": ["a"]},
        {"request_ids": ["a"], "max_traces": 1},
        {"max_timestamp_millis": 5, "max_traces": 0},
        {"max_timestamp_millis": 2**80},
    ],
    ids=str,
)
def test_it_must_be_said_which_traces_to_delete(
    server: Live, home: str, body: dict[str, Any]
) -> None:
    trace = a_trace(server, home)
    answer = server.call("POST", f"{API}/traces/delete-traces", {"experiment_id": home, **body})
    assert answer.status == 400
    assert server.get(f"{API}/traces/{trace}").status == 200


@pytest.mark.parametrize(
    ("assessment", "mask"),
    [
        ({"feedback": {"value": 1}}, "source"),
        ({"expectation": {"value": 1}}, "expectation"),
        ({"feedback": {"value": 1}, "expectation": {"value": 1}}, "feedback"),
        ({}, "feedback"),
        ({}, {"paths": ["valid"]}),
    ],
)
def test_an_edit_that_makes_no_sense_is_refused(
    server: Live, home: str, assessment: dict[str, Any], mask: Any
) -> None:
    trace = a_trace(server, home)
    said = {"assessment": {"assessment_name": "x", "feedback": {"value": 1}}}
    path = f"{API}/traces/{trace}/assessments"
    made = server.call("POST", path, said).body["assessment"]["assessment_id"]
    edit = {"assessment": assessment, "update_mask": mask}
    assert server.call("PATCH", f"{path}/{made}", edit).status == 400


def test_an_assessment_overrides_none_that_is_not_there(server: Live, home: str) -> None:
    trace = a_trace(server, home)
    said = {"assessment_name": "x", "feedback": {"value": 1}, "overrides": "a-nobody"}
    answer = server.call("POST", f"{API}/traces/{trace}/assessments", {"assessment": said})
    assert (answer.status, answer.body["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert "assessments" not in server.get(f"{API}/traces/{trace}").body["trace"]["trace_info"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"{API}/traces/metrics"),
        ("POST", f"{API}/traces/calculate-filter-correlation"),
        ("POST", "/api/2.0/mlflow/traces/link-prompts"),
        ("POST", "/api/2.0/mlflow/traces"),
        ("GET", "/api/2.0/mlflow/traces?experiment_ids=0"),
        ("PATCH", "/api/2.0/mlflow/traces/tr-1"),
        ("GET", "/api/2.0/mlflow/traces/tr-1/info"),
    ],
)
def test_what_is_not_built_answers_501(server: Live, method: str, path: str) -> None:
    answer = server.call(method, path, None if method == "GET" else {})
    assert (answer.status, answer.body["error_code"]) == (501, "NOT_IMPLEMENTED")


def test_a_server_that_sees_no_trace_never_loads_protobuf() -> None:
    code = (
        "import sys, lazulite.wiring, lazulite.wire.routes; print('google.protobuf' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
