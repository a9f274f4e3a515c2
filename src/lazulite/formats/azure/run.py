"""A job in the JSON of Azure's run history."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from lazulite.domain.job import Job, JobError, JobKind
from lazulite.domain.source import without_credentials
from lazulite.formats.azure.envelope import convert, string_map

_RUN_TYPE = {
    JobKind.COMMAND: "azureml.scriptrun",
    JobKind.PIPELINE: "azureml.PipelineRun",
    JobKind.RUN: "azureml.notebook",
}


class RunEdit(msgspec.Struct, frozen=True, kw_only=True):
    """What a PATCH changes; None = nothing."""

    display_name: str | None = None
    description: str | None = None
    tags: dict[str, str] | None = None  # added to those there are
    properties: dict[str, str] | None = None  # added to those there are
    archived: bool | None = None


def decode_edit(body: dict[str, Any]) -> RunEdit:
    """Read the body of a PATCH of a run.

    Raises:
        InvalidInput: a field has the wrong type.
    """
    tags, properties = body.get("tags"), body.get("properties")
    return RunEdit(
        display_name=_optional(body.get("displayName"), str, "displayName"),
        description=_optional(body.get("description"), str, "description"),
        tags=None if tags is None else string_map(tags, "tags"),
        properties=None
        if properties is None
        else without_credentials(string_map(properties, "properties")),
        archived=_optional(body.get("hidden"), bool, "hidden"),
    )


def encode_run(job: Job, *, parent: str | None, root: str | None) -> dict[str, Any]:
    """Return a job as a run; `parent` and `root` are names."""
    return {
        "runNumber": job.id,
        "runId": job.name,
        "runUuid": job.name,
        "parentRunId": parent,
        "rootRunId": root or job.name,
        "experimentId": job.experiment,
        "dataContainerId": f"dcid.{job.name}",
        "displayName": job.display_name,
        "description": job.description,
        "status": job.status,
        "hidden": job.archived,
        "runType": "azureml.StepRun" if parent else _RUN_TYPE[job.kind],
        "createdUtc": job.timeline.created,
        "createdBy": {"userName": job.created_by, "userObjectId": None},
        "lastModifiedUtc": job.modified_at,
        "tags": job.tags,
        "properties": _properties(job),
        "parameters": {},
        "services": {},
        "target": job.compute,
        "compute": {"target": job.compute} if job.compute else None,
        "inputs": {},
        "outputs": _outputs(job),
        "error": encode_run_error(job.error),
        "warnings": [],
        **_times(job),
    }


def encode_details(
    job: Job, logs: dict[str, str], *, parent: str | None, root: str | None
) -> dict[str, Any]:
    """Return what `jobs.stream` polls.

    Args:
        job: the job.
        logs: names of log files to URLs that can be fetched without a header.
        parent: name of the pipeline it is in.
        root: name of the outermost pipeline.
    """
    run = encode_run(job, parent=parent, root=root)
    kept = {key: value for key, value in run.items() if key not in ("hidden", "createdUtc")}
    return {**kept, "createdTimeUtc": job.timeline.created, "logFiles": logs}


def encode_run_error(error: JobError | None) -> dict[str, Any] | None:
    """Return why a run failed, with the last log lines and how to see it again in the message."""
    if error is None:
        return None
    parts = [error.message]
    if error.log_tail:
        parts.append(f"Last lines of the log{_of(error)}:\n{error.log_tail}")
    if error.reproduce:
        parts.append(f"Run it again here with:\n{error.reproduce}")
    inner = {"code": error.code, "message": "\n\n".join(parts), "target": error.node}
    return {"error": inner, "correlation": {}}


def output_reference(job: str, output: str) -> str:
    """Return the id under which run history names an output that is no data asset."""
    return f"azureml://jobs/{job}/outputs/{output}"


def _outputs(job: Job) -> dict[str, Any]:
    # A model output is told as a folder: the SDK would look it up at the model registry's API,
    # although all it wants is where the files are.
    return {
        name: {
            "assetId": output_reference(job.name, name),
            "type": "uri_folder" if "model" in value.type else value.type,
        }
        for name, value in job.outputs.items()
    }


def _properties(job: Job) -> dict[str, str]:
    if not job.reused_from:
        return job.properties
    reuse = {"azureml.isreused": "true", "azureml.reusedrunid": job.reused_from}
    return {**job.properties, **reuse}


def _times(job: Job) -> dict[str, Any]:
    started, ended = job.timeline.running, job.timeline.ended
    return {"startTimeUtc": started, "endTimeUtc": ended, "duration": _duration(started, ended)}


def _duration(started: datetime | None, ended: datetime | None) -> str | None:
    return str(ended - started) if started and ended else None


def _of(error: JobError) -> str:
    return f" of {error.node}" if error.node else ""


def _optional(value: Any, kind: type[Any], path: str) -> Any:
    return None if value is None else convert(value, kind, path)
