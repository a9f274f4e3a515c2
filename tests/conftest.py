"""What every test gets: a clean environment, and no network beyond this machine."""

from __future__ import annotations

import os
import sys

import pytest

LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")


def _refuse_the_internet(event: str, args: tuple[object, ...]) -> None:
    if event != "socket.connect" or not isinstance(args[1], tuple):
        return
    host = str(args[1][0])
    if not host.startswith(LOOPBACK):
        raise ConnectionRefusedError(f"tests stay on this machine: tried to reach {host}")


def pytest_configure() -> None:
    """Refuse connections that leave the machine: an audit hook cannot be taken off by a test."""
    sys.addaudithook(_refuse_the_internet)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test sees no setting of the developer's, and no shell's wish about byte code."""
    for name in os.environ:
        if name.startswith(("LAZULITE_", "AZUREML_", "MLFLOW_")) and "_TEST_" not in name:
            monkeypatch.delenv(name)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
