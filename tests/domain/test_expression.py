"""Expressions and optional blocks of commands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazulite.domain.errors import InvalidInput
from lazulite.domain.expression import expressions, render_command, sole_expression, substitute


def test_expressions_are_found_in_order_and_trimmed() -> None:
    assert expressions("a ${{ inputs.x }} b ${{\noutputs.y}} ${{}}") == [
        "inputs.x",
        "outputs.y",
        "",
    ]
    assert expressions("${x} $${ {{y}} ${{z") == []


@pytest.mark.parametrize(
    ("text", "sole"),
    [
        ("${{parent.inputs.x}}", "parent.inputs.x"),
        ("  ${{ a }} ", "a"),
        ("${{a}}${{b}}", None),
        ("x ${{a}}", None),
        ("", None),
    ],
)
def test_a_text_that_is_one_expression_is_known(text: str, sole: str | None) -> None:
    assert sole_expression(text) == sole


def test_a_command_is_filled() -> None:
    values = {"inputs.x": "1 2", "outputs.o": "/o", "name": "j"}
    command = "run '${{inputs.x}}'\n--out ${{outputs.o}} --job ${{name}}"
    assert render_command(command, values) == "run '1 2'\n--out /o --job j"


def test_values_are_not_filled_again() -> None:
    values = {"inputs.x": "${{inputs.y}} $[[z]]", "inputs.y": "no"}
    assert render_command("${{inputs.x}}", values) == "${{inputs.y}} $[[z]]"


def test_an_optional_block_stays_or_goes_with_its_inputs() -> None:
    command = "run$[[ --x ${{inputs.x}}]]$[[ --y ${{inputs.y}} ${{inputs.x}}]]$[[ always]]"
    assert render_command(command, {"inputs.x": "1", "inputs.y": None}) == "run --x 1 always"
    assert render_command(command, {"inputs.x": None, "inputs.y": "2"}) == "run always"


def test_an_optional_input_outside_a_block_needs_a_value() -> None:
    with pytest.raises(InvalidInput, match="stands outside") as caught:
        render_command("run ${{inputs.x}}", {"inputs.x": None})
    assert caught.value.path == "command"


@pytest.mark.parametrize(("values", "known"), [({"inputs.y": "1"}, "inputs.y"), ({}, "none")])
def test_an_unknown_expression_names_the_known_ones(values: dict[str, str], known: str) -> None:
    with pytest.raises(InvalidInput, match=f"names nothing here; known: {known}"):
        render_command("$[[${{inputs.x}}]]", values, path="jobs.a.command")


@given(st.text(alphabet="ab${}[] \n"), st.text())
def test_a_text_without_expressions_is_left_alone(text: str, value: str) -> None:
    assert substitute(text, lambda _: value) == text or "${{" in text


@given(st.lists(st.sampled_from(["x", "${{", "}}", " ", "$[[", "]]", "a.b"])).map("".join))
def test_filling_leaves_no_complete_expression_behind(text: str) -> None:
    assert expressions(substitute(text, lambda _: "v")) == [] or "${{" in text


@pytest.mark.parametrize("part", ["${{", "${{ ", "$[[", "]]", "}}", " "])
@pytest.mark.timeout(5)
def test_megabytes_of_nonsense_take_no_time(part: str) -> None:
    render_command(part * 400_000, {})
