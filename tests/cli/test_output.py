import io

import pytest

from lazulite.cli.output import Column, default_format, fitting, search, write
from lazulite.domain.errors import InvalidInput

ROWS = [{"name": "a", "n": 1, "ok": True, "tags": {"x": 1}}, {"name": "bb", "n": None}]


def written(data: object, form: str, columns: tuple[Column, ...] = ()) -> str:
    out = io.StringIO()
    write(data, form, columns, out)
    return out.getvalue()


def test_json_is_sorted_and_keeps_letters() -> None:
    assert written({"b": "ü", "a": 1}, "json") == '{\n  "a": 1,\n  "b": "ü"\n}\n'


def test_json_has_null_for_what_is_no_number() -> None:
    assert written([{"a": float("nan"), "b": 1.5}], "json").split() == [
        *("[", "{", '"a":', "null,", '"b":', "1.5", "}", "]"),
    ]


def test_letters_and_emoji_of_two_cells_keep_columns_aligned() -> None:
    rows = [{"name": "🚀 a", "n": 1}, {"name": "日本", "n": 2}, {"name": "é", "n": 3}]
    lines = written(rows, "table").splitlines()
    assert lines[2:] == ["🚀 a  1", "日本  2", "é     3"]


def test_yaml_is_readable() -> None:
    assert written({"b": [1], "a": None}, "yaml") == "b:\n- 1\na: null\n"
    assert written("x", "yaml") == "x\n"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Completed", "Completed\n"),
        (None, "\n"),
        (True, "true\n"),
        (["a", "b"], "a\nb\n"),
        ([["a", 1], ["b", 2]], "a\t1\nb\t2\n"),
        ([{"x": "a", "y": [1, 2], "z": {"k": 1}}], "a\t2\t\n"),
        ([], ""),
    ],
)
def test_tsv_is_what_az_prints(data: object, text: str) -> None:
    assert written(data, "tsv") == text


def test_a_table_has_heads_and_aligned_rows() -> None:
    columns = (Column("Name", "name"), Column("Twice", lambda row: (row["n"] or 0) * 2))
    assert written(ROWS, "table", columns) == ("Name  Twice\n----  -----\na     2\nbb    0\n")


def test_a_table_without_columns_shows_plain_keys() -> None:
    assert written(ROWS, "table") == "Name  N  Ok\n----  -  ----\na     1  True\nbb\n"
    assert written([["a", 1]], "table").splitlines()[0].split() == ["Column1", "Column2"]
    assert written(["a"], "table") == "Result\n------\na\n"


def test_none_prints_nothing() -> None:
    assert written(ROWS, "none") == ""


def test_people_get_tables_and_programs_json() -> None:
    assert default_format([], terminal=True) == "table"
    assert default_format({}, terminal=True) == "yaml"
    assert default_format([], terminal=False) == "json"


def test_a_query_selects() -> None:
    assert search(ROWS, "[?n].name | [0]") == "a"


def test_a_query_that_is_none_is_told() -> None:
    with pytest.raises(InvalidInput, match="is not JMESPath"):
        search(ROWS, "a[")


def test_a_narrow_terminal_leaves_out_what_can_be_spared() -> None:
    heads = [Column("Name", "n"), Column("Kind", "k", spare=True), Column("More", "m", spare=True)]
    cells = [["a" * 10, "b" * 10, "c" * 10]]
    names = [[head.head for head in fitting(heads, cells, width)[0]] for width in (80, 30, 9)]
    assert names == [["Name", "Kind", "More"], ["Name", "Kind"], ["Name"]]
    assert fitting(heads, cells, 30)[1] == [["a" * 10, "b" * 10]]
