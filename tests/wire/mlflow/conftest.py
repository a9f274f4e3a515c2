"""The real MLflow client on a live server."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from tests.wire.live import SCOPE, Live, live_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One server for all MLflow tests of a worker; they use experiments of their own."""
    with live_server(tmp_path_factory.mktemp("mlflow")) as live:
        yield live


@pytest.fixture(params=["short", "workspace"])
def uri(request: pytest.FixtureRequest, server: Live) -> str:
    """The two ways to name the default workspace."""
    return server.http + ("" if request.param == "short" else f"/mlflow/v1.0{SCOPE}")


@pytest.fixture
def mlflow(
    uri: str, server: Live, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Any]:
    """The `mlflow` module, pointed at the server, with an experiment named after the test."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", server.tokens.owner)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow

        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        mlflow.set_experiment(request.node.name)
        yield mlflow
        while mlflow.active_run():
            mlflow.end_run()


@pytest.fixture
def client(mlflow: Any) -> Any:
    """An `MlflowClient`."""
    return mlflow.MlflowClient()
