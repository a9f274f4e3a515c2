"""Lazulite: the Azure Machine Learning workspace on your own machines."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lazulite.client.connect import connect
    from lazulite.client.workspace import Workspace

__version__ = "0.1.0"
__all__ = ["Workspace", "__version__", "connect"]

_LAZY = {"Workspace": "lazulite.client.workspace", "connect": "lazulite.client.connect"}


def __getattr__(name: str) -> Any:
    """Import the client only when it is used: the CLI must start fast."""
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'lazulite' has no attribute {name!r}")
