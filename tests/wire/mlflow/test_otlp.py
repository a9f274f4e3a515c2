"""Spans from exporters of OpenTelemetry's own, and what no exporter sends."""

from __future__ import annotations

import gzip
import json
import uuid
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from lazulite.domain.trace import MAX_LABELS
from lazulite.formats import otlp, otlp_size
from tests.wire.live import SCOPE, Answer, Live

API = "/api/3.0/mlflow"
PROTOBUF = {"Content_Type": "application/x-protobuf"}


@pytest.fixture
def home(server: Live) -> str:
    """The id of an experiment."""
    body = {"name": uuid.uuid4().hex}
    made = server.call("POST", "/api/2.0/mlflow/experiments/create", body)
    return str(made.body["experiment_id"])


def a_request(*spans: dict[str, Any], **resource: str) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    part = request.resource_spans.add()
    for key, value in resource.items():
        part.resource.attributes.add(key=key).value.string_value = value
    scope = part.scope_spans.add()
    for given in spans:
        what = {"name": "s", "start_time_unix_nano": 1_000_000, "end_time_unix_nano": 3_000_000}
        span = scope.spans.add(**what | given)
        span.span_id = span.span_id or uuid.uuid4().bytes[:8]
    return request


def a_trace() -> tuple[bytes, str]:
    raw = uuid.uuid4().bytes
    return raw, f"tr-{raw.hex()}"


def export(server: Live, home: str | None, body: bytes, **headers: Any) -> Answer:
    where = {} if home is None else {"X_Mlflow_Experiment_Id": home}
    return server.call("POST", "/v1/traces", body, **(PROTOBUF | where | headers))


def get(server: Live, trace: str) -> Any:
    answer = server.get(f"{API}/traces/get?trace_id={trace}&allow_partial=true")
    assert answer.status == 200, answer.raw
    return answer.body["trace"]


def test_an_exporter_of_opentelemetry_s_own_needs_no_mlflow(server: Live, home: str) -> None:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    headers = {
        "Authorization": f"Bearer {server.tokens.owner}",
        "X-Mlflow-Experiment-Id": home,
    }
    exporter = OTLPSpanExporter(
        f"{server.http}/mlflow/v1.0{SCOPE}/v1/traces", headers=headers, compression=Compression.Gzip
    )
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("t")
    with tracer.start_as_current_span("checkout") as root:
        with tracer.start_as_current_span("pay", attributes={"n": [1, 2], "ok": True}):
            pass
        root.set_attribute("session.id", "s-1")
    provider.shutdown()
    trace = get(server, f"tr-{root.get_span_context().trace_id:032x}")
    info = trace["trace_info"]
    assert (info["state"], info["tags"]["mlflow.traceName"]) == ("OK", "checkout")
    assert info["tags"]["service.name"] == "shop"
    assert info["trace_metadata"] == {"mlflow.trace.session": "s-1"}
    assert [span["name"] for span in trace["spans"]] == ["checkout", "pay"]


def test_spans_come_in_any_order_and_again(server: Live, home: str) -> None:
    raw, name = a_trace()
    root, child = b"rootroot", b"childchi"
    inner = a_request({
        "trace_id": raw, "span_id": child, "parent_span_id": root,
        "start_time_unix_nano": 2_000_000, "end_time_unix_nano": 9_000_000,
    })  # fmt: skip
    assert export(server, home, inner.SerializeToString()).status == 200
    before = get(server, name)["trace_info"]
    assert (before["state"], before["execution_duration"]) == ("IN_PROGRESS", "0.007s")
    outer = a_request({"trace_id": raw, "span_id": root, "status": {"code": 2}})
    for _ in range(2):
        assert export(server, home, outer.SerializeToString()).status == 200
    after = get(server, name)
    info = after["trace_info"]
    assert (info["state"], info["execution_duration"]) == ("ERROR", "0.008s")
    assert info["request_time"] == "1970-01-01T00:00:00.001Z"
    assert len(after["spans"]) == 2


