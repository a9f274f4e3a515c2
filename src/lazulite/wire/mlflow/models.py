"""Logged models on MLflow's wire: there are none yet, and the client asks at every download."""

from __future__ import annotations

from lazulite.domain.access import Action
from lazulite.services import workspaces
from lazulite.wire.http import Call, Reply
from lazulite.wire.mlflow.mount import Way


def search(call: Call) -> Reply:
    """Return the logged models that a search finds."""
    workspaces.get(call.services, call.here)
    return Reply(body={})


def ways() -> list[Way]:
    """Return the routes of logged models."""
    return [Way("POST", "/logged-models/search", Action.READ, search)]
