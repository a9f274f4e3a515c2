"""A curve in one line of text."""

from __future__ import annotations

from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"
WIDTH = 40  # characters, where nobody says how many fit


def sparkline(values: Sequence[float], width: int = WIDTH) -> str:
    """Return a bar per value, a space for NaN; of a long curve the highest of each piece."""
    size = -(-len(values) // width) or 1
    pieces = [values[at : at + size] for at in range(0, len(values), size)]
    heights = [max((v for v in piece if v == v), default=None) for piece in pieces]
    known = [height for height in heights if height is not None]
    if not known:
        return " " * len(heights)
    low, span = min(known), max(known) - min(known)
    return "".join(" " if h is None else _BARS[_step(h - low, span)] for h in heights)


def _step(above: float, span: float) -> int:
    return 0 if span <= 0 else min(len(_BARS) - 1, int(above / span * len(_BARS)))
