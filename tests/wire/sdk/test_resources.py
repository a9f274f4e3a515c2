"""Workspaces, computes and datastores by the unmodified SDK."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wire.sdk import SDK

pytestmark = SDK


def test_a_workspace_is_made_shown_changed_and_deleted(client: Any) -> None:
    from azure.ai.ml.entities import Workspace

    made = client.workspaces.begin_create(
        Workspace(name="team", description="one", tags={"a": "b"}, location="local")
    ).result()
    assert (made.name, made.description, made.tags["a"]) == ("team", "one", "b")
    made.description = "two"
    assert client.workspaces.begin_update(made).result().description == "two"
    assert {w.name for w in client.workspaces.list()} == {"default", "team"}
    client.workspaces.begin_sync_keys("team").result()
    client.workspaces.begin_delete("team", delete_dependent_resources=True).result()
    assert [w.name for w in client.workspaces.list()] == ["default"]


def test_a_workspace_in_another_group_has_stores_of_its_own(client: Any) -> None:
    from azure.ai.ml.entities import Workspace

    made = client.workspaces.begin_create(Workspace(name="w2", resource_group="other")).result()
    assert made.resource_group == "other"
    assert client.workspaces.get("w2", resource_group="other").location == "local"
    found = client.workspaces.list(scope="subscription")
    assert {(w.resource_group, w.name) for w in found} >= {("local", "default"), ("other", "w2")}


def test_a_workspace_that_does_not_exist_is_said_to_be_missing(client: Any) -> None:
    from azure.core.exceptions import ResourceNotFoundError

    with pytest.raises(ResourceNotFoundError, match="workspace 'nobody' does not exist"):
        client.workspaces.get("nobody")


def test_a_cluster_is_made_listed_resized_and_deleted(client: Any) -> None:
    from azure.ai.ml.entities import AmlCompute

    made = client.compute.begin_create_or_update(
        AmlCompute(name="cpu", size="STANDARD_DS3_V2", min_instances=0, max_instances=3)
    ).result()
    assert (made.name, made.type, made.max_instances) == ("cpu", "amlcompute", 3)
    assert client.compute.get("cpu").size == "STANDARD_DS3_V2"
    assert {c.name for c in client.compute.list()} >= {"cpu", "local"}
    assert [vars(node)["nodeId"] for node in client.compute.list_nodes("cpu")] == ["localhost"]
    made.max_instances = 7
    assert client.compute.begin_update(made).result().max_instances == 7
    client.compute.begin_delete("cpu").result()
    assert "cpu" not in {c.name for c in client.compute.list()}


def test_the_default_compute_is_a_cluster_of_all_cores(client: Any) -> None:
    assert client.compute.get("local").max_instances == 4


def test_a_compute_instance_stops_and_starts(client: Any) -> None:
    from azure.ai.ml.entities import ComputeInstance

    made = client.compute.begin_create_or_update(
        ComputeInstance(name="ci", size="STANDARD_DS3_V2")
    ).result()
    assert (made.type, made.state) == ("computeinstance", "Running")
    client.compute.begin_stop("ci").result()
    assert client.compute.get("ci").state == "Stopped"
    client.compute.begin_restart("ci").result()
    assert client.compute.get("ci").state == "Running"


def test_a_machine_is_attached_and_its_password_never_shown(client: Any) -> None:
    from azure.ai.ml.entities import VirtualMachineCompute, VirtualMachineSshSettings

    machine = "/subscriptions/x/resourceGroups/y/providers/Microsoft.Compute/virtualMachines/v"
    settings = VirtualMachineSshSettings(admin_username="u", admin_password="hunter2")
    vm = VirtualMachineCompute(name="vm", resource_id=machine, ssh_settings=settings)
    client.compute.begin_create_or_update(vm).result()
    found = client.compute.get("vm")
    assert (found.type, found.resource_id) == ("virtualmachine", machine)
    assert found.ssh_settings.admin_username == "u"
    assert found.ssh_settings.admin_password is None


def test_sizes_and_quotas_tell_of_this_machine(client: Any) -> None:
    assert [vars(size)["vCPUs"] for size in client.compute.list_sizes()] == [4]
    assert [usage.limit for usage in client.compute.list_usage()] == [4]


def test_every_workspace_has_four_datastores_and_a_default(client: Any) -> None:
    assert {d.name for d in client.datastores.list()} >= {
        "workspaceblobstore",
        "workspaceartifactstore",
        "workspacefilestore",
        "workspaceworkingdirectory",
    }
    assert client.datastores.get_default().name == "workspaceblobstore"


def test_a_datastore_is_made_and_its_key_comes_only_when_asked_for(client: Any) -> None:
    from azure.ai.ml.entities import AccountKeyConfiguration, AzureBlobDatastore

    client.datastores.create_or_update(
        AzureBlobDatastore(
            name="b2",
            account_name="acct",
            container_name="c",
            credentials=AccountKeyConfiguration(account_key="a2V5"),
        )
    )
    assert client.datastores.get("b2").credentials.account_key is None
    assert client.datastores.get("b2", include_secrets=True).credentials.account_key == "a2V5"
    client.datastores.delete("b2")
    assert "b2" not in {d.name for d in client.datastores.list()}


def test_what_this_version_has_not_is_refused_by_name(client: Any) -> None:
    from azure.core.exceptions import HttpResponseError

    with pytest.raises(HttpResponseError, match="has no online endpoints"):
        list(client.online_endpoints.list())
    with pytest.raises(HttpResponseError, match="has no schedules"):
        client.schedules.get("s")


def test_a_lake_datastore_needs_no_secret(client: Any) -> None:
    from azure.ai.ml.entities import AzureDataLakeGen2Datastore

    made = client.datastores.create_or_update(
        AzureDataLakeGen2Datastore(name="lake", account_name="acct", filesystem="fs")
    )
    assert (made.type, made.filesystem) == ("AzureDataLakeGen2", "fs")
