"""Stores of MLflow made by MLflow itself, and a workspace to bring them to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lazulite.client.rest import Address, Connection
from lazulite.client.session import Session
from lazulite.config import read_settings
from lazulite.domain.ids import DEFAULT_WORKSPACE
from tests.wire.live import Live, live_server

SCRIPT = Path(__file__).with_name("make_store.py")
ENVIRON = {
    **{key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")},
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
Import = Callable[..., object]


def make(folder: Path, uri: str) -> Path:
    """Run the script in a folder; return the folder."""
    folder.mkdir(parents=True)
    subprocess.run(
        [sys.executable, SCRIPT, uri], cwd=folder, env=ENVIRON, check=True, capture_output=True
    )
    return folder


@pytest.fixture(scope="session")
def sqlite_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in `mlflow.db`, with its artifacts in `mlruns` beside it."""
    return make(tmp_path_factory.mktemp("stores") / "sqlite", "sqlite:///mlflow.db")


@pytest.fixture(scope="session")
def folder_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in `mlruns`."""
    folder = tmp_path_factory.mktemp("stores") / "folder"
    return make(folder, (folder / "mlruns").as_uri())


@pytest.fixture
def own_sqlite(sqlite_store: Path, tmp_path: Path) -> Path:
    """A copy of the file, to be changed; its artifacts are where they were."""
    return shutil.copy(sqlite_store / "mlflow.db", tmp_path / "mlflow.db")


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    """A server with nothing in it."""
    with live_server(tmp_path / "home") as server:
        yield server


@pytest.fixture
def session(live: Live) -> Iterator[Session]:
    """A session of its default workspace."""
    made = session_of(live)
    yield made
    made.close()


def session_of(live: Live) -> Session:
    """Return a session of the default workspace of a server."""
    connection = Connection(Address(live.http, live.tokens.owner))
    settings = read_settings({"LAZULITE_HOME": str(live.home)})
    return Session(connection=connection, workspace=DEFAULT_WORKSPACE, settings=settings)
