"""Fixtures of the wire's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.wire.live import Live, live_server


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One server for the tests of a module; they use names of their own."""
    with live_server(tmp_path_factory.mktemp("home")) as server:
        yield server