def test_one_request_may_have_many_traces_and_one_trace_many_resources(
    server: Live, home: str
) -> None:
    (one, one_name), (two, two_name) = a_trace(), a_trace()
    request = a_request({"trace_id": one}, {"trace_id": two}, service="a")
    more = a_request({"trace_id": one, "start_time_unix_nano": 0}, zone="b")
    request.MergeFrom(more)
    assert export(server, home, request.SerializeToString()).status == 200
    first, second = get(server, one_name), get(server, two_name)
    assert (len(first["spans"]), len(second["spans"])) == (2, 1)
    assert first["trace_info"]["tags"].items() >= {"service": "a", "zone": "b"}.items()


def test_tokens_are_added_up_but_not_twice(server: Live, home: str) -> None:
    raw, name = a_trace()
    request = a_request(
        {"trace_id": raw, "span_id": b"aaaaaaaa"},
        {"trace_id": raw, "span_id": b"bbbbbbbb", "parent_span_id": b"aaaaaaaa"},
        {"trace_id": raw, "span_id": b"cccccccc", "parent_span_id": b"bbbbbbbb"},
    )
    _, inner, innermost = request.resource_spans[0].scope_spans[0].spans
    for span, value in ((inner, 5), (innermost, 5)):
        span.attributes.add(key="gen_ai.usage.input_tokens").value.int_value = value
    export(server, home, request.SerializeToString())
    other = a_request({"trace_id": raw, "parent_span_id": b"aaaaaaaa"})
    (span,) = other.resource_spans[0].scope_spans[0].spans
    used = span.attributes.add(key="mlflow.chat.tokenUsage")
    used.value.string_value = '{"input_tokens": 2, "output_tokens": 1, "total_tokens": 3}'
    export(server, home, other.SerializeToString())
    found = get(server, name)["trace_info"]["trace_metadata"]["mlflow.trace.tokenUsage"]
    assert json.loads(found) == {"input_tokens": 7, "output_tokens": 1, "total_tokens": 8}


def test_json_is_taken_too(server: Live, home: str) -> None:
    raw, name = a_trace()
    span = {
        "traceId": raw.hex(),
        "spanId": "00f067aa0ba902b7",
        "name": "ünï",
        "startTimeUnixNano": "1544712660000000000",
        "endTimeUnixNano": "1544712661000000000",
        "kind": 2,
        "attributes": [{"key": "n", "value": {"intValue": "7"}}],
        "unknown": 1,
    }
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
    answer = export(server, home, body, Content_Type="application/json; charset=utf-8")
    assert (answer.status, answer.body) == (200, {})
    (found,) = get(server, name)["spans"]
    assert (found["name"], found["attributes"][1]["value"]) == ("ünï", {"int_value": 7})


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw"])
def test_bodies_may_be_compressed(server: Live, home: str, encoding: str) -> None:
    raw, name = a_trace()
    body = a_request({"trace_id": raw}).SerializeToString()
    squeezed = {
        "gzip": gzip.compress(body),
        "deflate": zlib.compress(body),
        "raw": zlib.compress(body, wbits=-15),
    }[encoding]
    header = {"Content_Encoding": "gzip" if encoding == "gzip" else "deflate"}
    assert export(server, home, squeezed, **header).status == 200
    assert len(get(server, name)["spans"]) == 1


def test_a_bomb_is_refused_before_it_goes_off(server: Live, home: str) -> None:
    bomb = gzip.compress(bytes(otlp.MAX_INFLATED + 1))
    answer = export(server, home, bomb, Content_Encoding="gzip")
    assert (answer.status, answer.body["error_code"]) == (413, "REQUEST_LIMIT_EXCEEDED")


