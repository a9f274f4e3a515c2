"""A home for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.fakes import Lab
from tests.services.homes import a_home


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Lab]:
    """A workspace with assets, and no engine."""
    made = a_home(tmp_path)
    yield made
    made.close()
