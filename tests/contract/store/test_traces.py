"""Traces, their spans and what is said of them, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from msgspec import structs
from tests.records import NOW, a_job

from lazulite.domain.errors import InvalidInput, NotFound, TooLarge
from lazulite.domain.job import JobKind
from lazulite.domain.run import DEFAULT_EXPERIMENT
from lazulite.domain.search import Search
from lazulite.domain.trace import (
    MAX_NAME,
    Assessment,
    Changes,
    Content,
    Event,
    Span,
    SpanStatus,
    Trace,
    TraceState,
)
from lazulite.formats.mlflow.filter import parse_filter, parse_orders
from lazulite.formats.mlflow.names import TRACES
from lazulite.ports.store import Store, Tx

LIMIT = 1 << 20


@pytest.fixture
def home(store: Store, workspace: int) -> int:
    """Row id of an experiment."""
    return store.write(lambda tx: tx.experiments.ensure(workspace, DEFAULT_EXPERIMENT, NOW)).id


def a_trace(experiment: int, name: str, created: int = 1000, **fields: Any) -> Trace:
    return Trace(trace=name, experiment=experiment, created=created, **fields)


def a_span(trace: str, at: int = 1, **fields: Any) -> Span:
    what: dict[str, Any] = {
        "name": f"step {at}",
        "status": SpanStatus.OK,
        "start": at * 1_000_000,
        "end": at * 1_000_000 + 5,
    }
    return Span(trace=trace, id=bytes(7) + bytes([at]), **what | fields)


def add(store: Store, workspace: int, *traces: Trace) -> list[Trace]:
    rows = store.write(lambda tx: tx.traces.add(workspace, traces))
    return [structs.replace(one, id=row) for one, row in zip(traces, rows, strict=True)]


def log(store: Store, trace: Trace, *spans: Span) -> None:
    store.write(lambda tx: tx.spans.add({trace.trace: (trace.id, trace.experiment)}, spans))


def found(store: Store, workspace: int, home: int, text: str = "", *orders: str) -> list[str]:
    asked = Search(condition=parse_filter(text, TRACES), orders=parse_orders(orders, TRACES))
    page = store.read(lambda tx: tx.traces.search(workspace, [home], asked))
    return [one.trace for one in page.items]


def test_a_trace_is_read_as_it_was_stored(store: Store, workspace: int, home: int) -> None:
    sent = a_trace(
        home,
        "tr-1",
        duration=7,
        state=TraceState.OK,
        client_request="c",
        request="<b>",
        response="x" * 5000,
        finalized=True,
        tags={"k": "v" * 400, "": "empty key"},
        metadata={"k": "of metadata"},
    )
    (stored,) = add(store, workspace, sent)
    assert store.read(lambda tx: tx.traces.get(workspace, "tr-1")) == stored


def test_a_trace_is_its_workspace_s_alone(store: Store, workspace: int, home: int) -> None:
    add(store, workspace, a_trace(home, "tr-1"))
    with pytest.raises(NotFound, match="Trace with ID 'tr-1' not found"):
        store.read(lambda tx: tx.traces.get(workspace + 1, "tr-1"))


def test_what_is_saved_moves_with_its_experiment(store: Store, workspace: int, home: int) -> None:
    other = store.write(lambda tx: tx.experiments.ensure(workspace, "other", NOW)).id
    (one,) = add(store, workspace, a_trace(home, "tr-1", tags={"k": "v"}))
    log(store, one, a_span("tr-1", name="n"))
    store.write(lambda tx: tx.traces.save(structs.replace(one, experiment=other, tags={"l": "w"})))
    assert found(store, workspace, other, "tags.k = 'v' AND tags.l = 'w' AND span.name = 'n'") == [
        "tr-1"
    ]
    assert found(store, workspace, home) == []


def test_a_tag_is_set_changed_and_removed(store: Store, workspace: int, home: int) -> None:
    (one,) = add(store, workspace, a_trace(home, "tr-1", tags={"a": "1", "b": "1"}))
    store.write(lambda tx: tx.traces.relabel(one, Changes(tags={"a": "2", "b": None})))
    assert store.read(lambda tx: tx.traces.get(workspace, "tr-1")).tags == {"a": "2"}
    with pytest.raises(NotFound, match="No trace tag with key 'b'"):
        store.write(lambda tx: tx.traces.relabel(one, Changes(tags={"b": None})))


def test_spans_come_back_root_first_then_by_start(store: Store, workspace: int, home: int) -> None:
    (one,) = add(store, workspace, a_trace(home, "tr-1"))
    root = a_span("tr-1", 9)
    log(store, one, a_span("tr-1", 3, parent=root.id), a_span("tr-1", 2, parent=root.id))
    log(store, one, root)
    spans = store.read(lambda tx: tx.spans.of([one.id], LIMIT))[one.id]
    assert [span.name for span in spans] == ["step 9", "step 2", "step 3"]


def test_a_span_that_is_sent_again_replaces_itself(store: Store, workspace: int, home: int) -> None:
    (one,) = add(store, workspace, a_trace(home, "tr-1"))
    log(store, one, a_span("tr-1", 1, end=None), a_span("tr-1", 1))
    content = Content(
        attributes={"a": [1, 2.5, None, True, {"b": "ü"}]},
        events=[Event("exception", 5, {"exception.message": "boom"})],
        message="bad",
    )
    last = a_span("tr-1", 1, name="n" * 3000, status=SpanStatus.ERROR, content=content)
    kept = structs.replace(content, name=last.name)
    log(store, one, structs.replace(last, name=last.name[:MAX_NAME], content=kept))
    spans = store.read(lambda tx: tx.spans.of([one.id], LIMIT))[one.id]
    assert spans == [structs.replace(last, content=kept)]


def test_more_spans_than_fit_are_refused(store: Store, workspace: int, home: int) -> None:
    (one,) = add(store, workspace, a_trace(home, "tr-1"))
    log(store, one, a_span("tr-1", 1, content=Content(attributes={"a": "x" * 1000})))
    with pytest.raises(TooLarge):
        store.read(lambda tx: tx.spans.of([one.id], 500))


def test_what_spans_used_is_read_without_their_documents(
    store: Store, workspace: int, home: int
) -> None:
    (one,) = add(store, workspace, a_trace(home, "tr-1"))
    used = {"input_tokens": 1, "total_tokens": 1}
    log(store, one, a_span("tr-1", 1, content=Content(attributes={"mlflow.chat.tokenUsage": used})))
    (node,) = store.read(lambda tx: tx.spans.nodes(one.id))
    assert node.usage == {"mlflow.trace.tokenUsage": used}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "cba"),
        ("tags.team = 'x'", "a"),
        ("tags.team != 'x'", "b"),
        ("NOT tags.team = 'x'", "cb"),
        ("tags.team IS NULL", "c"),
        ("metadata.`mlflow.trace.session` = 's'", "b"),
        ("request_metadata.`mlflow.trace.session` LIKE 's%'", "b"),
        ("name = 'first'", "a"),
        ("attributes.name LIKE 'f%'", "a"),
        ("status = 'ERROR'", "b"),
        ("trace.status IN ('OK', 'ERROR')", "ba"),
        ("timestamp_ms >= 2000 AND timestamp < 3000", "b"),
        ("timestamp = '1970-01-01T00:00:01'", "a"),
        ("execution_time_ms > 5", "b"),
        ("end_time = 2010", "b"),
        ("client_request_id = 'q'", "c"),
        ("request_id = 'a' OR trace_id = 'c'", "ca"),
        ("run_id = 'r1'", "a"),
        ("run_id = 'linked'", "c"),
        ("run_id IN ('r1', 'linked')", "ca"),
        ("span.name = 'inner'", "ba"),
        ("span.type = 'LLM'", "a"),
        ("span.type = 'LLM' AND span.name = 'outer'", ""),
        ("span.status = 'ERROR'", "b"),
        ("span.attributes.n = '7'", "a"),
        ("span.attributes.`a b` = 'true'", "b"),
        ("span.attributes.n IS NOT NULL", "a"),
        ("span.attributes.m LIKE '%deep%'", "b"),
        ("span.name = 'inner' AND span.attributes.n = '7'", "a"),
        ("text LIKE '%boom%'", "b"),
        ("trace.text ILIKE '%BOOM%'", "b"),
        ("trace.text LIKE '%inner%'", "ba"),
        ("feedback.good = 'true'", "a"),
        ("feedback.score > 0.4", "b"),
        ("feedback.score = 0.5", "b"),
        ("feedback.score IS NOT NULL", "b"),
        ("feedback.old IS NULL", "cba"),
        ("expectation.answer = '42'", "c"),
        ("(tags.team = 'x' OR span.status = 'ERROR') AND NOT feedback.good = 'true'", "b"),
    ],
)
def test_a_search_finds(store: Store, workspace: int, home: int, text: str, expected: str) -> None:
    fill(store, workspace, home)
    assert "".join(found(store, workspace, home, text)) == expected


def fill(store: Store, workspace: int, home: int) -> None:
    one, two, three = add(
        store,
        workspace,
        a_trace(
            home,
            "a",
            duration=5,
            state=TraceState.OK,
            tags={"team": "x", "mlflow.traceName": "first"},
            metadata={"mlflow.sourceRun": "r1"},
        ),
        a_trace(
            home,
            "b",
            2000,
            duration=10,
            state=TraceState.ERROR,
            tags={"team": "y"},
            metadata={"mlflow.trace.session": "s", "team": "x"},
        ),
        a_trace(home, "c", 3000, client_request="q"),
    )
    llm = Content(attributes={"mlflow.spanType": "LLM", "n": 7})
    odd = Content(attributes={"a b": True, "m": {"x": "deep"}}, message="boom")
    log(store, one, a_span("a", 1, name="outer"), a_span("a", 2, name="inner", content=llm))
    log(store, two, a_span("b", 1, name="inner", status=SpanStatus.ERROR, content=odd))
    said = [
        (one, Assessment(id="1", name="good", kind="feedback", value=True)),
        (one, Assessment(id="2", name="old", kind="feedback", value=1, valid=False)),
        (two, Assessment(id="1", name="score", kind="feedback", value=0.5)),
        (three, Assessment(id="1", name="answer", kind="expectation", value="42")),
    ]
    for trace, assessment in said:
        store.write(lambda tx, t=trace, a=assessment: tx.assessments.put(t, [a]))
    job = a_job(workspace, "linked", kind=JobKind.RUN, experiment=DEFAULT_EXPERIMENT)
    run = store.write(lambda tx: tx.runs.start(job, None))
    store.write(lambda tx: tx.traces.link(run.id, [three.id]))
    store.write(lambda tx: tx.traces.link(run.id, [three.id]))


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        (("timestamp ASC",), "abc"),
        (("execution_time DESC",), "bac"),
        (("status",), "bac"),
        (("tags.team DESC",), "bac"),
        (("name", "timestamp ASC"), "abc"),
        (("run_id",), "acb"),
        (("end_time ASC",), "abc"),
        (("trace_id",), "abc"),
    ],
)
def test_traces_are_sorted(
    store: Store, workspace: int, home: int, orders: tuple[str, ...], expected: str
) -> None:
    fill(store, workspace, home)
    assert "".join(found(store, workspace, home, "", *orders)) == expected


def test_traces_cannot_be_sorted_by_spans(store: Store, workspace: int, home: int) -> None:
    with pytest.raises(InvalidInput):
        found(store, workspace, home, "", "span.name")


def test_pages_neither_skip_nor_repeat_what_stays(store: Store, workspace: int, home: int) -> None:
    add(store, workspace, *(a_trace(home, f"tr-{at}", at // 2) for at in range(10)))
    seen: list[str] = []
    token = None
    while True:
        asked = Search(limit=3, after=token)
        page = store.read(lambda tx, asked=asked: tx.traces.search(workspace, [home], asked))
        seen += [one.trace for one in page.items]
        add(store, workspace, a_trace(home, f"new {len(seen)}", 99))
        if (token := page.next) is None:
            break
    assert seen == [f"tr-{at}" for at in reversed(range(10))]


def test_deleting_takes_the_oldest_and_all_that_belongs_to_them(
    store: Store, workspace: int, home: int
) -> None:
    fill(store, workspace, home)
    delete = lambda *what: store.write(lambda tx: tx.traces.delete(home, *what))  # noqa: E731
    assert delete(2000, 1, None) == 1
    assert found(store, workspace, home) == ["c", "b"]
    assert delete(None, None, ["c", "nobody"]) == 1
    assert delete(5000, None, None) == 1
    assert delete(5000, None, None) == 0
    assert store.read(lambda tx: dict(tx.spans.of([1, 2, 3], LIMIT))) == {1: [], 2: [], 3: []}


def test_a_purged_run_leaves_its_traces(store: Store, workspace: int, home: int) -> None:
    fill(store, workspace, home)
    run = store.read(lambda tx: tx.runs.head(workspace, "linked"))
    store.write(lambda tx: tx.runs.purge(run.id))
    assert found(store, workspace, home) == ["c", "b", "a"]
    assert found(store, workspace, home, "run_id = 'linked'") == []


def test_an_assessment_is_replaced_and_deleted(store: Store, workspace: int, home: int) -> None:
    (one,) = add(store, workspace, a_trace(home, "tr-1"))
    said = Assessment(id="a-1", name="x", kind="feedback", value={"l": ["o" * 500]})
    store.write(lambda tx: tx.assessments.put(one, [said]))
    new = structs.replace(said, value=None, rationale="why", error={"error_code": "E"})
    store.write(lambda tx: tx.assessments.put(one, [new]))
    assert store.read(lambda tx: tx.assessments.get(one, "a-1")) == new
    assert store.read(lambda tx: tx.traces.get(workspace, "tr-1")).assessments == [new]
    store.write(lambda tx: tx.assessments.delete(one, "a-1"))
    with pytest.raises(NotFound, match="Assessment with ID 'a-1' not found for trace 'tr-1'"):
        store.read(lambda tx: tx.assessments.get(one, "a-1"))


def test_writers_of_one_trace_do_not_lose_each_other_s_spans(
    store: Store, workspace: int, home: int
) -> None:
    def write(at: int) -> None:
        def work(tx: Tx) -> None:
            known = tx.traces.find(workspace, ["tr-1"])
            new = a_trace(home, "tr-1", tags={f"k{at}": "v"})
            row = known[0].id if known else tx.traces.add(workspace, [new])[0]
            tx.traces.save(structs.replace(new, id=row))
            tx.spans.add({"tr-1": (row, home)}, [a_span("tr-1", at)])

        store.write(work)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(1, 33)))
    (one,) = store.read(lambda tx: tx.traces.find(workspace, ["tr-1"]))
    assert len(one.tags) == 32
    assert len(store.read(lambda tx: tx.spans.of([one.id], LIMIT))[one.id]) == 32
