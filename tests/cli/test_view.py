from typing import Any

import pytest
from rich.console import Console

from lazulite.cli.live import LiveView
from lazulite.cli.view import PlainView, label, state


def step(name: str, status: str, **more: Any) -> dict[str, Any]:
    return {"name": f"j.{name}", "path": name, "status": status, **more}


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (step("a", "Running"), "Running"),
        (step("a", "Completed", reusedFrom="b"), "Completed (reused from b)"),
        (step("a", "Queued", waitsFor="2 of 2 slots are busy"), "Queued (2 of 2 slots are busy)"),
        (step("a", "Running", waitsFor="stale"), "Running"),
        (step("a", "Failed", error={"message": "exit 1\nmore"}), "Failed: exit 1"),
        (step("a", "Failed", error="exit 1"), "Failed: exit 1"),
    ],
)
def test_a_state_says_what_goes_with_it(one: dict[str, Any], text: str) -> None:
    assert state(one) == text


def test_a_step_is_called_by_its_path() -> None:
    assert label({"name": "n", "node": "b", "path": "a.b"}) == "a.b"
    assert label({"name": "n"}) == "n"


def test_each_change_is_one_line_and_said_once() -> None:
    said: list[str] = []
    with PlainView(said.append) as view:
        view.job({"name": "j", "status": "Running"})
        view.step(step("a", "Running"))
        view.step(step("a", "Running"))
        times = {"started": "2026-01-01T00:00:00Z", "ended": "2026-01-01T00:00:03Z"}
        view.step(step("a", "Completed", **times))
        view.hold()
    assert said == ["j: Running", "a: Running", "a: Completed in 3.0 s"]


def drawn(view: LiveView) -> list[str]:
    console = Console(width=100, height=12, file=None)
    with console.capture() as capture:
        console.print(view.draw())
    return [line.rstrip() for line in capture.get().splitlines()]


def test_the_table_has_a_line_per_step_those_that_wait_too() -> None:
    view = LiveView("j", ["a", "b"])
    view.job({"name": "j", "status": "Running"})
    view.step(step("a", "Completed", reusedFrom="old"))
    lines = drawn(view)
    assert [line.split()[0] for line in lines] == ["j", "a", "b"]
    assert "Completed (reused from old)" in lines[1]
    assert "NotStarted" in lines[2]


def test_a_table_too_long_shows_what_runs_and_counts_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LINES", "10")
    view = LiveView("j", [f"s{i}" for i in range(100)])
    view.step(step("s70", "Running"))
    view.step(step("s71", "Failed"))
    lines = drawn(view)
    assert len(lines) < 12
    assert any("s70" in line for line in lines)
    assert "98 NotStarted, 1 Running, 1 Failed" in lines[-1]
