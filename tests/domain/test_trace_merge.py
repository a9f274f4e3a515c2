"""What spans say of their trace, and how it joins what is known."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs

from lazulite.domain.trace import COST, NAME, SESSION, TOKENS, Content, Span, SpanStatus, Trace
from lazulite.domain.trace import TraceState as State
from lazulite.domain.trace_merge import Node, fresh, grown, outline, preview, told, totals

MS = 1_000_000  # nanoseconds


def a_span(at: int = 1, parent: int | None = None, **fields: Any) -> Span:
    attributes = fields.pop("attributes", {})
    what = {"name": "f", "status": SpanStatus.OK, "start": at * MS, "end": (at + 10) * MS}
    return Span(
        trace="tr-1",
        id=bytes([at]) * 8,
        parent=None if parent is None else bytes([parent]) * 8,
        content=Content(attributes=attributes),
        **{**what, **fields},
    )


def a_node(at: int, parent: int | None = None, **usage: dict[str, float]) -> Node:
    return Node(bytes([at]), None if parent is None else bytes([parent]), usage)


def test_the_first_spans_open_a_trace() -> None:
    trace = fresh(outline([a_span(3, parent=1), a_span(2, parent=1)], {}), 7)
    assert (trace.created, trace.duration, trace.state) == (2, 11, State.IN_PROGRESS)
    assert (trace.experiment, trace.finalized, trace.tags) == (7, False, {})


def test_the_root_names_the_trace_and_says_how_it_ended() -> None:
    root = a_span(
        status=SpanStatus.ERROR,
        attributes={
            "mlflow.spanInputs": {"q": 1},
            "mlflow.spanOutputs": "o",
            "mlflow.traceTag.team": "x",
        },
    )
    trace = fresh(outline([root], {"service.name": "s", "telemetry.sdk.name": "no"}), 1)
    assert trace.state is State.ERROR
    assert (trace.request, trace.response) == ('{"q": 1}', "o")
    assert trace.tags == {"service.name": "s", NAME: "f", "team": "x"}


def test_a_span_that_has_not_ended_gives_no_duration() -> None:
    assert fresh(outline([a_span(end=None)], {}), 1).duration is None


def test_later_spans_widen_a_trace_and_the_root_closes_it() -> None:
    old = fresh(outline([a_span(5, parent=1)], {}), 1)
    new = grown(old, outline([a_span(1)], {}), ())
    assert (new.created, new.duration, new.state) == (1, 14, State.OK)


def test_spans_change_no_trace_that_a_client_has_told_whole() -> None:
    old = Trace(
        trace="tr-1",
        experiment=1,
        created=3,
        duration=1,
        state=State.ERROR,
        request="mine",
        finalized=True,
        tags={NAME: "mine"},
        metadata={TOKENS: "{}", SESSION: "mine"},
    )
    used = {"mlflow.chat.tokenUsage": {"total_tokens": 1}, "session.id": "theirs"}
    seen = outline([a_span(attributes=used)], {})
    new = grown(old, seen, seen.nodes)
    assert (new.created, new.duration, new.state, new.request) == (3, 1, State.ERROR, "mine")
    assert (new.tags, new.metadata) == ({}, {})


def test_what_a_client_tells_keeps_previews_that_it_does_not_know() -> None:
    old = Trace(trace="tr-1", id=9, experiment=1, created=1, request="in", response="out")
    new = told(old, Trace(trace="tr-1", experiment=2, created=5, response="better"))
    assert (new.id, new.experiment, new.created, new.finalized) == (9, 2, 5, True)
    assert (new.request, new.response) == ("in", "better")


def test_sessions_and_users_are_taken_from_any_span() -> None:
    spans = [a_span(), a_span(2, 1, attributes={"gen_ai.conversation.id": "s", "user.id": 7})]
    assert outline(spans, {}).metadata == {SESSION: "s", "mlflow.trace.user": "7"}


def test_usage_is_added_up_but_not_below_a_span_that_counts_it_in() -> None:
    nodes = [
        a_node(1),
        a_node(2, 1, **{TOKENS: {"total_tokens": 5}, COST: {"total_cost": 0.5}}),
        a_node(3, 2, **{TOKENS: {"total_tokens": 5}}),
        a_node(4, 1, **{TOKENS: {"total_tokens": 2, "input_tokens": 1}}),
        a_node(5, 99, **{TOKENS: {"total_tokens": 1}}),  # its parent has not come yet
    ]
    found = {key: json.loads(text) for key, text in totals(nodes).items()}
    assert found == {TOKENS: {"total_tokens": 8, "input_tokens": 1}, COST: {"total_cost": 0.5}}


def test_spans_that_go_in_a_circle_end() -> None:
    nodes = [a_node(1, 2, **{TOKENS: {"n": 1}}), a_node(2, 1, **{TOKENS: {"n": 1}})]
    assert totals(nodes) == {}


def test_a_chain_of_ten_thousand_spans_is_added_up_at_once() -> None:
    usage = {TOKENS: {"n": 1}}
    chain = [
        Node(at.to_bytes(8, "big"), (at - 1).to_bytes(8, "big"), {}) for at in range(1, 10_000)
    ]
    leaves = [a_leaf(at, usage) for at in range(10_000)]
    assert json.loads(totals([*chain, *leaves])[TOKENS]) == {"n": 10_000}


def a_leaf(at: int, usage: dict[str, dict[str, float]]) -> Node:
    return Node(b"l" + at.to_bytes(8, "big"), (9999).to_bytes(8, "big"), usage)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("text", "text"),
        ({"a": [1, None]}, '{"a": [1, null]}'),
        ("x" * 2000, "x" * 997 + "..."),
        ("a\0b", "a\ufffdb"),
        (
            {"messages": [{"role": "user", "content": "hi"}, {"role": "tool", "content": "t"}]},
            "hi",
        ),
        ('{"choices": [{"message": {"role": "assistant", "content": "yo"}}]}', "yo"),
        ({"messages": []}, '{"messages": []}'),
        ({"choices": [1]}, '{"choices": [1]}'),
    ],
)
def test_a_preview_is_the_last_that_was_said_or_the_start(value: Any, expected: str | None) -> None:
    assert preview(value, "user") == expected


def test_a_state_that_is_final_stays() -> None:
    old = structs.replace(fresh(outline([a_span()], {}), 1), state=State.ERROR)
    assert grown(old, outline([a_span()], {}), ()).state is State.ERROR
