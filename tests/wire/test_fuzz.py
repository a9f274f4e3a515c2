"""Whatever is sent, the server answers with a status of its own choice, never with a defect."""

from __future__ import annotations

import json
import string
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.wire.live import SCOPE, SUBSCRIPTION, Live

WORDS = st.sampled_from(
    [
        *("properties", "computeType", "AmlCompute", "scaleSettings", "maxNodeCount", "tags"),
        *("dataType", "uri_folder", "dataUri", "azureml://datastores/a/paths/../x", "codeUri"),
        *("image", "condaFile", "build", "componentSpec", "command", "type", "inputs", "modelUri"),
        *("jobType", "Command", "Pipeline", "jobs", "environmentId", "datastoreType", "AzureBlob"),
        *("credentials", "secrets", "accountName", "isArchived", "isDefault", "parameters"),
        *("workspaceName", "value", "values", "runId", "hidden", "displayName", "description"),
        "/azureblob/99999999999999999999999/s",
    ]
)
TEXT = WORDS | st.text(max_size=12) | st.text(string.digits + ".e-", max_size=30)
LEAF = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
JSON = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=5)
)
OBJECT = st.dictionaries(TEXT, JSON, max_size=5)
FUZZ = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PUTS = [
    *(f"{SCOPE}/{kind}/n/versions/1" for kind in ("data", "codes", "components", "models")),
    *(f"{SCOPE}/environments/n/versions/1", f"{SCOPE}/computes/n", f"{SCOPE}/datastores/n"),
    *(f"{SCOPE}/jobs/n", SCOPE.replace("/default", "/n")),
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.Resources/deployments/d",
]
GETS = [
    *(f"{SCOPE}/{kind}" for kind in ("data", "computes", "datastores", "jobs", "environments")),
    f"{SCOPE}/data/n/versions",
]


@pytest.mark.parametrize("path", PUTS)
@FUZZ
@given(body=OBJECT, properties=OBJECT | JSON)
def test_no_body_breaks_a_put(live: Live, path: str, body: Any, properties: Any) -> None:
    answer = live.put(path, json.dumps(body | {"properties": properties}).encode())
    assert answer.status < 500, answer.raw


@pytest.mark.parametrize("path", GETS)
@FUZZ
@given(
    query=st.dictionaries(
        st.sampled_from(["$top", "$skipToken", "$skip", "listViewType", "status", "hash"]), TEXT
    )
)
def test_no_query_breaks_a_list(live: Live, path: str, query: dict[str, str]) -> None:
    asked = "&".join(f"{quote(key)}={quote(value)}" for key, value in query.items())
    answer = live.get(f"{path}?{asked}")
    assert answer.status < 500, answer.raw


@FUZZ
@given(
    header=st.text(
        st.characters(min_codepoint=33, max_codepoint=255, exclude_categories=["Cc"]), max_size=60
    )
)
def test_no_credential_breaks_the_door(live: Live, header: str) -> None:
    assert live.get(SCOPE, token=header).status == 401
    assert live.get(f"{SCOPE}?sig={quote(header + 'x')}", token=None).status == 401


@FUZZ
@given(parts=st.lists(TEXT, max_size=6))
def test_no_path_breaks_the_table(live: Live, parts: list[str]) -> None:
    path = SCOPE + "/" + "/".join(quote(part, safe="") for part in parts)
    assert live.get(path).status < 500
