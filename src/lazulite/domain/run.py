"""Runs as clients of tracking see them: experiments, params, metrics, tags. No I/O."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from lazulite.domain.errors import InvalidInput
from lazulite.domain.job import DataInput, JobKind, JobStatus

DEFAULT_EXPERIMENT = "Default"
DEFAULT_EXPERIMENT_ID = "0"  # what a client sends when nobody chose an experiment

MAX_METRICS = 1000  # in one batch; MLflow's limits, from here to MAX_KEY
MAX_PARAMS = 100
MAX_TAGS = 100
MAX_ENTITIES = 1000
MAX_KEY = 250  # characters
MAX_PARAM = 6000  # characters; longer values are cut
MAX_TAG = 8000  # characters; longer values are cut
MAX_EXPERIMENT_NAME = 500
MAX_FLOAT = 1.7976931348623157e308  # what MLflow keeps an infinity as
MAX_INT = 2**63 - 1

RUN_NAME = "mlflow.runName"
PARENT = "mlflow.parentRunId"
ROOT = "mlflow.rootRunId"
USER = "mlflow.user"
SOURCE_TYPE = "mlflow.source.type"
SOURCE_NAME = "mlflow.source.name"
JOB_SOURCE = "JOB"  # its value for every run that is a job
DATA_CONTEXT = "mlflow.data.context"  # tag of data that a run took in: what for
_SHORT = 16  # hex digits of a digest; clients allow 36

_KEY = re.compile(r"[/\w.\- :]+")


class View(StrEnum):
    """Which of the active and the deleted a search shows."""

    ACTIVE = "ACTIVE_ONLY"
    DELETED = "DELETED_ONLY"
    ALL = "ALL"


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """A name that runs share."""

    id: int
    workspace: int
    name: str
    deleted: bool = False
    created_at: datetime | None = None  # None = it came to be with a job, before times were kept
    modified_at: datetime | None = None
    tags: dict[str, str] = {}


class Point(NamedTuple):
    """One value of a metric."""

    key: str
    value: float  # may be NaN, never infinite
    time: int  # milliseconds since 1970
    step: int


class Summary(NamedTuple):
    """What is known of a metric without its points; None = NaN."""

    last: float | None
    min: float | None
    max: float | None
    first: float | None


class RunHead(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is, without what was logged to it."""

    id: int  # row id of the job
    name: str  # the run id
    kind: JobKind
    experiment: int
    display_name: str
    status: JobStatus
    archived: bool
    user: str
    created: int  # milliseconds since 1970
    ended: int | None
    parent: str | None = None  # name of the job it belongs to
    root: str | None = None
    tags: dict[str, str] = {}
    inputs: dict[str, DataInput] = {}  # of a job


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """Data that a run took in."""

    name: str
    digest: str
    body: dict[str, Any] = {}  # source_type, source, schema, profile
    tags: dict[str, str] = {}  # of this use: mlflow.data.context ...


def data_of(inputs: Mapping[str, DataInput]) -> list[Dataset]:
    """Return the data inputs of a job as MLflow's clients know data that a run took in."""
    return [_dataset(name, value) for name, value in inputs.items()]


def _dataset(name: str, value: DataInput) -> Dataset:
    kind = "azureml" if value.uri.startswith("azureml:") else "local"
    place = "uri"
    if value.uri.startswith(("http://", "https://")):
        kind, place = "http", "url"
    digest = value.digest or hashlib.sha256(value.uri.encode()).hexdigest()
    return Dataset(
        name=value.uri.partition("?")[0].rstrip("/").rpartition("/")[2] or name,
        digest=digest[:_SHORT],
        body={"source_type": kind, "source": json.dumps({place: value.uri, "type": value.type})},
        tags={DATA_CONTEXT: name},
    )


class DatasetSummary(msgspec.Struct, frozen=True):
    """That runs of an experiment took data in."""

    experiment: int
    name: str
    digest: str
    context: str | None  # what for: training, evaluation ...


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A run with its params, the last value of each metric, and what it took in and gave out."""

    head: RunHead
    params: list[tuple[str, str]] = []
    metrics: list[Point] = []
    datasets: list[Dataset] = []
    models_in: list[str] = []  # ids of logged models
    models_out: list[tuple[str, int]] = []  # and the step at which each was made


class ModelPoint(msgspec.Struct, frozen=True):
    """A value of a metric of a logged model."""

    point: Point
    run: str  # run id
    dataset: str | None = None
    digest: str | None = None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What one request logs to one run."""

    metrics: list[Point] = []
    of_models: dict[str, list[ModelPoint]] = {}  # points that say how good a logged model is too
    params: list[tuple[str, str]] = []
    tags: list[tuple[str, str]] = []


