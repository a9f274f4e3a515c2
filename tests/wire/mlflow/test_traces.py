"""What a user does with traces and the unmodified MLflow client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytestmark = pytest.mark.slow  # the client waits for its own queue


@pytest.fixture
def traced(mlflow: Any) -> Any:
    """A function that is traced: a chain with a call of a language model in it."""

    @mlflow.trace(name="answer", span_type="CHAIN", attributes={"k": "v"})
    def answer(question: str) -> str:
        with mlflow.start_span("model", span_type="LLM") as span:
            span.set_inputs({"messages": [{"role": "user", "content": question}]})
            span.set_attribute(
                "mlflow.chat.tokenUsage", {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
            )
            span.set_outputs([1, 2.5, None, True, {"ü": "<b>"}])
        if question == "bad":
            raise ValueError("boom")
        return question.upper()

    return answer


def last(mlflow: Any) -> str:
    mlflow.flush_trace_async_logging()
    return str(mlflow.get_last_active_trace_id())


def experiment(mlflow: Any, name: str) -> str:
    return str(mlflow.get_experiment_by_name(name).experiment_id)


def test_a_trace_is_read_with_its_spans(mlflow: Any, traced: Any) -> None:
    assert traced("why") == "WHY"
    found = mlflow.get_trace(last(mlflow))
    assert (found.info.state, found.info.request_preview) == ("OK", '{"question": "why"}')
    assert found.info.response_preview == '"WHY"'
    assert found.info.token_usage == {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    root, model = found.data.spans
    assert (root.name, root.span_type, root.parent_id) == ("answer", "CHAIN", None)
    assert (model.name, model.span_type, model.parent_id) == ("model", "LLM", root.span_id)
    assert (root.attributes["k"], root.inputs) == ("v", {"question": "why"})
    assert model.outputs == [1, 2.5, None, True, {"ü": "<b>"}]
    assert root.start_time_ns <= model.start_time_ns <= model.end_time_ns <= root.end_time_ns


def test_an_exception_is_an_event_of_its_span(mlflow: Any, traced: Any) -> None:
    with pytest.raises(ValueError, match="boom"):
        traced("bad")
    found = mlflow.get_trace(last(mlflow))
    assert (found.info.state, found.data.spans[0].status.status_code) == ("ERROR", "ERROR")
    (event,) = found.data.spans[0].events
    assert event.attributes["exception.message"] == "boom"


def test_traces_are_searched_as_a_table_and_as_a_list(
    mlflow: Any, traced: Any, request: pytest.FixtureRequest
) -> None:
    here = experiment(mlflow, request.node.name)
    for at in range(3):
        traced(f"q{at}")
    with pytest.raises(ValueError, match="boom"):
        traced("bad")
    last(mlflow)
    table = mlflow.search_traces(locations=[here])
    questions = sorted(one["question"] for one in table["request"])
    assert questions == ["bad", "q0", "q1", "q2"]
    listed = mlflow.search_traces(
        locations=[here], filter_string="status = 'ERROR'", return_type="list"
    )
    assert [one.info.state for one in listed] == ["ERROR"]
    found = mlflow.search_traces(
        locations=[here],
        filter_string="NOT status = 'ERROR' AND span.type = 'LLM'",
        return_type="list",
        order_by=["timestamp ASC"],
        max_results=2,
    )
    assert {one.data.spans[0].inputs["question"] for one in found} < {"q0", "q1", "q2"}


def test_pages_of_traces_follow_each_other(
    mlflow: Any, client: Any, traced: Any, request: pytest.FixtureRequest
) -> None:
    here = experiment(mlflow, request.node.name)
    for at in range(5):
        traced(str(at))
    last(mlflow)
    first = client.search_traces(locations=[here], max_results=3)
    second = client.search_traces(locations=[here], max_results=3, page_token=first.token)
    assert [len(first), len(second), second.token] == [3, 2, None]
    assert len({one.info.trace_id for one in [*first, *second]}) == 5


def test_what_a_trace_is_about_is_updated_while_it_runs(
    mlflow: Any, client: Any, request: pytest.FixtureRequest
) -> None:
    @mlflow.trace
    def chat() -> None:
        mlflow.update_current_trace(
            tags={"team": "blue"},
            metadata={"mlflow.trace.session": "s1", "mlflow.trace.user": "u1"},
            client_request_id=f"req-{request.node.name}",
        )

    chat()
    info = mlflow.get_trace(last(mlflow)).info
    assert info.trace_metadata["mlflow.trace.user"] == "u1"
    here = experiment(mlflow, request.node.name)
    for text in (
        "metadata.`mlflow.trace.session` = 's1' AND tags.team = 'blue'",
        f"client_request_id = 'req-{request.node.name}'",
        "name = 'chat'",
    ):
        found = client.search_traces(locations=[here], filter_string=text, include_spans=False)
        assert [one.info.trace_id for one in found] == [info.trace_id], text


def test_tags_of_a_trace_are_set_and_deleted(mlflow: Any, client: Any, traced: Any) -> None:
    traced("q")
    trace = last(mlflow)
    mlflow.set_trace_tag(trace, "color", "größe 😀")
    assert client.get_trace(trace).info.tags["color"] == "größe 😀"
    mlflow.delete_trace_tag(trace, "color")
    assert "color" not in client.get_trace(trace).info.tags
    with pytest.raises(mlflow.MlflowException, match="No trace tag with key 'color'"):
        mlflow.delete_trace_tag(trace, "color")


def test_traces_of_a_run_are_found_by_it(
    mlflow: Any, client: Any, traced: Any, request: pytest.FixtureRequest
) -> None:
    here = experiment(mlflow, request.node.name)
    traced("outside")
    outside = last(mlflow)
    with mlflow.start_run() as run:
        traced("inside")
    inside = last(mlflow)

    def of(run_id: str) -> set[str]:
        found = mlflow.search_traces(run_id=run_id, locations=[here], return_type="list")
        return {one.info.trace_id for one in found}

    assert of(run.info.run_id) == {inside}
    client.link_traces_to_run([outside, "tr-nobody"], run.info.run_id)
    assert of(run.info.run_id) == {inside, outside}


def test_feedback_is_given_changed_overridden_and_taken_back(
    mlflow: Any, traced: Any, request: pytest.FixtureRequest
) -> None:
    from mlflow.entities import AssessmentSource, Feedback

    traced("q")
    trace = last(mlflow)
    me = AssessmentSource(source_type="HUMAN", source_id="me")
    given = mlflow.log_feedback(
        trace_id=trace, name="ok", value=True, rationale="good", source=me, metadata={"a": "b"}
    )
    assert mlflow.get_assessment(trace, given.assessment_id) == given
    changed = mlflow.update_assessment(
        trace, given.assessment_id, Feedback(name="ok", value=0.25, metadata={"c": "d"})
    )
    assert (changed.value, changed.rationale, changed.source) == (0.25, "good", me)
    assert changed.metadata == {"a": "b", "c": "d"}
    over = mlflow.override_feedback(
        trace_id=trace, assessment_id=given.assessment_id, value=["x"], rationale="no"
    )
    first, second = mlflow.get_trace(trace).info.assessments
    assert (first.valid, second.valid, second.value) == (False, True, ["x"])
    mlflow.delete_assessment(trace, over.assessment_id)
    (first,) = mlflow.get_trace(trace).info.assessments
    assert first.valid is True
    here = experiment(mlflow, request.node.name)
    found = mlflow.search_traces(locations=[here], filter_string="feedback.ok < 0.3")
    assert list(found["trace_id"]) == [trace]


def test_an_error_of_a_judge_and_an_expectation_are_kept(mlflow: Any, traced: Any) -> None:
    from mlflow.entities import AssessmentError

    traced("q")
    trace = last(mlflow)
    error = AssessmentError(error_code="LIMIT", error_message="too many")
    mlflow.log_feedback(trace_id=trace, name="judge", error=error)
    mlflow.log_expectation(trace_id=trace, name="wanted", value={"x": [1, 2]})
    judged, wanted = mlflow.get_trace(trace).info.assessments
    assert (judged.error.error_code, judged.error.error_message) == ("LIMIT", "too many")
    assert (wanted.name, wanted.value) == ("wanted", {"x": [1, 2]})


def test_traces_are_deleted_by_id_and_by_age(
    mlflow: Any, client: Any, traced: Any, request: pytest.FixtureRequest
) -> None:
    here = experiment(mlflow, request.node.name)
    names = []
    for at in range(4):
        traced(str(at))
        names.append(last(mlflow))
    assert client.delete_traces(here, trace_ids=[names[0], "tr-nobody"]) == 1
    with pytest.raises(mlflow.MlflowException, match="not found"):
        client.get_trace(names[0])
    now = 10**14
    assert client.delete_traces(here, max_timestamp_millis=now, max_traces=1) == 1
    left = client.search_traces(locations=[here], include_spans=False)
    assert [one.info.trace_id for one in left] == [names[3], names[2]]
    assert client.delete_traces(here, max_timestamp_millis=now) == 2


def test_spans_without_a_context_and_threads_of_coroutines_nest(mlflow: Any) -> None:
    root = mlflow.start_span_no_context("manual", inputs={"a": 1}, tags={"m": "1"})
    child = mlflow.start_span_no_context("child", parent_span=root)
    child.end(outputs="o")
    root.end()

    @mlflow.trace
    async def outer() -> list[int]:
        return list(await asyncio.gather(*(inner(at) for at in range(3))))

    @mlflow.trace
    async def inner(at: int) -> int:
        await asyncio.sleep(0)
        return at

    assert asyncio.run(outer()) == [0, 1, 2]
    found = mlflow.get_trace(last(mlflow))
    assert [span.parent_id for span in found.data.spans[1:]] == [found.data.spans[0].span_id] * 3
    mlflow.flush_trace_async_logging()
    by_hand = mlflow.get_trace(root.trace_id)
    assert [span.name for span in by_hand.data.spans] == ["manual", "child"]


def test_links_between_spans_are_kept(mlflow: Any, traced: Any) -> None:
    from mlflow.entities.span import Link

    traced("q")
    other = mlflow.get_trace(last(mlflow)).data.spans[0]
    with mlflow.start_span("linked") as span:
        span.add_link(Link(trace_id=other.trace_id, span_id=other.span_id, attributes={"w": 1}))
    (found,) = mlflow.get_trace(last(mlflow)).data.spans
    assert [(one.trace_id, one.span_id) for one in found.links] == [(other.trace_id, other.span_id)]


def test_a_deleted_experiment_takes_no_traces_and_keeps_its_own(
    mlflow: Any, client: Any, traced: Any, request: pytest.FixtureRequest
) -> None:
    here = experiment(mlflow, request.node.name)
    traced("q")
    trace = last(mlflow)
    client.delete_experiment(here)
    assert client.get_trace(trace).info.state == "OK"
    traced("lost")
    mlflow.flush_trace_async_logging()
    assert len(client.search_traces(locations=[here])) == 1


def test_what_is_not_built_is_said_to_be(mlflow: Any, client: Any) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.tracking._tracking_service.utils import _get_store

    with pytest.raises(MlflowException, match="is not built in Lazulite"):
        _get_store().calculate_trace_filter_correlation(["0"], "status = 'OK'", "name = 'x'")


def test_attachments_are_kept_beside_the_trace(mlflow: Any, client: Any) -> None:
    from mlflow.tracing.attachments import Attachment

    with mlflow.start_span("picture") as span:
        span.set_outputs({"image": Attachment(content_type="image/png", content_bytes=b"\x89PNG")})
    trace = last(mlflow)
    tags = client.get_trace(trace).info.tags
    where = tags["mlflow.artifactLocation"]
    (folder,) = mlflow.artifacts.list_artifacts(where)
    assert folder.path.endswith("attachments")
    (kept,) = mlflow.artifacts.list_artifacts(f"{where}/attachments")
    assert kept.file_size == 4
