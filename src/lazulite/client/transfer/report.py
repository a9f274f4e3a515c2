"""What a transfer did: counts, and why something was left. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

KINDS = (
    *("experiments", "runs", "points", "params", "tags", "artifacts", "bytes"),
    *("logged models", "registered models", "versions", "aliases"),
)
_ONLY_LEFT = ("tags", "aliases")  # shown only where some were left


@dataclass(slots=True)
class Tally:
    """How many of one kind."""

    new: int = 0
    there: int = 0
    skipped: int = 0
    reasons: dict[str, tuple[int, str]] = field(default_factory=dict)  # count and first name


class Report:
    """Counts by kind."""

    def __init__(self) -> None:
        """Count nothing yet."""
        self.of = {kind: Tally() for kind in KINDS}
        self.progress = 0  # points that were sent so far, whatever is new of them

    def add(self, kind: str, *, new: int = 0, there: int = 0) -> None:
        """Count what is new, and what was there."""
        tally = self.of[kind]
        tally.new += new
        tally.there += there

    def skip(self, kind: str, name: str, reason: str, count: int = 1) -> None:
        """Count what was left, and why."""
        self.of[kind].skipped += count
        self.note(kind, name, reason, count)

    def note(self, kind: str, name: str, reason: str, count: int = 1) -> None:
        """Say something of what came."""
        reasons = self.of[kind].reasons
        before, first = reasons.get(reason, (0, name))
        reasons[reason] = before + count, first

    def rows(self) -> list[dict[str, object]]:
        """Return a row per kind."""
        return [
            {
                "what": kind,
                "new": tally.new,
                "there": tally.there,
                "skipped": tally.skipped,
                "reasons": list(self._reasons(tally)),
            }
            for kind, tally in self.of.items()
            if tally.reasons or kind not in _ONLY_LEFT
        ]

    def words(self) -> list[str]:
        """Return a line per kind and reason of what was left."""
        return [f"{kind}: {reason}" for kind, t in self.of.items() for reason in self._reasons(t)]

    @staticmethod
    def _reasons(tally: Tally) -> list[str]:
        return [
            f"{first}: {reason}" if count == 1 else f"{count} such as {first}: {reason}"
            for reason, (count, first) in tally.reasons.items()
        ]
