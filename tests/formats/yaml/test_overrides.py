import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazulite.domain.errors import InvalidInput
from lazulite.formats.yaml.overrides import apply, apply_plain, parse_assignment, parse_path
from lazulite.formats.yaml.parser import parse

KEYS = st.text(
    st.characters(blacklist_characters="\\.[]=", blacklist_categories=["Cs"]), min_size=1
)


def escaped(key: str) -> str:
    for sign in "\\.[]":
        key = key.replace(sign, f"\\{sign}")
    return key


@given(st.lists(KEYS, min_size=1, max_size=6))
def test_a_path_of_plain_keys_is_split_at_its_dots(keys: list[str]) -> None:
    assert parse_path(".".join(keys)) == tuple(keys)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=4))
def test_any_key_can_be_written_with_backslashes(keys: list[str]) -> None:
    assert parse_path(".".join(escaped(key) for key in keys)) == tuple(keys)


@given(st.lists(KEYS, min_size=1, max_size=4), st.integers() | st.booleans())
def test_what_is_set_is_found_there(keys: list[str], value: object) -> None:
    found = apply_plain({}, [f"{'.'.join(keys)}={str(value).lower()}"])
    for key in keys:
        found = found[key]
    assert found == value


@given(st.text())
def test_nothing_but_a_readable_refusal_comes_of_any_text(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        path, _ = parse_assignment(text)
        assert path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=0.1", 0.1),
        ("a=true", True),
        ("a=True", True),
        ("a=", None),
        ("a='3'", "3"),
        ("a={x: [1, 2]}", {"x": [1, 2]}),
        ("a=b=c", "b=c"),
        ("a=echo: a: b", "echo: a: b"),
    ],
)
def test_values_are_typed_as_yaml_types_them(text: str, value: object) -> None:
    assert apply_plain({}, [text]) == {"a": value}


def test_the_document_itself_is_left_as_it_was() -> None:
    root = parse("a: {b: 1}", "f")
    assert apply(root, ["a.b=2", "c=3"]).plain() == {"a": {"b": 2}, "c": 3}
    assert root.plain() == {"a": {"b": 1}}


def test_list_items_are_set_and_appended() -> None:
    assert apply_plain({"a": [1, 2]}, ["a[0]=9", "a[2].b=3"]) == {"a": [9, 2, {"b": 3}]}


@pytest.mark.parametrize("text", ["a[7]=1", "a.b=1", "b[0]=1"])
def test_a_list_place_that_is_not_there_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="list"):
        apply_plain({"a": [1]}, [text])


@pytest.mark.parametrize("text", ["noequals", "=1", "a..b=1", "a.=1", "[0]=1"])
def test_a_path_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="--set"):
        apply_plain({}, [text])
