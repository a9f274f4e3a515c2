"""Azure ML's `${{...}}` expressions and `$[[...]]` optional blocks. It looks no value up."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from lazulite.domain.errors import InvalidInput

# Neither looks past the next opening, so that a text costs its length, not its square.
_EXPRESSION = re.compile(r"\$\{\{((?:(?!\$\{\{|\}\}).)*)\}\}", re.DOTALL)
_BLOCK = re.compile(r"\$\[\[((?:(?!\$\[\[|\]\]).)*)\]\]", re.DOTALL)


def expressions(text: str) -> list[str]:
    """Return what stands between `${{` and `}}`, trimmed, in order."""
    return [inside.strip() for inside in _EXPRESSION.findall(text)]


def sole_expression(text: str) -> str | None:
    """Return the expression if the whole text is one `${{...}}`, else None."""
    found = _EXPRESSION.fullmatch(text.strip())
    return found[1].strip() if found else None


def substitute(text: str, value_of: Callable[[str], str]) -> str:
    """Replace every `${{...}}` by `value_of` of its inside."""
    return _EXPRESSION.sub(lambda m: value_of(m[1].strip()), text)


def render_command(command: str, values: Mapping[str, str | None], *, path: str = "command") -> str:
    """Fill a command: drop `$[[...]]` blocks with a missing optional input, then fill `${{...}}`.

    Args:
        command: the command of a job or component.
        values: `inputs.x`, `outputs.y` ... to text; None = a declared optional input without value.
        path: where the command stands, for errors.

    Raises:
        InvalidInput: an expression names nothing known, or an optional input without value stands
            outside a `$[[...]]` block.
    """

    def value_of(expression: str) -> str:
        if expression not in values:
            known = ", ".join(sorted(values)) or "none"
            raise InvalidInput(
                f"expression '${{{{{expression}}}}}' names nothing here; known: {known}",
                path=path,
            )
        value = values[expression]
        if value is None:
            raise InvalidInput(
                f"optional input '${{{{{expression}}}}}' has no value and stands outside "
                "$[[...]]: wrap that part of the command, or give the input a value",
                path=path,
            )
        return value

    def block(found: re.Match[str]) -> str:
        inside = found[1]
        absent = any(e in values and values[e] is None for e in expressions(inside))
        return "" if absent else inside

    return substitute(_BLOCK.sub(block, command), value_of)
