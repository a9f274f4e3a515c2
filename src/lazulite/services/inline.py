"""Keeps the components that a pipeline is written out with, and pins what a label means now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lazulite.domain.asset import Asset, AssetKind
from lazulite.domain.errors import InvalidInput, NotFound
from lazulite.domain.ids import parse_asset
from lazulite.domain.workspace import Workspace
from lazulite.formats.azure.inline import ANONYMOUS_COMPONENT, Pin
from lazulite.ports.store import Tx


def pin(tx: Tx, workspace: Workspace) -> Pin:
    """Return what turns a labelled reference to an environment into one of a version.

    One that is curated, of a registry or not there stays as it is.
    """

    def now(ref: str) -> str:
        try:
            found = parse_asset(ref, AssetKind.ENVIRONMENT)
            if found.registry or found.version or found.label is None:
                return ref
            kind = AssetKind.ENVIRONMENT
            asset = tx.assets.resolve(workspace.id, kind, found.name, found.label)
        except (InvalidInput, NotFound):
            return ref
        prefix = "azureml:" if ref.startswith("azureml:") else ""
        arm = workspace.ids.arm
        return f"{prefix}{arm}/environments/{asset.name}/versions/{asset.version}"

    return now


def keep(
    tx: Tx, workspace: int, specs: Mapping[str, dict[str, Any]], by: str, at: datetime
) -> None:
    """Store components by version, where they are not there yet."""
    for version, spec in specs.items():
        try:
            tx.assets.get(workspace, AssetKind.COMPONENT, ANONYMOUS_COMPONENT, version)
        except NotFound:
            asset = Asset(
                kind=AssetKind.COMPONENT,
                name=ANONYMOUS_COMPONENT,
                version=version,
                body={"componentSpec": spec},
                anonymous=True,
                created_at=at,
                created_by=by,
                modified_at=at,
            )
            tx.assets.add(workspace, asset)
