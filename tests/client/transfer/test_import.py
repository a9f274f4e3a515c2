"""Stores of MLflow's own making come whole, once, and however often."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lazulite.client.session import Session
from lazulite.client.transfer.ends import import_from, open_source
from lazulite.client.transfer.foreign import own_api
from lazulite.client.transfer.move import Wanted
from lazulite.client.transfer.report import Report
from lazulite.client.transfer.server import ServerSource
from tests.client.transfer.content import content


def bring(session: Session, uri: object, **wanted: Any) -> Report:
    return import_from(session, str(uri), None, Wanted(**wanted), lambda _: None)


def here(session: Session) -> dict[str, Any]:
    with closing(ServerSource(own_api(session))) as source:
        return content(source)


def there(uri: object) -> dict[str, Any]:
    with closing(open_source(str(uri), None, {})) as source:
        return content(source)


def new(report: Report) -> dict[str, int]:
    return {kind: tally.new for kind, tally in report.of.items() if tally.new}


@pytest.fixture(params=["sqlite", "folder"])
def store(request: pytest.FixtureRequest) -> Iterator[Path]:
    made: Path = request.getfixturevalue(f"{request.param}_store")
    yield made / ("mlflow.db" if request.param == "sqlite" else "mlruns")


@pytest.mark.timeout(180)
def test_everything_comes(store: Path, session: Session) -> None:
    report = bring(session, store)
    assert report.words() == []
    assert here(session) == there(store)


@pytest.mark.timeout(180)
def test_a_repeat_brings_nothing(store: Path, session: Session) -> None:
    first = bring(session, store)
    before = here(session)
    report = bring(session, store)
    assert new(report) == {}
    assert report.words() == []
    assert report.of["runs"].there == first.of["runs"].new
    assert report.of["artifacts"].there == first.of["artifacts"].new
    assert here(session) == before
