import pytest

from lazulite.domain.errors import InvalidInput, TooLarge
from lazulite.formats.yaml.document import scalar
from lazulite.formats.yaml.parser import MAX_BYTES, parse


def test_only_true_and_false_are_booleans() -> None:
    assert parse("[true, False, yes, no, on, off]", "f").plain() == [
        True, False, "yes", "no", "on", "off",
    ]  # fmt: skip


def test_a_scalar_keeps_its_spelling() -> None:
    root = parse("version: 0.10", "f")
    assert root.value["version"].text == "0.10"


def test_dates_stay_text_and_numbers_are_numbers() -> None:
    assert scalar("2026-01-02") == "2026-01-02"
    assert [scalar("7"), scalar("-1.5"), scalar("1e-4"), scalar("0x10")] == [7, -1.5, 1e-4, 16]


def test_a_quoted_scalar_is_text() -> None:
    assert parse("a: '3'", "f").plain() == {"a": "3"}


def test_keys_know_their_lines() -> None:
    assert parse("a: 1\nb:\n  c: 2\n", "f").value["b"].lines == {"c": 3}


def test_merge_keys_fill_what_is_not_there() -> None:
    text = "base: &b {x: 1, y: 2}\nmine:\n  <<: *b\n  x: 9\n"
    assert parse(text, "f").plain()["mine"] == {"x": 9, "y": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "f.yml:2: the key 'a' stands here and on line 1"),
        ("a: *b", "f.yml:1: the alias '*b' has no anchor '&b' before it"),
        ("a: &x [*x]", "f.yml:1: the alias '*x' stands inside its own anchor"),
        ("a:\n\t- b", "f.yml:2: a tab is used to indent; YAML wants spaces"),
        ("a: 1\n---\nb: 2", "f.yml:2: has two documents; put each in a file of its own"),
        ("[a]: 1", "f.yml:1: a key must be text"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as error:
        parse(text, "f.yml")
    assert error.value.message == message


def test_text_that_is_not_yaml_shows_the_line() -> None:
    with pytest.raises(InvalidInput, match=r"^f.yml:2: is not YAML: .* near"):
        parse("a: 1\nb: {c: ]}\n", "f.yml")


def test_bytes_that_are_not_utf_8_are_refused() -> None:
    with pytest.raises(InvalidInput, match="is not YAML text in UTF-8"):
        parse(b"a: \xff\xfe", "f.yml")


def test_an_alias_bomb_is_defused() -> None:
    levels = "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10))
    with pytest.raises(TooLarge, match="more than 500000 values"):
        parse("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + levels, "f.yml")


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 1000])
def test_a_document_too_deep_is_refused(text: str) -> None:
    with pytest.raises(TooLarge, match="nested deeper than 64"):
        parse(text, "f.yml")


def test_aliases_that_nest_too_deep_are_refused() -> None:
    text = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 80))
    with pytest.raises(TooLarge, match="nested deeper than 64"):
        parse(text, "f.yml")


def test_five_megabytes_are_read_and_more_are_refused() -> None:
    line = "- abcdefghij\n"
    assert len(parse(line * 20_000, "f").plain()) == 20_000
    with pytest.raises(TooLarge, match="at most 5242880"):
        parse("#" * (MAX_BYTES + 1), "f")


def test_an_empty_document_is_an_empty_mapping() -> None:
    assert parse("# nothing\n", "f").plain() == {}
