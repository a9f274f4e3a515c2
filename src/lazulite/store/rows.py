"""Jobs as rows and back. It runs no query."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from lazulite.domain.usage import Host, Usage
from lazulite.store.columns import Row, encode, micros, moment
from lazulite.store.tables import experiments, hosts, job_documents, jobs

FREE = ""  # lease of a job that no engine has claimed yet

Encode = Callable[[Any], Any]
Decode = Callable[[Any], Any]

PHASES = ("created", "preparing", "queued", "starting", "running", "finalizing", "ended")
_FIXED = ("id", "workspace", "name", "parent", "root", "node", "created_by")  # they never change
_PLAIN = (  # kept as they are
    *("display_name", "description", "compute", "fingerprint", "reused_from", "attempt"),
    *("exit_code", "waits_for", "archived", "cancel_requested", "environment_key"),
)


def _time(value: datetime | None) -> int | None:
    return None if value is None else micros(value)


def _json(value: Any) -> bytes | None:
    return encode(value) if value else None


def _decode(kind: Any, empty: Callable[[], Any]) -> Decode:
    decode = msgspec.json.Decoder(kind).decode
    return lambda stored: decode(stored) if stored else empty()


_STATUS = {status.value: status for status in JobStatus}
_KIND = {kind.value: kind for kind in JobKind}
_CODED: Mapping[str, tuple[Encode, Decode]] = {
    "kind": (lambda kind: kind.value, _KIND.__getitem__),
    "status": (lambda status: status.value, _STATUS.__getitem__),
    "tags": (_json, _decode(dict[str, str], dict)),
    "properties": (_json, _decode(dict[str, str], dict)),
    "inputs": (_json, _decode(dict[str, str | DataInput | None], dict)),
    "outputs": (_json, _decode(dict[str, OutputValue], dict)),
    "error": (_json, _decode(JobError, lambda: None)),
    "host": (lambda host: host.id if host else None, lambda row: Host(id=row) if row else None),
    "usage": (_json, _decode(Usage, lambda: None)),
    "modified_at": (micros, moment),
}
_decode_body = _decode(dict[str, Any], dict)
_decode_host = msgspec.json.Decoder(Host).decode
_decoders = tuple((field, decode) for field, (_, decode) in _CODED.items())

_FIELDS = (*_FIXED, *_PLAIN, *_CODED)
_COLUMNS = [jobs.c[field] for field in (*_FIELDS, *PHASES)]
_LIGHT = [*_COLUMNS, jobs.c.experiment, experiments.c.name]
_FROM = sa.join(jobs, experiments, jobs.c.experiment == experiments.c.id)
_WITH_DOCUMENTS = _FROM.outerjoin(job_documents, job_documents.c.job == jobs.c.id)

LIGHT = len(_LIGHT)
SELECT_LIGHT = sa.select(*_LIGHT).select_from(_FROM)  # body left out
SELECT_LIGHT_DEFINITION = sa.select(*_LIGHT, job_documents.c.definition).select_from(
    _WITH_DOCUMENTS
)
SELECT_FULL = sa.select(*_LIGHT, job_documents.c.body, hosts.c.body).select_from(
    _WITH_DOCUMENTS.outerjoin(hosts, hosts.c.id == jobs.c.host)
)


def job_of(row: Row) -> Job:
    """Return the job of a row of `SELECT_LIGHT`; its body is empty."""
    return _job(row, {})


def full_job_of(row: Row) -> Job:
    """Return the job of a row of `SELECT_FULL`."""
    job = _job(row, _decode_body(row[LIGHT]))
    if job.host is None or not row[LIGHT + 1]:
        return job
    host = msgspec.structs.replace(_decode_host(row[LIGHT + 1]), id=job.host.id)
    return msgspec.structs.replace(job, host=host)


def _job(row: Sequence[Any], body: dict[str, Any]) -> Job:
    fields = dict(zip(_FIELDS, row, strict=False))
    for field, decode in _decoders:
        fields[field] = decode(fields[field])
    id_, name = row[LIGHT - 2 : LIGHT]
    return Job(experiment=name, experiment_id=id_, timeline=_timeline(row), body=body, **fields)


def _timeline(row: Sequence[Any]) -> Timeline:
    created, *later = row[len(_FIELDS) : LIGHT - 2]
    return Timeline(
        created=moment(created),
        **{
            phase: moment(us) for phase, us in zip(PHASES[1:], later, strict=True) if us is not None
        },
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
    row = msgspec.structs.asdict(job)
    del row["id"], row["body"], row["experiment_id"]
    for field, (encoder, _) in _CODED.items():
        row[field] = encoder(row[field])
    timeline = row.pop("timeline")
    for phase in PHASES:
        row[phase] = _time(getattr(timeline, phase))
    row["experiment"] = experiment
    row["component"] = component_of(definition)
    row["lease_token"] = lease_of(job.status, job.kind, token)
    return row


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


_ENCODERS: Mapping[str, Encode] = {
    **{field: encoder for field, (encoder, _) in _CODED.items() if field != "kind"},
    **dict.fromkeys(PHASES, _time),
}
_DOCUMENTS: Mapping[str, Encode] = {"body": _json, "definition": lambda definition: definition}


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
        if field in _PLAIN:
            values[field] = value
        elif (encoder := _ENCODERS.get(field)) is not None:
            values[field] = encoder(value)
        elif (encoder := _DOCUMENTS.get(field)) is not None:
            documents[field] = encoder(value)
        elif field == "timeline":
            values |= {phase: _time(getattr(value, phase)) for phase in PHASES}
        else:
            raise TypeError(f"a job's {field!r} cannot be changed")
    return values, documents
