"""Time, as an argument."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Says what time it is: timezone-aware, UTC. It may go back."""

    def now(self) -> datetime: ...
