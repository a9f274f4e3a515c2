"""A home for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.databases import KINDS, empty_database
from tests.engine.fakes import Lab


@pytest.fixture(scope="session")
def new_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that was never used: to copy one is quicker than to make one."""
    folder = tmp_path_factory.mktemp("home")
    Lab(folder).close()
    return folder / "lazulite.db"


@pytest.fixture(params=KINDS)
def lab(request: pytest.FixtureRequest, tmp_path: Path, new_home: Path) -> Iterator[Lab]:
    """A home without an engine, on a database of each kind in turn."""
    if request.param == "sqlite":
        shutil.copy(new_home, tmp_path)
    with empty_database(request.param, tmp_path) as url, closing(Lab(tmp_path, url=url)) as made:
        yield made


@pytest.fixture
def running(lab: Lab) -> Lab:
    """A home with an engine."""
    lab.start()
    return lab
