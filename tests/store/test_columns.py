"""Values as the database keeps them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazulite.domain.errors import InvalidInput
from lazulite.store.columns import micros, moment, row_id_after


@given(st.datetimes(timezones=st.timezones()))
def test_a_time_comes_back_exactly(time: datetime) -> None:
    assert moment(micros(time)) == time.astimezone(UTC)


def test_times_are_microseconds_of_utc() -> None:
    time = datetime(1970, 1, 1, 2, 0, 1, 5, tzinfo=timezone(timedelta(hours=2)))
    assert micros(time) == 1_000_005
    assert moment(1_000_005).tzinfo is UTC


@pytest.mark.parametrize("text", ["", "-1", "1.5", "²", "9" * 30, "1 OR 1=1"])
def test_a_paging_token_is_a_row_id(text: str) -> None:
    assert row_id_after("12") == 12
    assert row_id_after(None) is None
    with pytest.raises(InvalidInput, match="nextLink"):
        row_id_after(text)
