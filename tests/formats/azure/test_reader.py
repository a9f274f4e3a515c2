"""Reading JSON of any shape: right values, or a refusal that names the field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazulite.domain.errors import InvalidInput
from lazulite.formats.azure.reader import Reader, check_part

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def read(value: Any) -> Reader:
    return Reader({"x": value}, "top")


@given(anything)
def test_whatever_is_sent_is_read_or_refused_with_a_path(value: Any) -> None:
    for how in (
        lambda: read(value).text("x"),
        lambda: read(value).required("x"),
        lambda: read(value).flag("x", default=True),
        lambda: read(value).whole("x", default=1),
        lambda: read(value).number("x"),
        lambda: read(value).seconds("x"),
        lambda: read(value).texts("x"),
        lambda: list(read(value).children("x")),
        lambda: Reader(value, "top"),
    ):
        try:
            how()
        except InvalidInput as error:
            assert str(error.path).startswith("top")  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    ("value", "text"), [("a", "a"), (1, "1"), (0.5, "0.5"), (True, "true"), (None, None)]
)
def test_scalars_are_spelled_as_json_does(value: Any, text: str | None) -> None:
    assert read(value).text("x") == text


@pytest.mark.parametrize("value", ["a\0b", "\ud800", [], {}])
def test_text_that_nothing_takes_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(value).text("x")
    assert caught.value.path == "top.x"


def test_the_first_key_that_is_not_null_counts() -> None:
    body = Reader({"a": None, "b": "2", "c": "3"}, "")
    assert body.text("a", "b", "c") == "2"
    assert body.at("a") == "a"
    assert body.names() == ["b", "c"]


@pytest.mark.parametrize("value", ["", " ", None])
def test_a_required_text_must_be_there(value: Any) -> None:
    with pytest.raises(InvalidInput, match=r"top\.x is missing or empty"):
        read(value).required("x")


@pytest.mark.parametrize(
    ("value", "flag"), [("True", True), ("false", False), (True, True), (None, True)]
)
def test_a_flag(value: Any, flag: Any) -> None:
    assert read(value).flag("x", default=True) is flag


@pytest.mark.parametrize("value", ["yes", 1, []])
def test_no_flag(value: Any) -> None:
    with pytest.raises(InvalidInput, match="must be true or false"):
        read(value).flag("x", default=True)


@pytest.mark.parametrize(("value", "number"), [(3, 3), ("3", 3), (3.0, 3), (None, 7)])
def test_a_whole_number(value: Any, number: int) -> None:
    assert read(value).whole("x", default=7) == number


@pytest.mark.parametrize("value", [3.5, -1, True, "x", [], float("inf"), float("nan"), 2**40])
def test_no_whole_number(value: Any) -> None:
    with pytest.raises(InvalidInput, match="whole number of at least 0"):
        read(value).whole("x", default=7)


@pytest.mark.parametrize("value", ["x", True, [], "nan", float("inf"), 10**400])
def test_no_number(value: Any) -> None:
    with pytest.raises(InvalidInput, match="must be a number"):
        read(value).number("x")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("PT10M", 600), ("P1DT2H3M4.5S", 93784.5), ("90", 90), (0.5, 0.5), (None, None)],
)
def test_durations_as_iso_or_seconds(value: Any, seconds: float | None) -> None:
    assert read(value).seconds("x") == seconds


@pytest.mark.parametrize("value", ["P", "PT0S", "0", -3, "1 hour", "inf", "nan"])
def test_no_duration(value: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(value).seconds("x")
    assert caught.value.path == "top.x"


@pytest.mark.parametrize(
    ("value", "kind"),
    [([], "a list"), ("t", "text"), (True, "true/false"), (None, "nothing"), (1, "a number")],
)
def test_what_should_be_an_object_says_what_it_is(value: Any, kind: str) -> None:
    with pytest.raises(InvalidInput, match=f"must be an object, not {kind}"):
        Reader(value, "")


@pytest.mark.parametrize(
    "name", ["", "..", "../x", "a.b", "a b", "ü", "a\0", "x" * 300, "a/b", "$"]
)
def test_names_that_become_parts_of_paths_are_plain(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_part(name, "a job", "jobs")
    assert caught.value.path == "jobs"
