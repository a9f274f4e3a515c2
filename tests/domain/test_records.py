"""Small rules of records: versions, final states, curated names, errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.records import a_job

from lazulite.domain.asset import next_version
from lazulite.domain.curated import find, known
from lazulite.domain.errors import InvalidInput, NotFound, Unsupported
from lazulite.domain.job import FINAL, JobStatus


@given(st.lists(st.integers(0, 10**6)), st.lists(st.sampled_from(["a", "1.5", "٣", "", "-1"])))
def test_the_next_version_is_above_every_whole_number(numbers: list[int], words: list[str]) -> None:
    found = next_version([*map(str, numbers), *words])
    assert int(found) == max(numbers, default=0) + 1


@pytest.mark.parametrize("status", list(JobStatus))
def test_a_job_is_final_in_three_states(status: JobStatus) -> None:
    assert a_job(1, status=status).is_final == (status in FINAL)


@pytest.mark.parametrize("name", ["sklearn-1.5", "AzureML-sklearn-1.5", "azureml-SKLEARN-1.5"])
def test_a_curated_environment_is_found_by_either_name(name: str) -> None:
    assert find(name).name == "sklearn-1.5"
    assert find(name, label="latest") == find(name, version="1")


def test_what_is_not_curated_here_says_what_is() -> None:
    with pytest.raises(Unsupported, match=r"lightgbm-3\.3, sklearn-1\.5"):
        find("pytorch-2")
    with pytest.raises(NotFound, match="no version '9'"):
        find("sklearn-1.5", version="9")
    with pytest.raises(NotFound, match="no label 'old'"):
        find("sklearn-1.5", label="old")
    assert [one.name for one in known()] == sorted(one.name for one in known())


def test_an_error_keeps_its_sentence_field_and_facts() -> None:
    error = InvalidInput("no", path="a.b", near="c")
    assert (str(error), error.path, error.facts, error.code) == (
        "no",
        "a.b",
        {"near": "c"},
        "ValidationError",
    )
