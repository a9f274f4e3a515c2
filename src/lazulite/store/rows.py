"""Jobs as rows and back. It runs no query."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from lazulite.domain.ids import last_segment
from lazulite.domain.job import (
    FINAL,
    DataInput,
    Job,
    JobError,
    JobKind,
    JobStatus,
    OutputValue,
    Timeline,
)
from lazulite.store.columns import Row, encode, micros, moment
from lazulite.store.tables import experiments, job_documents, jobs

FREE = ""  # lease of a job that no engine has claimed yet

_c = jobs.c
_LIGHT = (
    *(_c.id, _c.workspace, _c.name, _c.kind, experiments.c.name, _c.display_name, _c.description),
    *(_c.status, _c.tags, _c.properties, _c.compute, _c.parent, _c.root, _c.node, _c.inputs),
    *(_c.outputs, _c.fingerprint, _c.reused_from, _c.attempt, _c.exit_code, _c.error),
    *(_c.waits_for, _c.archived, _c.cancel_requested, _c.created, _c.preparing, _c.queued),
    *(_c.starting, _c.running, _c.finalizing, _c.ended, _c.created_by, _c.environment_key),
    _c.modified_at,
)
_FROM = sa.join(jobs, experiments, _c.experiment == experiments.c.id)
_WITH_DOCUMENTS = _FROM.outerjoin(job_documents, job_documents.c.job == _c.id)

LIGHT = len(_LIGHT)
SELECT_LIGHT = sa.select(*_LIGHT).select_from(_FROM)  # body left out
SELECT_LIGHT_DEFINITION = sa.select(*_LIGHT, job_documents.c.definition).select_from(
    _WITH_DOCUMENTS
)
SELECT_FULL = sa.select(*_LIGHT, job_documents.c.body).select_from(_WITH_DOCUMENTS)

PHASES = ("created", "preparing", "queued", "starting", "running", "finalizing", "ended")

_STATUS = {status.value: status for status in JobStatus}
_KIND = {kind.value: kind for kind in JobKind}
_decode_body = msgspec.json.Decoder(dict[str, Any]).decode
_decode_texts = msgspec.json.Decoder(dict[str, str]).decode
_decode_inputs = msgspec.json.Decoder(dict[str, str | DataInput | None]).decode
_decode_outputs = msgspec.json.Decoder(dict[str, OutputValue]).decode
_decode_error = msgspec.json.Decoder(JobError).decode


def job_of(row: Row) -> Job:
    """Return the job of a row of `SELECT_LIGHT`; its body is empty."""
    return _job(*row[:LIGHT])


def full_job_of(row: Row) -> Job:
    """Return the job of a row of `SELECT_FULL`."""
    return _job(*row)


def _job(  # noqa: PLR0913 - one argument per column, so that a row unpacks without a copy
    row_id: int,
    workspace: int,
    name: str,
    kind: str,
    experiment: str,
    display_name: str,
    description: str,
    status: str,
    tags: bytes | None,
    properties: bytes | None,
    compute: str | None,
    parent: int | None,
    root: int | None,
    node: str | None,
    inputs: bytes | None,
    outputs: bytes | None,
    fingerprint: str | None,
    reused_from: str | None,
    attempt: int,
    exit_code: int | None,
    error: bytes | None,
    waits_for: str | None,
    archived: bool,  # noqa: FBT001
    cancel_requested: bool,  # noqa: FBT001
    created: int,
    preparing: int | None,
    queued: int | None,
    starting: int | None,
    running: int | None,
    finalizing: int | None,
    ended: int | None,
    created_by: str,
    environment_key: str | None,
    modified_at: int,
    body: bytes | None = None,
) -> Job:
    return Job(
        id=row_id,
        workspace=workspace,
        name=name,
        kind=_KIND[kind],
        experiment=experiment,
        display_name=display_name,
        description=description,
        status=_STATUS[status],
        body=_decode_body(body) if body else {},
        tags=_decode_texts(tags) if tags else {},
        properties=_decode_texts(properties) if properties else {},
        compute=compute,
        parent=parent,
        root=root,
        node=node,
        inputs=_decode_inputs(inputs) if inputs else {},
        outputs=_decode_outputs(outputs) if outputs else {},
        fingerprint=fingerprint,
        reused_from=reused_from,
        attempt=attempt,
        exit_code=exit_code,
        error=_decode_error(error) if error else None,
        waits_for=waits_for,
        archived=archived,
        cancel_requested=cancel_requested,
        timeline=Timeline(
            created=moment(created),
            preparing=moment(preparing) if preparing else None,
            queued=moment(queued) if queued else None,
            starting=moment(starting) if starting else None,
            running=moment(running) if running else None,
            finalizing=moment(finalizing) if finalizing else None,
            ended=moment(ended) if ended else None,
        ),
        created_by=created_by,
        environment_key=environment_key,
        modified_at=moment(modified_at),
    )


def lease_of(status: JobStatus, kind: JobKind, token: str) -> str | None:
    """Return the lease a row must carry: none when no engine has a say in it."""
    return None if status in FINAL or kind is JobKind.RUN else token


def row_of(job: Job, experiment: int, definition: bytes | None, token: str) -> dict[str, Any]:
    """Return the `jobs` row of a new job, without its id.

    Args:
        job: the job; its `id` and `body` are not looked at.
        experiment: row id of its experiment.
        definition: its CommandDef or PipelineDef as JSON.
        token: the lease it starts with, `FREE` for none.
    """
    phases = job.timeline
    return {
        "workspace": job.workspace,
        "name": job.name,
        "kind": job.kind.value,
        "experiment": experiment,
        "display_name": job.display_name,
        "description": job.description,
        "status": job.status.value,
        "tags": encode(job.tags) if job.tags else None,
        "properties": encode(job.properties) if job.properties else None,
        "compute": job.compute,
        "parent": job.parent,
        "root": job.root,
        "node": job.node,
        "component": component_of(definition),
        "inputs": encode(job.inputs) if job.inputs else None,
        "outputs": encode(job.outputs) if job.outputs else None,
        "fingerprint": job.fingerprint,
        "reused_from": job.reused_from,
        "attempt": job.attempt,
        "exit_code": job.exit_code,
        "error": encode(job.error) if job.error else None,
        "waits_for": job.waits_for,
        "archived": job.archived,
        "cancel_requested": job.cancel_requested,
        "created": micros(phases.created),
        "preparing": _time(phases.preparing),
        "queued": _time(phases.queued),
        "starting": _time(phases.starting),
        "running": _time(phases.running),
        "finalizing": _time(phases.finalizing),
        "ended": _time(phases.ended),
        "created_by": job.created_by,
        "environment_key": job.environment_key,
        "modified_at": micros(job.modified_at),
        "lease_token": lease_of(job.status, job.kind, token),
    }


def documents_of(row_id: int, job: Job, definition: bytes | None) -> dict[str, Any]:
    """Return the `job_documents` row of a stored job."""
    return {
        "job": row_id,
        "body": encode(job.body) if job.body else None,
        "definition": definition,
    }


class _Definition(msgspec.Struct):
    component: str | None = None


_decode_definition = msgspec.json.Decoder(_Definition).decode


def component_of(definition: bytes | None) -> str | None:
    """Return the registered component that a definition came from, without its version."""
    if not definition:
        return None
    return component_key(_decode_definition(definition).component)


def component_key(reference: str | None) -> str | None:
    """Return the name of a component, for any spelling of a reference to a version of it."""
    if not reference:
        return None
    stem, _, _ = reference.partition("/versions/")
    return last_segment(stem).partition(":")[0].partition("@")[0]


def _time(value: datetime | None) -> int | None:
    return None if value is None else micros(value)


def _enum(value: JobStatus | JobKind) -> str:
    return value.value


def _same(value: Any) -> Any:
    return value


def _json(value: Any) -> bytes | None:
    return encode(value) if value else None


_ENCODERS: Mapping[str, Callable[[Any], Any]] = {
    "status": _enum,
    "modified_at": micros,
    **dict.fromkeys(PHASES, _time),
    **dict.fromkeys(("tags", "properties", "inputs", "outputs", "error"), _json),
    **dict.fromkeys(
        (
            *("display_name", "description", "compute", "fingerprint", "reused_from", "attempt"),
            *("exit_code", "waits_for", "archived", "cancel_requested", "environment_key"),
        ),
        _same,
    ),
}
DOCUMENTS: Mapping[str, Callable[[Any], Any]] = {"body": _json, "definition": _same}


def encode_fields(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split changed fields of a job into values of `jobs` and of `job_documents`.

    Args:
        fields: by the attribute names of `Job` and `Timeline` (`timeline` itself may be given too).

    Raises:
        TypeError: a field is unknown or never changes.
    """
    values: dict[str, Any] = {}
    documents: dict[str, Any] = {}
    for field, value in fields.items():
        if (encoder := _ENCODERS.get(field)) is not None:
            values[field] = encoder(value)
        elif (document := DOCUMENTS.get(field)) is not None:
            documents[field] = document(value)
        elif field == "timeline":
            values |= {phase: _time(getattr(value, phase)) for phase in PHASES}
        else:
            raise TypeError(f"a job's {field!r} cannot be changed")
    return values, documents
