"""A home for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine.fakes import Lab


@pytest.fixture(scope="session")
def new_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that was never used: to copy one is quicker than to make one."""
    folder = tmp_path_factory.mktemp("home")
    Lab(folder).close()
    return folder / "lazulite.db"


@pytest.fixture
def lab(tmp_path: Path, new_home: Path) -> Iterator[Lab]:
    """A home without an engine."""
    shutil.copy(new_home, tmp_path)
    made = Lab(tmp_path)
    yield made
    made.close()


@pytest.fixture
def running(lab: Lab) -> Lab:
    """A home with an engine."""
    lab.start()
    return lab
