"""Workspaces, computes and datastores, as records."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from lazulite.domain.ids import BLOB_STORE, WorkspaceId


class Workspace(msgspec.Struct, frozen=True, kw_only=True):
    """One workspace. `body` keeps Azure's `properties` that Lazulite only echoes."""

    id: int = 0
    ids: WorkspaceId
    location: str
    display_name: str
    description: str = ""
    tags: dict[str, str] = {}
    body: dict[str, Any] = {}
    default_datastore: str = BLOB_STORE
    created_at: datetime
    created_by: str
    modified_at: datetime


class Compute(msgspec.Struct, frozen=True, kw_only=True):
    """One compute target. `body` is Azure's `properties` as it was put."""

    id: int = 0
    name: str
    kind: str  # Azure's computeType: AmlCompute, ComputeInstance, VirtualMachine, Kubernetes ...
    location: str
    body: dict[str, Any]
    tags: dict[str, str] = {}
    slots: int | None = None  # jobs at once; None = as many as the machine has cores
    stopped: bool = False
    created_at: datetime
    created_by: str
    modified_at: datetime


class Datastore(msgspec.Struct, frozen=True, kw_only=True):
    """One datastore. Secrets are kept apart and come only through `listSecrets`."""

    id: int = 0
    name: str
    kind: str  # AzureBlob, AzureFile, AzureDataLakeGen1, AzureDataLakeGen2, ...
    body: dict[str, Any]  # Azure's properties without credentials' secrets
    secrets: dict[str, Any] | None = None  # only when asked for
    created_at: datetime
    created_by: str
    modified_at: datetime
