from typing import Any

import pytest

from lazulite.domain.errors import InvalidInput
from lazulite.formats.yaml.read import nouns
from tests.formats.yaml.disk import ARM, Disk, body, plan


def test_every_noun_is_read() -> None:
    assert set(nouns()) == {
        "job", "component", "environment", "data", "model", "compute", "datastore", "workspace",
    }  # fmt: skip


def test_a_data_asset_uploads_its_local_path() -> None:
    text = "name: titanic\nversion: 1\npath: data\ntags: {a: 1}\n"
    assert body(text, noun="data", disk=Disk(data__a="1")) == {
        "dataType": "uri_folder",
        "dataUri": "<data:data>",
        "tags": {"a": "1"},
        "properties": {},
        "isAnonymous": False,
        "isArchived": False,
    }


def test_a_data_asset_without_a_version_leaves_it_open() -> None:
    made = plan("name: t\npath: https://example.org/t.csv\ntype: uri_file", noun="data")
    assert (made.name, made.version) == ("t", None)


def test_a_model_is_custom_unless_it_says_otherwise() -> None:
    text = "name: m\npath: azureml://jobs/j/outputs/o\nflavors: {python_function: {loader: x}}\n"
    sent = body(text, noun="model")
    assert sent["modelType"] == "custom_model"
    assert sent["modelUri"] == "azureml://jobs/j/outputs/o"
    assert sent["flavors"] == {"python_function": {"data": {"loader": "x"}}}


def test_an_environment_is_put_as_azure_has_it() -> None:
    assert body("name: e\nimage: python:3.11-slim\ndescription: d\n", noun="environment") == {
        "image": "python:3.11-slim",
        "description": "d",
        "isAnonymous": False,
        "isArchived": False,
    }


def test_a_component_is_put_with_its_name() -> None:
    text = "name: c\nversion: 2\ncommand: a\nenvironment: azureml:e:1\ntags: {k: v}\n"
    made = plan(text, noun="component")
    spec = made.body["properties"]["componentSpec"]
    assert (made.version, spec["name"], spec["type"]) == ("2", "c", "command")
    assert made.body["properties"]["tags"] == {"k": "v"}


def test_a_cluster_becomes_azures_compute() -> None:
    text = "name: cpu\ntype: amlcompute\nsize: STANDARD_DS3_V2\nmax_instances: 4\n"
    made = plan(text + "idle_time_before_scale_down: 120\n", noun="compute")
    assert made.body == {
        "location": "local",
        "properties": {
            "computeType": "AmlCompute",
            "properties": {
                "vmSize": "STANDARD_DS3_V2",
                "osType": "Linux",
                "scaleSettings": {
                    "minNodeCount": 0,
                    "maxNodeCount": 4,
                    "nodeIdleTimeBeforeScaleDown": "PT2M",
                },
            },
        },
    }


STORE = "name: b\ntype: azure_blob\naccount_name: acct\ncontainer_name: c\n"


@pytest.mark.parametrize(
    ("credentials", "sent"),
    [
        ("", {"credentialsType": "None"}),
        (
            "credentials: {account_key: a2V5}",
            {
                "credentialsType": "AccountKey",
                "secrets": {"secretsType": "AccountKey", "key": "a2V5"},
            },
        ),
        (
            "credentials: {sas_token: s}",
            {"credentialsType": "Sas", "secrets": {"secretsType": "Sas", "sasToken": "s"}},
        ),
        (
            "credentials: {tenant_id: t, client_id: c, client_secret: s}",
            {
                "credentialsType": "ServicePrincipal",
                "tenantId": "t",
                "clientId": "c",
                "secrets": {"secretsType": "ServicePrincipal", "clientSecret": "s"},
            },
        ),
    ],
)
def test_a_datastore_is_put_with_its_credentials(credentials: str, sent: dict[str, Any]) -> None:
    found = body(STORE + credentials, noun="datastore")
    assert found["credentials"] == sent
    assert (found["datastoreType"], found["accountName"]) == ("AzureBlob", "acct")


def test_a_workspace_is_put_without_what_only_azure_has() -> None:
    made = plan("name: w\ndisplay_name: W\nhbi_workspace: false\ntags: {a: b}\n", noun="workspace")
    assert made.body == {
        "location": "local",
        "tags": {"a": "b"},
        "properties": {"friendlyName": "W"},
    }
    assert made.warnings == ("x.yml:3: hbi_workspace: has no effect here and is ignored",)


@pytest.mark.parametrize(
    ("noun", "text", "words"),
    [
        ("data", "name: a", "needs 'path'"),
        ("data", "path: azureml:x:1", "needs 'name'"),
        ("compute", "name: a", "needs 'type'"),
        ("compute", "name: a\ntype: amlcompue", "did you mean 'amlcompute'?"),
        ("datastore", "name: a", "needs 'type'"),
        ("datastore", "name: a\ntype: azure_blob", "needs 'account_name'"),
        ("environment", "name: a", "needs 'image', 'conda_file' or 'build'"),
        ("component", "name: a\ncommand: b", "needs 'environment'"),
        ("component", "name: a\ncommand: b\ninputs: {x: 3}", "must declare the input"),
        ("component", "name: a\ncommand: b\ninputs: {x y: {}}", "letters, digits and '_'"),
        ("workspace", "display_name: a", "needs 'name'"),
    ],
)
def test_each_refusal_names_the_field(noun: str, text: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=r"x\.yml") as error:
        plan(text, noun=noun)
    assert words in error.value.message


def test_ids_are_of_the_workspace_at_hand() -> None:
    assert ARM.startswith("/subscriptions/sub/resourceGroups/group/providers/")
