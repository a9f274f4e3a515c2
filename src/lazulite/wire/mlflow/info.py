"""What MLflow's client asks about the server before it uses it."""

from __future__ import annotations

from lazulite.wire.http import Call, Reply
from lazulite.wire.mlflow.mount import Way

VERSION = "3.17.2"  # of the MLflow whose API this follows


def server_info(_: Call) -> Reply:
    """Say what the server can; open, as in MLflow."""
    return Reply(
        body={
            "store_type": "SqlStore",
            "workspaces_enabled": False,
            "trace_archival_enabled": False,
            "multipart_uploads_enabled": False,
            "multipart_downloads_enabled": False,
        }
    )


def version(_: Call) -> Reply:
    """Return the version of the API."""
    return Reply(raw=VERSION.encode(), media_type="text/plain; charset=utf-8")


def health(_: Call) -> Reply:
    """Say that the server answers."""
    return Reply(raw=b"OK", media_type="text/plain; charset=utf-8")


def ways() -> list[Way]:
    """Return the open routes."""
    return [
        Way("GET", "/api/3.0/mlflow/server-info", None, server_info),
        Way("GET", "/ajax-api/3.0/mlflow/server-info", None, server_info),
        Way("GET", "/version", None, version),
        Way("GET", "/health", None, health),
    ]
