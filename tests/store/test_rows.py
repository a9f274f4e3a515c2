"""Jobs as rows."""

from __future__ import annotations

import pytest
from tests.records import NOW

from lazulite.domain.job import JobKind, JobStatus
from lazulite.store.rows import component_key, component_of, encode_fields, lease_of


@pytest.mark.parametrize(
    "reference",
    [
        "prep",
        "azureml:prep:3",
        "azureml:prep@latest",
        "/subscriptions/s/resourceGroups/g/providers/p/workspaces/w/components/prep/versions/3",
        "azureml://registries/r/components/prep/versions/3",
    ],
)
def test_a_component_is_known_by_its_name(reference: str) -> None:
    assert component_key(reference) == "prep"


def test_a_definition_without_component_has_none() -> None:
    assert component_of(None) is None
    assert component_of(b'{"type":"command","command":"x"}') is None
    assert component_of(b'{"type":"command","component":"azureml:prep:3"}') == "prep"


def test_changed_fields_go_where_they_are_kept() -> None:
    values, documents = encode_fields(
        {"status": JobStatus.QUEUED, "queued": NOW, "tags": {}, "body": {"a": 1}}
    )
    assert values["status"] == "Queued"
    assert values["tags"] is None
    assert sorted(values) == ["queued", "status", "tags"]
    assert documents == {"body": b'{"a":1}'}


def test_a_lease_ends_with_its_job() -> None:
    assert lease_of(JobStatus.RUNNING, JobKind.COMMAND, "t") == "t"
    assert lease_of(JobStatus.CANCELED, JobKind.COMMAND, "t") is None
    assert lease_of(JobStatus.RUNNING, JobKind.RUN, "t") is None
