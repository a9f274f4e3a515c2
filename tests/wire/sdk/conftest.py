"""The real SDK on a live server, by both ways."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from tests.wire.live import Live, live_server

NAMES = ("00000000-0000-0000-0000-000000000000", "local", "default")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One server for all SDK tests of a worker."""
    with live_server(tmp_path_factory.mktemp("sdk")) as live:
        yield live


@pytest.fixture(scope="session")
def _sdk() -> None:
    """Import the SDK once: it uses what its own dependencies call deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import azure.ai.ml
        import azure.ai.ml.dsl
        import azure.ai.ml.entities
        import azure.identity  # noqa: F401


@pytest.fixture
def _pointed(_sdk: None, server: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAZULITE_HOME", str(server.home))
    monkeypatch.setenv("LAZULITE_URL", server.https)
    monkeypatch.setenv("LAZULITE_TOKEN", server.tokens.owner)
    monkeypatch.setenv("LAZULITE_CA_BUNDLE", str(server.home / "tls" / "bundle.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.home / "tls" / "bundle.pem"))
    monkeypatch.setenv("AZUREML_CURRENT_CLOUD", "AzureCloud")  # MLClient sets it: put back after


@pytest.fixture
def client(_pointed: None) -> Any:
    """An MLClient by `lazulite.connect()`."""
    import lazulite

    return lazulite.connect()


@pytest.fixture
def plain_client(server: Live, _pointed: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An MLClient as an unchanged script makes it, with nothing but variables set."""
    monkeypatch.delenv("AZUREML_CURRENT_CLOUD")
    monkeypatch.setenv("ARM_CLOUD_METADATA_URL", f"{server.https}/metadata/endpoints")
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.https}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", server.tokens.owner)
    from azure.ai.ml import MLClient
    from azure.identity import DefaultAzureCredential

    return MLClient(DefaultAzureCredential(), *NAMES)
