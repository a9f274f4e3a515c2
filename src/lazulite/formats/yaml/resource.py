"""Computes, datastores and workspaces of a YAML file: resources without versions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lazulite.domain.ids import LOCAL_LOCATION
from lazulite.formats.yaml.command import duration
from lazulite.formats.yaml.plan import Build, Plan
from lazulite.formats.yaml.section import Section
from lazulite.formats.yaml.spelling import dropped

_COMPUTE = ("$schema", "name", "type", "location", "description", "tags")
_COMPUTE_IGNORED = (
    "ssh_settings", "ssh_public_access_enabled", "network_settings", "identity", "schedules",
    "subnet", "tier", "enable_node_public_ip", "setup_scripts", "create_on_behalf_of",
    "idle_time_before_shutdown", "idle_time_before_shutdown_minutes", "custom_applications",
)  # fmt: skip


def read_compute(build: Build, root: Section) -> Plan:
    """Read a compute's file."""
    kind = root.one_of("type", _COMPUTES)
    if kind is None:
        raise root.fail(f"needs 'type': one of {', '.join(_COMPUTES)}")
    own, reader = _COMPUTES[kind]
    root.known((*_COMPUTE, *own), ignored=_COMPUTE_IGNORED)
    properties = {**reader(root), "description": root.text("description")}
    body = {
        "location": root.text("location") or LOCAL_LOCATION,
        "tags": root.texts("tags"),
        "properties": dropped(properties),
    }
    return _plan(build, root, "computes", root.need("name"), body)


def _aml(root: Section) -> dict[str, Any]:
    idle = root.whole("idle_time_before_scale_down")
    scale = {
        "minNodeCount": root.whole("min_instances") or 0,
        "maxNodeCount": root.whole("max_instances") or 1,
        "nodeIdleTimeBeforeScaleDown": duration(idle) if idle else "PT2M",
    }
    inner = {"vmSize": root.text("size"), "scaleSettings": scale, "osType": "Linux"}
    return {"computeType": "AmlCompute", "properties": dropped(inner)}


def _instance(root: Section) -> dict[str, Any]:
    return {"computeType": "ComputeInstance", "properties": dropped({"vmSize": root.text("size")})}


def _attached(kind: str) -> Callable[[Section], dict[str, Any]]:
    def read(root: Section) -> dict[str, Any]:
        inner = {"namespace": root.text("namespace")} if kind == "Kubernetes" else {}
        found = {"computeType": kind, "resourceId": root.need("resource_id")}
        return {**found, "properties": dropped(inner)}

    return read


_AML = ("size", "min_instances", "max_instances", "idle_time_before_scale_down")
_COMPUTES: dict[str, tuple[tuple[str, ...], Callable[[Section], dict[str, Any]]]] = {
    "amlcompute": (_AML, _aml),
    "computeinstance": (("size",), _instance),
    "virtualmachine": (("resource_id",), _attached("VirtualMachine")),
    "kubernetes": (("resource_id", "namespace"), _attached("Kubernetes")),
    "synapsespark": (("resource_id",), _attached("SynapseSpark")),
}

_DATASTORE = ("$schema", "name", "type", "description", "tags", "credentials", "endpoint")
_DATASTORES = {  # type -> (Azure's, field -> Azure's field)
    "azure_blob": ("AzureBlob", {"account_name": "accountName", "container_name": "containerName"}),
    "azure_file": (
        "AzureFile",
        {"account_name": "accountName", "file_share_name": "fileShareName"},
    ),
    "azure_data_lake_gen1": ("AzureDataLakeGen1", {"store_name": "storeName"}),
    "azure_data_lake_gen2": (
        "AzureDataLakeGen2",
        {"account_name": "accountName", "filesystem": "filesystem"},
    ),
}


def read_datastore(build: Build, root: Section) -> Plan:
    """Read a datastore's file."""
    kind = root.one_of("type", _DATASTORES)
    if kind is None:
        raise root.fail(f"needs 'type': one of {', '.join(_DATASTORES)}")
    azure, fields = _DATASTORES[kind]
    root.known((*_DATASTORE, *fields), ignored=("protocol", "properties"))
    body = {
        "datastoreType": azure,
        "description": root.text("description"),
        "tags": root.texts("tags") or {},
        "endpoint": root.text("endpoint"),
        "protocol": root.text("protocol") or "https",
        "credentials": _credentials(root.section("credentials")),
        **{camel: root.need(snake) for snake, camel in fields.items()},
    }
    return _plan(build, root, "datastores", root.need("name"), {"properties": dropped(body)})


def _credentials(found: Section | None) -> dict[str, Any]:
    if found is None:
        return {"credentialsType": "None"}
    for key, kind, secret in (
        ("account_key", "AccountKey", "key"),
        ("sas_token", "Sas", "sasToken"),
    ):
        if key in found:
            secrets = {"secretsType": kind, secret: found.need(key)}
            return {"credentialsType": kind, "secrets": secrets}
    if "client_id" not in found:
        raise found.fail("needs account_key, sas_token, or tenant_id, client_id and client_secret")
    return {
        "credentialsType": "ServicePrincipal",
        "tenantId": found.need("tenant_id"),
        "clientId": found.need("client_id"),
        "secrets": {
            "secretsType": "ServicePrincipal",
            "clientSecret": found.need("client_secret"),
        },
    }


_WORKSPACE = ("$schema", "name", "display_name", "description", "location", "tags",
              "resource_group")  # fmt: skip
_WORKSPACE_IGNORED = (
    "hbi_workspace", "storage_account", "container_registry", "key_vault", "application_insights",
    "image_build_compute", "public_network_access", "customer_managed_key", "managed_network",
    "identity", "primary_user_assigned_identity", "enable_data_isolation", "type",
)  # fmt: skip


def read_workspace(build: Build, root: Section) -> Plan:
    """Read a workspace's file. The body is that of Azure's workspace resource."""
    root.known(_WORKSPACE, ignored=_WORKSPACE_IGNORED)
    properties = {
        "friendlyName": root.text("display_name"),
        "description": root.text("description"),
    }
    body = {
        "location": root.text("location") or LOCAL_LOCATION,
        "tags": root.texts("tags") or {},
        "properties": dropped(properties),
    }
    return _plan(build, root, "workspaces", root.need("name"), body)


def _plan(build: Build, root: Section, kind: str, name: str, body: dict[str, Any]) -> Plan:
    return Plan(
        kind=kind,
        name=name,
        body=dropped(body),
        warnings=tuple(build.warnings),
        root=root,
    )
