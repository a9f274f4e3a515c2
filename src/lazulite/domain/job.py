"""Jobs: what runs, with what, in which state. Commands, pipelines and bare runs are one record."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from lazulite.domain.usage import Host, Usage


class JobStatus(StrEnum):
    """Exactly Azure ML's words."""

    NOT_STARTED = "NotStarted"
    PREPARING = "Preparing"  # its environment is being built
    QUEUED = "Queued"  # it waits for a slot; `waits_for` says why
    STARTING = "Starting"  # the attempt is recorded, the process may or may not exist
    PROVISIONING = "Provisioning"
    RUNNING = "Running"
    FINALIZING = "Finalizing"  # the process ended; its outputs are being recorded
    CANCEL_REQUESTED = "CancelRequested"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELED = "Canceled"
    NOT_RESPONDING = "NotResponding"
    PAUSED = "Paused"


FINAL = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELED})
HOLDS_SLOT = frozenset({JobStatus.STARTING, JobStatus.RUNNING, JobStatus.FINALIZING})


class JobKind(StrEnum):
    """What a job is to the engine."""

    COMMAND = "Command"
    PIPELINE = "Pipeline"
    RUN = "Run"  # started from outside (a notebook's MLflow run); the engine never touches it


class DataInput(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file, folder, MLTable or model given to a job by URI."""

    type: str  # uri_file, uri_folder, mltable, custom_model, mlflow_model, triton_model
    uri: str  # azureml:..., azureml://..., or an absolute path
    mode: str | None = None  # ro_mount, rw_mount, download, direct, eval_mount ...; None = ro_mount
    digest: str | None = None  # content identity, once it was needed


class InputSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A declared input of a component or of a pipeline."""

    type: str = "string"  # string, number, integer, boolean, or a DataInput type
    optional: bool = False
    default: str | None = None
    min: float | None = None
    max: float | None = None
    enum: tuple[str, ...] = ()
    mode: str | None = None


class OutputSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A declared output, or the binding of one: where it goes and what asset it registers."""

    type: str = "uri_folder"
    mode: str | None = None  # rw_mount, upload, direct
    uri: str | None = None  # azureml://datastores/... ; None = the default datastore
    name: str | None = None  # registers data, or a model, of this name when the job completes
    version: str | None = None  # None = next free version


class Resources(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a job asks of its compute."""

    instance_count: int = 1
    instance_type: str | None = None
    shm_size: str | None = None


class CommandDef(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="command"):
    """What a command job or command component runs. References are resolved."""

    command: str
    snapshot: str | None = None  # BLAKE3 digest of the code; None = no code
    environment: str = ""  # ARM id of the environment version, or a registry URI
    environment_key: str = ""  # cache key of what its specification builds
    inputs: dict[str, InputSpec] = {}
    outputs: dict[str, OutputSpec] = {}
    environment_variables: dict[str, str] = {}
    resources: Resources = Resources()
    timeout: float | None = None  # seconds of Running; None = no limit
    retries: int = 0  # further attempts after a failed one
    deterministic: bool = True
    component: str | None = None  # ARM id, when it came from a registered component
    display_name: str | None = None


class Timeline(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When a job entered each phase; None = it did not (yet)."""

    created: datetime
    preparing: datetime | None = None
    queued: datetime | None = None
    starting: datetime | None = None
    running: datetime | None = None
    finalizing: datetime | None = None
    ended: datetime | None = None


class JobError(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a job failed."""

    code: str  # UserError, SystemError, EnvironmentError, Timeout, ProcessLost ...
    message: str
    node: str | None = None  # dotted name of the failed child, on a pipeline
    log_tail: str | None = None  # last lines of the failed process's log
    reproduce: str | None = None  # shell command that runs that step again here


class OutputValue(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where an output of a job is, and what identifies its content."""

    type: str
    uri: str  # azureml://datastores/...
    digest: str | None = None  # set when the job completed
    asset: str | None = None  # name:version of the data asset it registered
    origin: str | None = None  # name of the job that wrote it, when this job was reused


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One job, as stored. `body` is Azure's `properties` as it was put."""

    id: int = 0
    workspace: int  # row id of the workspace
    name: str  # unique in the workspace; the run id too
    kind: JobKind
    experiment: str
    experiment_id: int = 0  # its row id; 0 = not stored
    display_name: str
    description: str = ""
    status: JobStatus = JobStatus.NOT_STARTED
    body: dict[str, Any] = {}
    tags: dict[str, str] = {}
    properties: dict[str, str] = {}
    compute: str | None = None
    parent: int | None = None  # row id
    root: int | None = None  # row id of the outermost pipeline; None for a root
    node: str | None = None  # its name in the parent
    inputs: dict[str, str | DataInput | None] = {}  # resolved; None = optional without value
    outputs: dict[str, OutputValue] = {}
    fingerprint: str | None = None
    reused_from: str | None = None  # name of the job whose outputs it has
    attempt: int = 0  # 0 = never started
    exit_code: int | None = None
    error: JobError | None = None
    waits_for: str | None = None  # why it is queued
    archived: bool = False
    cancel_requested: bool = False
    timeline: Timeline
    created_by: str
    environment_key: str | None = None  # cache key of the built environment, once known
    host: Host | None = (
        None  # where the last attempt runs or ran; only its id where `body` is left out
    )
    usage: Usage | None = None  # of the last attempt, once it ended
    modified_at: datetime

    @property
    def is_final(self) -> bool:
        """It will not change its status any more."""
        return self.status in FINAL
