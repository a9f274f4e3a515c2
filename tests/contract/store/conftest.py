"""Every test of this folder runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import pytest
from tests.databases import database_url, store
from tests.records import a_workspace

from lazulite.ports.store import Store

__all__ = ["database_url", "store", "workspace"]


@pytest.fixture
def workspace(store: Store) -> int:
    """Row id of a workspace."""
    return store.write(lambda tx: tx.workspaces.add(a_workspace())).id
