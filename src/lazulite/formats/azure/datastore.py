"""Datastores in Azure's JSON. Secrets are split off when they are read."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec

from lazulite.domain.errors import InvalidInput
from lazulite.domain.ids import WorkspaceId
from lazulite.domain.workspace import Datastore
from lazulite.formats.azure.envelope import Stamp, convert, properties_of, resource, string_map

STORAGE_SUFFIX = "core.local"  # in place of core.windows.net
_SERVER_FIELDS = ("credentials", "provisioningState", "serviceDataAccessAuthIdentity")
_FACADE = "/azureblob/"


class DatastoreDraft(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says about a datastore."""

    kind: str
    body: dict[str, Any]
    secrets: dict[str, Any] | None
    is_default: bool


def local_body() -> dict[str, Any]:
    """Return the body of a datastore that is a folder of this server."""
    return {"local": True}


def is_local(datastore: Datastore) -> bool:
    """Tell a folder of this server from someone else's storage."""
    return datastore.body.get("local") is True


def decode_datastore(body: dict[str, Any]) -> DatastoreDraft:
    """Read the body of a PUT of a datastore.

    An Azure blob store on the account of our own façade becomes a local one.

    Raises:
        InvalidInput: it has no datastoreType, or fields of the wrong type.
    """
    properties = properties_of(body)
    kind = properties.get("datastoreType")
    if not isinstance(kind, str):
        raise InvalidInput("'datastoreType' must be given", path="properties.datastoreType")
    credentials = convert(
        properties.get("credentials") or {}, dict[str, Any], "properties.credentials"
    )
    secrets = credentials.get("secrets")
    kept = {k: v for k, v in properties.items() if k not in (*_SERVER_FIELDS, "isDefault")}
    kept["tags"] = string_map(properties.get("tags"), "properties.tags")
    if _FACADE in str(properties.get("accountName")):
        kept = {k: kept[k] for k in ("tags", "description") if k in kept} | local_body()
    kept["credentials"] = {k: v for k, v in credentials.items() if k != "secrets"}
    return DatastoreDraft(
        kind=kind,
        body=kept,
        secrets=convert(secrets, dict[str, Any], "properties.credentials.secrets")
        if secrets
        else None,
        is_default=properties.get("isDefault") is True,
    )


def encode_datastore(
    datastore: Datastore, workspace: WorkspaceId, row: int, default: str, base: str
) -> dict[str, Any]:
    """Return a datastore as ARM does, without secrets.

    A local one claims an account on the server that was called, so that the SDK's
    `https://{account}.blob.{suffix}/{container}` leads to the blob façade there.

    Args:
        datastore: the record.
        workspace: where it is.
        row: the workspace's row id.
        default: name of the workspace's default datastore.
        base: scheme and host the client calls.
    """
    credentials = datastore.body.get("credentials") or {}
    properties = {
        "tags": {},
        "properties": {},
        "serviceDataAccessAuthIdentity": "None",
        **{k: v for k, v in datastore.body.items() if k != "local"},
        "datastoreType": datastore.kind,
        "isDefault": datastore.name == default,
        "credentials": {"credentialsType": "None", **credentials},
    }
    if is_local(datastore):
        properties |= {
            "datastoreType": "AzureBlob",
            "accountName": f"{urlsplit(base).netloc}{_FACADE}{row}/s",
            "containerName": datastore.name,
            "endpoint": STORAGE_SUFFIX,
            "protocol": "https",
            "credentials": {"credentialsType": "None"},
        }
    stamp = Stamp(
        created_at=datastore.created_at,
        created_by=datastore.created_by,
        modified_at=datastore.modified_at,
    )
    return resource(workspace, f"datastores/{datastore.name}", properties, stamp)


def blob_path(row: int, datastore: str, path: str) -> str:
    """Return where the blob façade serves a path of a local datastore, decoded."""
    return f"{_FACADE}{row}/s.blob.{STORAGE_SUFFIX}/{datastore}/{path}"
