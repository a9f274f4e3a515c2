from datetime import UTC, datetime

import pytest

from lazulite.cli.words import ago, between, moment, size, span, split

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.035, "35 ms"), (0.9999, "1.0 s"), (12.44, "12.4 s"), (185, "3 m 05 s"), (7620, "2 h 07 m")],
)
def test_a_duration_reads_well(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_what_runs_is_measured_until_now() -> None:
    assert between("2026-01-01T11:59:50Z", None, NOW) == "10.0 s"
    assert between(None, None, NOW) == ""


def test_times_without_a_zone_are_utc() -> None:
    assert moment("2026-01-01T12:00:00") == NOW


def test_a_timeline_is_split_into_what_each_phase_took() -> None:
    timeline = {
        "created": "2026-01-01T12:00:00Z",
        "queued": "2026-01-01T12:00:00.001Z",
        "starting": "2026-01-01T12:00:01Z",
        "running": "2026-01-01T12:00:01Z",
        "ended": "2026-01-01T12:00:04Z",
        "finalizing": None,
    }
    assert split(timeline) == [("queued", pytest.approx(0.999)), ("running", 3.0)]


@pytest.mark.parametrize(("count", "text"), [(512, "512 B"), (3_400_000, "3.4 MB")])
def test_a_size_reads_well(count: int, text: str) -> None:
    assert size(count) == text


def test_the_past_reads_well() -> None:
    assert ago("2026-01-01T11:59:48Z", NOW) == "12 s ago"
    assert ago("2025-12-30T12:00:00Z", NOW) == "2 d ago"
    assert ago(None, NOW) == ""
