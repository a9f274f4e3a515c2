"""`lazulite trace` against a live server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lazulite.cli.program import run as program
from lazulite.cli.trace import nested
from lazulite.domain.access import OWNER
from lazulite.domain.ids import DEFAULT_WORKSPACE
from lazulite.domain.trace import Content, Event, Span, SpanStatus
from lazulite.services import experiments, traces
from tests.wire.live import Live, live_server

Lazulite = Callable[..., str]
ONE, TWO = f"tr-{1:032x}", f"tr-{2:032x}"
MS = 1_000_000  # nanoseconds


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_server(tmp_path_factory.mktemp("traces")) as live:
        yield live


@pytest.fixture
def home(server: Live, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of an experiment with a trace that went well and one that did not."""
    name = request.node.name
    made = str(experiments.create(server.services, DEFAULT_WORKSPACE, name, {}))

    def log(*spans: Span) -> None:
        sent = traces.Ingest(batches=[({}, spans)], experiment=made)
        traces.log(server.services, DEFAULT_WORKSPACE, sent, OWNER)

    broken = Event("exception", 1, {"exception.type": "ValueError", "exception.message": "boom"})
    log(a_span(ONE, 1, "answer"), a_span(ONE, 2, "model", 1, **{"mlflow.spanInputs": {"q": 1}}))
    bad = a_span(TWO, 1, "answer")
    log(
        Span(
            trace=TWO,
            id=bad.id,
            name="answer",
            status=SpanStatus.ERROR,
            start=3 * MS,
            end=9 * MS,
            content=Content(events=[broken], message="boom"),
        )
    )
    yield name
    names = traces.Doomed(experiment=made, names=[ONE, TWO])
    traces.delete(server.services, DEFAULT_WORKSPACE, names)


def a_span(trace: str, at: int, name: str, parent: int = 0, **attributes: Any) -> Span:
    return Span(
        trace=trace,
        id=at.to_bytes(8, "big"),
        parent=parent.to_bytes(8, "big") if parent else None,
        name=name,
        status=SpanStatus.OK,
        start=at * MS,
        end=(at + 5) * MS,
        content=Content(attributes={"mlflow.spanType": "LLM", **attributes}),
    )


@pytest.fixture
def lazulite(
    server: Live, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Lazulite:
    monkeypatch.setenv("LAZULITE_HOME", str(server.home))
    monkeypatch.setenv("LAZULITE_URL", server.http)
    monkeypatch.setenv("LAZULITE_TOKEN", server.tokens.owner)

    def call(*words: str, code: int = 0) -> str:
        capsys.readouterr()
        found = program(["trace", *words])
        out, err = capsys.readouterr()
        assert found == code, err
        return out if code == 0 else err

    return call


def test_traces_are_listed_newest_first(lazulite: Lazulite, home: str) -> None:
    head, _, first, second = lazulite("list", "-e", home, "-o", "table").splitlines()
    assert head.split() == ["Trace", "Name", "State", "Time", "Took", "Request"]
    assert first.split()[:3] == [TWO, "answer", "ERROR"]
    assert second.split()[:3] == [ONE, "answer", "OK"]


def test_a_list_is_filtered_sorted_and_cut(lazulite: Lazulite, home: str) -> None:
    (found,) = json.loads(lazulite("list", "status = 'ERROR'"))
    assert (found["id"], found["seconds"]) == (TWO, 0.006)
    (first,) = json.loads(lazulite("list", "-s", "timestamp ASC", "-r", "1"))
    assert first["id"] == ONE


def test_a_filter_that_is_none_is_refused(lazulite: Lazulite, home: str) -> None:
    told = lazulite("list", "status = 'OK' AND colour = 'x'", code=1)
    assert "Invalid filter at character 19" in told
    assert told.splitlines()[-1].index("^") == 20


def test_a_trace_is_shown_with_its_spans(lazulite: Lazulite, home: str) -> None:
    found = json.loads(lazulite("show", ONE))
    assert [one["name"] for one in found["spans"]] == ["answer", "model"]
    assert found["spans"][1]["attributes"] == {"mlflow.spanInputs": {"q": 1}}


def test_the_table_of_a_trace_is_its_tree(lazulite: Lazulite, home: str) -> None:
    rows = lazulite("show", ONE, "-o", "table").splitlines()[2:]
    assert rows == ["answer   LLM   OK      5 ms", "  model  LLM   OK      5 ms"]


@pytest.mark.parametrize("words", [(), ("--all",)])
def test_people_see_a_tree_with_what_went_wrong(
    lazulite: Lazulite, home: str, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr("lazulite.cli.call.Call.for_people", True)
    good, bad = lazulite("show", ONE, *words), lazulite("show", TWO, *words)
    assert "├── answer" in good or "└── answer" in good
    assert 'in: {"q": 1}' in good
    assert "ValueError: boom" in bad


def test_traces_are_deleted(lazulite: Lazulite, home: str) -> None:
    assert json.loads(lazulite("delete", ONE, "--yes")) == {"deleted": 1}
    assert f"trace '{ONE}' does not exist" in lazulite("show", ONE, code=3)
    assert "trace '' does not exist" in lazulite("show", "", code=3)
    assert "Delete 1 trace?" in lazulite("delete", TWO, code=2)
    gone = lazulite("delete", "-e", home, "--older-than", "1", "--yes")
    assert json.loads(gone) == {"deleted": 1}


def test_it_must_be_said_which_to_delete(lazulite: Lazulite, home: str) -> None:
    assert "name traces" in lazulite("delete", code=2)
    assert "name traces" in lazulite("delete", ONE, "-e", home, code=2)


def test_spans_whose_parent_is_not_there_are_roots() -> None:
    spans = [{"id": "b", "parent": "gone"}, {"id": "c", "parent": "b"}, {"id": "a", "parent": None}]
    assert [(one["id"], one["depth"]) for one in nested(spans)] == [("b", 0), ("c", 1), ("a", 0)]
