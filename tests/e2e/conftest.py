"""Servers for whole-program tests. Every test here is slow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.server import Server, running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what stands in this folder: slow, and up to five minutes long."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(300))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A ready server on a fresh home."""
    with running(tmp_path / "home") as server:
        yield server
        print(server.tail())  # pytest shows it when the test failed


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One ready server for all tests of a module that do not disturb each other."""
    with running(tmp_path_factory.mktemp("shared") / "home") as server:
        yield server