def test_many_messages_of_two_bytes_are_refused_before_they_are_made(
    server: Live, home: str
) -> None:
    bomb = gzip.compress(b"\x0a\x00" * (otlp_size.MAX_FIELDS + 1))  # 2 KB that took 250 MB
    answer = export(server, home, bomb, Content_Encoding="gzip")
    assert (answer.status, answer.body["error_code"]) == (413, "REQUEST_LIMIT_EXCEEDED")


def bad() -> Iterator[tuple[str, bytes, dict[str, str], int]]:
    """What it is, the body, headers, and the status it gets."""
    good = a_request({"trace_id": a_trace()[0]}).SerializeToString()
    yield "no protobuf", b"\xff\xff\xff", {}, 400
    yield "nothing", b"", {}, 400
    yield "another type", good, {"Content_Type": "text/plain"}, 400
    yield "another encoding", good, {"Content_Encoding": "br"}, 400
    yield "not gzip", good, {"Content_Encoding": "gzip"}, 400
    yield "half a gzip", gzip.compress(good)[:-9], {"Content_Encoding": "gzip"}, 400
    yield "no json", b"{", {"Content_Type": "application/json"}, 400
    yield "json of something", b"[1]", {"Content_Type": "application/json"}, 400
    yield "odd json", b'{"resourceSpans": [1]}', {"Content_Type": "application/json"}, 400
    deep = b'{"resourceSpans":' + b"[" * 100_000
    yield "deep json", deep, {"Content_Type": "application/json"}, 400
    yield "no ids", a_request({"name": "x"}).SerializeToString(), {}, 400
    yield "a zero id", a_request({"trace_id": bytes(16)}).SerializeToString(), {}, 400
    yield "a long id", a_request({"trace_id": b"x" * 17}).SerializeToString(), {}, 400
    late = {"trace_id": b"x" * 16, "start_time_unix_nano": 2**64 - 1}
    yield "too late", a_request(late).SerializeToString(), {}, 400
    yield "another experiment", good, {"X_Mlflow_Experiment_Id": "999999"}, 404
    yield "no experiment", good, {"X_Mlflow_Experiment_Id": "x'--"}, 400
    yield "no run", good, {"X_Mlflow_Run_Id": "nobody"}, 404


@pytest.mark.parametrize("case", list(bad()), ids=lambda case: case[0])
def test_what_is_wrong_is_refused_in_the_shape_of_mlflow(
    server: Live, home: str, case: tuple[str, bytes, dict[str, str], int]
) -> None:
    _, body, headers, status = case
    answer = export(server, home, body, **headers)
    assert (answer.status, "error_code" in answer.body) == (status, True), answer.raw
    here = {"locations": [{"mlflow_experiment": {"experiment_id": home}}]}
    assert server.call("POST", f"{API}/traces/search", here).body == {"traces": []}


def test_without_an_experiment_the_owner_is_told_what_to_send(server: Live) -> None:
    body = a_request({"trace_id": a_trace()[0]}).SerializeToString()
    answer = export(server, None, body)
    assert answer.status == 400
    assert "X-Mlflow-Experiment-Id" in answer.body["message"]


def test_odd_attributes_are_kept_as_json_can_say_them(server: Live, home: str) -> None:
    raw, name = a_trace()
    request = a_request({"trace_id": raw, "name": "a\0b<script>"})
    (span,) = request.resource_spans[0].scope_spans[0].spans
    span.attributes.add(key="bytes").value.bytes_value = b"\0\xff"
    span.attributes.add(key="nan").value.double_value = float("nan")
    span.attributes.add(key="inf").value.double_value = float("-inf")
    span.attributes.add(key="nul").value.string_value = "\0"
    span.attributes.add(key="empty")
    export(server, home, request.SerializeToString())
    (found,) = get(server, name)["spans"]
    assert found["name"] == "a\ufffdb<script>"
    values = {one["key"]: one["value"] for one in found["attributes"]}
    assert values["bytes"] == {"string_value": "AP8="}
    assert values["nan"] == {"string_value": "NaN"}
    assert values["inf"] == {"string_value": "-Infinity"}
    assert (values["nul"], values["empty"]) == ({"string_value": "\ufffd"}, {})


