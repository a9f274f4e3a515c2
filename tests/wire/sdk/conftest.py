"""The real SDK on a live server, by both ways."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.server import Server, running
from tests.wire.live import Live, live_server

NAMES = ("00000000-0000-0000-0000-000000000000", "local", "default")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One server for all SDK tests of a worker."""
    with live_server(tmp_path_factory.mktemp("sdk")) as live:
        yield live


@pytest.fixture(scope="session")
def sdk() -> None:
    """Import the SDK once: it uses what its own dependencies call deprecated."""
    os.environ["AZUREML_RUN_POLLING_INTERVAL_MIN"] = "1"  # second; read at import
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import azure.ai.ml
        import azure.ai.ml.dsl
        import azure.ai.ml.entities
        import azure.identity  # noqa: F401


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One whole server process, which runs jobs, for all tests of a worker."""
    with running(tmp_path_factory.mktemp("engine") / "home") as server:
        yield server


@pytest.fixture
def worker(sdk: None, engine: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An MLClient of the server that runs jobs."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv("AZUREML_CURRENT_CLOUD", "AzureCloud")  # MLClient sets it: put back after
    import lazulite

    return lazulite.connect(home=engine.home)


@pytest.fixture
def plain_worker(sdk: None, engine: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An MLClient of that server as an unchanged script makes it."""
    token = (engine.home / "token").read_text().strip()
    return by_variables(engine.about["https"], token, engine.home, monkeypatch)


@pytest.fixture
def pointed(sdk: None, server: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAZULITE_HOME", str(server.home))
    monkeypatch.setenv("LAZULITE_URL", server.https)
    monkeypatch.setenv("LAZULITE_TOKEN", server.tokens.owner)
    monkeypatch.setenv("LAZULITE_CA_BUNDLE", str(server.home / "tls" / "bundle.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.home / "tls" / "bundle.pem"))
    monkeypatch.setenv("AZUREML_CURRENT_CLOUD", "AzureCloud")  # MLClient sets it: put back after


@pytest.fixture
def client(pointed: None) -> Any:
    """An MLClient by `lazulite.connect()`."""
    import lazulite

    return lazulite.connect()


@pytest.fixture
def plain_client(sdk: None, server: Live, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An MLClient as an unchanged script makes it, with nothing but variables set."""
    return by_variables(server.https, server.tokens.owner, server.home, monkeypatch)


def by_variables(url: str, token: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set the variables that `lazulite env` prints, and do what a script for Azure does."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(home / "tls" / "bundle.pem"))
    monkeypatch.setenv("ARM_CLOUD_METADATA_URL", f"{url}/metadata/endpoints")
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", token)
    monkeypatch.setenv("AZUREML_CURRENT_CLOUD", "lazulite")
    from azure.ai.ml import MLClient
    from azure.identity import DefaultAzureCredential

    return MLClient(DefaultAzureCredential(), *NAMES)