def check_key(key: str, path: str) -> str:
    """Return `key` if a metric, param or tag may have it.

    Raises:
        InvalidInput: it is empty, too long, has another character than word characters, '_', '-',
            '.', ' ', ':' and '/', or would be a path that leaves its folder.
    """
    if len(key) > MAX_KEY:
        raise InvalidInput(
            f"'{path}' exceeds the maximum length of {MAX_KEY} characters: it has {len(key)}",
            path=path,
        )
    if not _KEY.fullmatch(key):
        raise _invalid(
            path,
            key,
            "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), "
            "spaces ( ), colon(:) and slashes (/).",
        )
    if key[0] == "/" or any(part in ("", ".", "..") for part in key.split("/")):
        raise _invalid(
            path,
            key,
            "Names may be treated as files in certain cases, so they must "
            "not be paths that begin with '/' or contain '.', '..' or empty parts.",
        )
    return key


def clean_value(value: float) -> float:
    """Return what MLflow keeps of a metric's value: the largest floats for infinities."""
    if value - value == 0.0 or value != value:
        return value
    return MAX_FLOAT if value > 0 else -MAX_FLOAT


def check_batch(batch: Batch) -> None:
    """Refuse a batch that is larger than MLflow's limits, or has a param twice.

    Raises:
        InvalidInput: it is.
    """
    counts = (
        ("metrics", len(batch.metrics), MAX_METRICS),
        ("params", len(batch.params), MAX_PARAMS),
        ("tags", len(batch.tags), MAX_TAGS),
        (
            "metrics, params, and tags",
            len(batch.metrics) + len(batch.params) + len(batch.tags),
            MAX_ENTITIES,
        ),
    )
    for what, count, limit in counts:
        if count > limit:
            raise InvalidInput(
                f"A batch logging request can contain at most {limit} {what}. Got {count} {what}. "
                f"Please split up {what} across multiple requests and try again."
            )
    keys = [key for key, _ in batch.params]
    if len(set(keys)) < len(keys):
        twice = sorted({key for key in keys if keys.count(key) > 1})
        raise InvalidInput(
            f"Duplicate parameter keys have been submitted: {twice}. Please ensure the request "
            "contains only one param value per param key."
        )


def is_smaller_better(metric: str) -> bool:
    """Tell from its name whether the best value of a metric is its smallest."""
    words = re.split(r"[^a-z0-9]+", metric.lower())
    small = ("loss", "error", "err", "mse", "rmse", "mae", "mape", "perplexity", "time", "duration")
    return any(word in small or word.endswith("loss") for word in words)


def _invalid(path: str, value: str, why: str) -> InvalidInput:
    shown = msgspec.json.encode(value[:300]).decode()
    return InvalidInput(f"Invalid value {shown} for parameter '{path}' supplied: {why}", path=path)


class RunStatus(StrEnum):
    """MLflow's words."""

    RUNNING = "RUNNING"
    SCHEDULED = "SCHEDULED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


_RUN_STATUS = {
    JobStatus.COMPLETED: RunStatus.FINISHED,
    JobStatus.FAILED: RunStatus.FAILED,
    JobStatus.CANCELED: RunStatus.KILLED,
    **dict.fromkeys(
        (
            *(JobStatus.RUNNING, JobStatus.FINALIZING, JobStatus.CANCEL_REQUESTED),
            JobStatus.NOT_RESPONDING,
        ),
        RunStatus.RUNNING,
    ),
}
_JOB_STATUS = {
    RunStatus.RUNNING: JobStatus.RUNNING,
    RunStatus.SCHEDULED: JobStatus.QUEUED,
    RunStatus.FINISHED: JobStatus.COMPLETED,
    RunStatus.FAILED: JobStatus.FAILED,
    RunStatus.KILLED: JobStatus.CANCELED,
}


def run_status(status: JobStatus) -> RunStatus:
    """Return MLflow's word for the status of a job."""
    return _RUN_STATUS.get(status, RunStatus.SCHEDULED)


def job_status(status: RunStatus) -> JobStatus:
    """Return the status of a bare run to which a client gave MLflow's word."""
    return _JOB_STATUS[status]


def job_statuses(word: str) -> list[JobStatus]:
    """Return every status that a word of MLflow's, or Azure ML's own, stands for."""
    return [status for status in JobStatus if word in (status.value, run_status(status).value)]