def test_an_attribute_that_is_nested_too_deep_is_refused(server: Live, home: str) -> None:
    raw, _ = a_trace()
    request = a_request({"trace_id": raw})
    (span,) = request.resource_spans[0].scope_spans[0].spans
    value = span.attributes.add(key="deep").value
    for _ in range(otlp.MAX_DEPTH + 1):
        value = value.array_value.values.add()
    assert export(server, home, request.SerializeToString()).status == 400


def test_too_many_spans_are_refused(
    server: Live, home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otlp, "MAX_SPANS", 2)
    raw, _ = a_trace()
    assert (
        export(server, home, a_request(*[{"trace_id": raw}] * 2).SerializeToString()).status == 200
    )
    assert (
        export(server, home, a_request(*[{"trace_id": raw}] * 3).SerializeToString()).status == 413
    )


def test_nobody_sends_spans_without_a_token(server: Live, home: str) -> None:
    answer = export(server, home, b"", token=None)
    assert (answer.status, answer.body["error_code"]) == (401, "UNAUTHENTICATED")


def test_what_a_job_traces_is_its_run_s(server: Live) -> None:
    job, token = server.running(f"j-{uuid.uuid4().hex}")
    raw, name = a_trace()
    body = a_request({"trace_id": raw}).SerializeToString()
    assert export(server, None, body, token=token).status == 200
    info = get(server, name)["trace_info"]
    assert info["trace_metadata"]["mlflow.sourceRun"] == job.name
    run = server.get(f"/api/2.0/mlflow/runs/get?run_id={job.name}").body["run"]["info"]
    assert info["trace_location"]["mlflow_experiment"]["experiment_id"] == run["experiment_id"]


def test_a_job_changes_no_trace_of_another_s_run(server: Live, home: str) -> None:
    _, token = server.running(f"j-{uuid.uuid4().hex}")
    theirs, their_token = server.running(f"j-{uuid.uuid4().hex}")
    raw, name = a_trace()
    body = a_request({"trace_id": raw}).SerializeToString()
    assert export(server, None, body, token=their_token).status == 200
    one, said = f"{API}/traces/{name}", {"assessment_name": "x", "feedback": {"value": 1}}
    info = {
        "trace_id": f"{name}-2",
        "trace_location": {"mlflow_experiment": {"experiment_id": home}},
        "request_time": "2026-01-01T00:00:00Z",
        "trace_metadata": {"mlflow.sourceRun": theirs.name},
    }
    acts: list[tuple[str, str, Any]] = [
        ("PATCH", f"{one}/tags", {"key": "a", "value": "b"}),
        ("POST", f"{one}/assessments", {"assessment": said}),
        ("POST", f"{API}/traces", {"trace": {"trace_info": info}}),
        ("POST", "/api/2.0/mlflow/traces/link-to-run", {"run_id": theirs.name, "trace_ids": []}),
        (
            "POST",
            f"{API}/traces/delete-traces",
            {"experiment_id": home, "max_timestamp_millis": 10**13},
        ),
    ]
    for method, path, sent in acts:
        answer = server.call(method, path, sent, token=token)
        assert (answer.status, answer.body["error_code"]) == (403, "PERMISSION_DENIED"), path
    assert export(server, None, body, token=token).status == 403
    assert server.get(one, token=token).status == 200


def test_a_resource_of_too_many_attributes_is_cut_or_refused(
    server: Live, home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw, name = a_trace()
    many = a_request({"trace_id": raw}, **{f"k{at}": "v" for at in range(MAX_LABELS + 50)})
    assert export(server, home, many.SerializeToString()).status == 200
    assert len(get(server, name)["trace_info"]["tags"]) == MAX_LABELS + 3
    monkeypatch.setattr("lazulite.services.traces.MAX_TOLD", MAX_LABELS)
    assert export(server, home, many.SerializeToString()).status == 413
