"""Records to store in tests, with the fields that do not matter filled in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from lazulite.domain.asset import Asset, AssetKind
from lazulite.domain.ids import WorkspaceId
from lazulite.domain.job import Job, JobKind, Timeline
from lazulite.domain.workspace import Compute, Datastore, Workspace

NOW = datetime(2026, 3, 1, 12, 30, 15, 123457, tzinfo=UTC)
LATER = NOW + timedelta(seconds=30)
STAMP: dict[str, Any] = {"created_at": NOW, "created_by": "ann", "modified_at": NOW}

_numbers = count(1)


def a_workspace(name: str = "ws", group: str = "local", **fields: Any) -> Workspace:
    ids = WorkspaceId("0000-sub", group, name)
    return Workspace(ids=ids, location="local", display_name=name, **STAMP | fields)


def a_compute(name: str = "cpu", **fields: Any) -> Compute:
    what: dict[str, Any] = {"kind": "AmlCompute", "location": "local", "body": {}}
    return Compute(name=name, **STAMP | what | fields)


def a_datastore(name: str = "blob", **fields: Any) -> Datastore:
    return Datastore(name=name, **STAMP | {"kind": "AzureBlob", "body": {}} | fields)


def an_asset(name: str = "taxi", version: str = "1", **fields: Any) -> Asset:
    return Asset(
        name=name, version=version, **STAMP | {"kind": AssetKind.DATA, "body": {}} | fields
    )


def a_job(workspace: int, name: str | None = None, **fields: Any) -> Job:
    name = name or f"job-{next(_numbers)}"
    what: dict[str, Any] = {
        "kind": JobKind.COMMAND,
        "experiment": "Default",
        "display_name": name,
        "timeline": Timeline(created=NOW),
        "created_by": "ann",
        "modified_at": NOW,
    }
    return Job(workspace=workspace, name=name, **what | fields)


def a_child(parent: Job, node: str, **fields: Any) -> Job:
    return a_job(parent.workspace, parent=parent.id, root=parent.id, node=node, **fields)
