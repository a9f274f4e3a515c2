"""A home for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.fakes import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A home without an engine."""
    made = Lab(tmp_path)
    yield made
    made.close()


@pytest.fixture
def running(lab: Lab) -> Lab:
    """A home with an engine."""
    lab.start()
    return lab
