"""The table says what it means."""

from tests.bench.table import Row, megabytes, table
from tests.bench.tracking_bench import Line


def test_a_row_shows_its_median_and_the_ratio_to_its_peer() -> None:
    row = Row(what="step", samples=[0.03, 0.02, 0.09], goal=0.025, beside=0.015, peer="bare")
    assert row.cells[1:] == (
        "30.0 ms", "20.0 ms .. 90.0 ms", "15.0 ms bare", "2.00x", "<= 25.0 ms", "MISS",
    )  # fmt: skip


def test_a_row_without_a_goal_is_not_judged() -> None:
    text = table([Row(what="memory", samples=[2e6], form=megabytes)])
    assert text.splitlines()[-1].split() == ["memory", "2", "MB"]


def test_a_slow_machine_is_judged_by_the_ratio() -> None:
    row = Row(what="step", samples=[0.04], goal=0.025, times=1.67, beside=0.03, peer="bare")
    assert row.passed
    assert row.cells[-2:] == ("<= 25.0 ms or 1.67x", "pass")
    assert not Row(what="step", samples=[0.06], goal=0.025, times=1.67, beside=0.03).passed


def test_a_line_is_judged_by_every_goal_it_has() -> None:
    assert Line(what="w", ours=[2.0], at_most=1.0).missed
    assert Line(what="w", ours=[2.0], theirs=[30.0], faster=20).missed
    assert Line(what="w", ours=[2.0], limit=0.5, share=0.3).missed
    met = Line(what="w", ours=[2.0], theirs=[50.0], limit=1.0, faster=20, share=0.3, at_most=3)
    assert met.cells[3:] == (
        "50.00 s", "25.0x", "1.00 s ", "<= 3.00 s, >= 20x MLflow, >= 0.3 of the limit", "pass",
    )  # fmt: skip


def test_a_goal_beside_a_peer_that_is_left_out_is_not_judged() -> None:
    assert not Line(what="w", ours=[2.0], faster=20).missed
