"""Rows of the table of speeds, and how they print. It measures nothing."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Format = Callable[[float], str]


def seconds(value: float) -> str:
    """Print seconds so that three digits stay."""
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s"


def megabytes(value: float) -> str:
    """Print bytes as MB."""
    return f"{value / 1e6:.0f} MB"


def cores(value: float) -> str:
    """Print a share of one core."""
    return f"{value:.4f} CPU"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line: what was measured, beside what, and whether the goal was met."""

    what: str
    samples: Sequence[float]
    goal: float | None = None  # at most; None = shown, not judged
    times: float | None = None  # or at most so many times `beside`, for a slower or busy machine
    beside: float | None = None  # the limit or peer, measured in the same run
    peer: str = ""  # what `beside` is
    form: Format = seconds

    @property
    def value(self) -> float:
        """The median of the samples."""
        return statistics.median(self.samples)

    @property
    def passed(self) -> bool:
        """The goal was met, as itself or as a ratio, or there is none."""
        if self.goal is None or self.value <= self.goal:
            return True
        return self.times is not None and self.ratio <= self.times

    @property
    def ratio(self) -> float:
        """How many times what it was measured beside."""
        return self.value / self.beside if self.beside else float("nan")

    @property
    def cells(self) -> tuple[str, ...]:
        """What the columns show."""
        beside, ratio = "", ""
        if self.beside is not None:
            beside = f"{self.form(self.beside)} {self.peer}"
            ratio = f"{self.ratio:.2f}x"
        goal = "" if self.goal is None else f"<= {self.form(self.goal)}"
        if self.times is not None:
            goal += f" or {self.times:.2f}x"
        verdict = "" if self.goal is None else "pass" if self.passed else "MISS"
        spread = f"{self.form(min(self.samples))} .. {self.form(max(self.samples))}"
        shown = spread if len(self.samples) > 1 else ""
        return (self.what, self.form(self.value), shown, beside, ratio, goal, verdict)


HEAD = ("what", "median", "least .. most", "beside", "ratio", "goal", "")


def table(rows: Sequence[Row]) -> str:
    """Lay the rows out in columns."""
    return columns([HEAD, *(row.cells for row in rows)])


def columns(lines: Sequence[tuple[str, ...]]) -> str:
    """Lay cells out in columns, the first line as their head."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    ruled = [lines[0], tuple("-" * width for width in widths), *lines[1:]]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in ruled
    )
