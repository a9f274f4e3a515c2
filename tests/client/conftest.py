from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lazulite.client.session import Session
from tests.client.fake import Fake, fake_session


@pytest.fixture
def _pair(tmp_path: Path) -> Iterator[tuple[Fake, Session]]:
    with fake_session(tmp_path / "home") as pair:
        yield pair


@pytest.fixture
def fake(_pair: tuple[Fake, Session]) -> Fake:
    return _pair[0]


@pytest.fixture
def session(_pair: tuple[Fake, Session]) -> Session:
    return _pair[1]
