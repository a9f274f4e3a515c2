"""What may be logged, and under which names."""

from __future__ import annotations

import math

import pytest

from lazulite.domain.errors import InvalidInput
from lazulite.domain.job import JobStatus
from lazulite.domain.model import check_model_name, check_stage
from lazulite.domain.run import (
    MAX_FLOAT,
    RunStatus,
    clean_value,
    is_smaller_better,
    job_status,
    job_statuses,
    run_status,
)


@pytest.mark.parametrize(
    ("value", "kept"), [(math.inf, MAX_FLOAT), (-math.inf, -MAX_FLOAT), (-0.5, -0.5)]
)
def test_only_infinities_are_changed(value: float, kept: float) -> None:
    assert clean_value(value) == kept
    assert math.isnan(clean_value(math.nan))


@pytest.mark.parametrize("status", list(RunStatus))
def test_a_word_of_mlflow_comes_back_as_it_was(status: RunStatus) -> None:
    assert run_status(job_status(status)) is status


@pytest.mark.parametrize("status", list(JobStatus))
def test_every_status_has_a_word_of_mlflow_and_its_own(status: JobStatus) -> None:
    assert status in job_statuses(run_status(status))
    assert job_statuses(status.value) == [status]


@pytest.mark.parametrize(
    ("metric", "smaller"),
    [
        ("val_loss", True),
        ("train/RMSE", True),
        ("logloss", True),
        ("accuracy", False),
        ("f1", False),
    ],
)
def test_the_best_of_a_metric_follows_from_its_name(metric: str, smaller: bool) -> None:
    assert is_smaller_better(metric) is smaller


@pytest.mark.parametrize("name", ["", "  ", "a/b", "a:1", "..", "x" * 256, "a\0"])
def test_a_name_that_cannot_be_in_a_uri_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        check_model_name(name)


def test_stages_have_mlflows_spelling() -> None:
    assert check_stage("production") == "Production"
    with pytest.raises(InvalidInput, match="Invalid Model Version stage: live"):
        check_stage("live")
