"""Use cases of jobs: submit, look, cancel, edit. What runs them is the engine."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from typing import Any

import msgspec

from lazulite.domain.access import Principal
from lazulite.domain.errors import Conflict, InvalidInput, NotFound
from lazulite.domain.ids import ARTIFACT_STORE, MAX_JOB_NAME, StoragePath, parse_storage
from lazulite.domain.job import CommandDef, DataInput, Job, JobKind, Timeline
from lazulite.domain.pipeline import PipelineDef
from lazulite.domain.source import without_credentials
from lazulite.domain.workspace import Workspace
from lazulite.formats.azure.inline import lifted
from lazulite.formats.azure.job import Submission, body_of, decode_job, hide_secrets
from lazulite.formats.azure.reader import Reader
from lazulite.ports.store import JobFilter, Listed, Page, Tx
from lazulite.services import inline
from lazulite.services.context import Services
from lazulite.services.references import References
from lazulite.services.runs import artifact_folder

Work = CommandDef | PipelineDef
_NAME = re.compile(r"(?!.*--)[A-Za-z0-9_][A-Za-z0-9_\-]*", re.ASCII)
_MUTABLE = ("displayName", "description", "tags", "isArchived", "properties", "services")
_CASCADE = 500  # levels that a database is let delete by itself; SQLite does 1000
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Work)


def encode_work(work: Work) -> bytes:
    """Return the stored form of what a job runs."""
    return _encoder.encode(work)


def decode_work(stored: bytes) -> Work:
    """Read what `encode_work` wrote."""
    work: Work = _decoder.decode(stored)
    return work


def check_job_name(name: str) -> str:
    """Return `name` if a job may have it: no '--', for that is in the names of nodes' jobs.

    Raises:
        InvalidInput: it is empty, longer than `MAX_JOB_NAME`, or has another character than
            letters, digits, '-' and '_', or '--'.
    """
    if len(name) > MAX_JOB_NAME or not _NAME.fullmatch(name):
        raise InvalidInput(
            f"job name {name[:80]!r} ({len(name)} characters) is not valid: use at most "
            f"{MAX_JOB_NAME} letters, digits, '-' and '_', and no '--'",
            path="name",
        )
    return name


def submit(
    services: Services,
    workspace: Workspace,
    name: str,
    properties: dict[str, Any],
    principal: Principal,
) -> Job:
    """Check a job whole, store it and wake the engine.

    The same PUT again returns the job that is there, with its mutable fields (display name,
    description, tags, archived) as now given.

    Raises:
        InvalidInput: a field is wrong; `path` names it. Nothing was stored.
        NotFound: it refers to something that does not exist.
        Conflict: another job has this name.
    """
    check_job_name(name)
    if isinstance(given := properties.get("properties"), dict):
        properties = {**properties, "properties": without_credentials(given)}
    body, parts = services.store.read(
        lambda tx: lifted(properties, workspace.ids.arm, inline.pin(tx, workspace))
    )
    existing = _find(services, workspace, name)
    if existing is not None:
        return _put_again(services, workspace, existing, body)
    asked = services.store.read(
        lambda tx: decode_job(properties, References(tx, workspace, services.environments))
    )
    _check_data(services, workspace, asked)
    compute = asked.compute or _default_compute(asked.work)
    job = _new_job(services, workspace, name, body, asked, principal)
    job = msgspec.structs.replace(job, compute=compute)
    definition = encode_work(asked.work)

    def work(tx: Tx) -> Job:
        inline.keep(tx, workspace.id, parts, job.created_by, job.timeline.created)
        return tx.jobs.add(job, definition)

    stored = services.store.write(work)
    services.wake(stored.id)
    return stored


def _check_data(services: Services, workspace: Workspace, asked: Submission) -> None:
    """Refuse a job whose data is not there."""
    for name, value in asked.inputs.items():
        storage = parse_storage(value.uri) if isinstance(value, DataInput) else None
        if not isinstance(storage, StoragePath):
            continue
        path = services.files.locate(workspace.id, storage.datastore, storage.path)
        if not path.exists():
            raise NotFound(
                f"inputs.{name}: nothing is at {storage}; upload the data, or name another place",
                path=f"inputs.{name}",
            )


def _default_compute(work: Work) -> str | None:
    return "local" if isinstance(work, CommandDef) else work.settings.default_compute


def _new_job(
    services: Services,
    workspace: Workspace,
    name: str,
    properties: dict[str, Any],
    asked: Submission,
    principal: Principal,
) -> Job:
    now = services.clock.now()
    return Job(
        workspace=workspace.id,
        name=name,
        kind=asked.kind,
        experiment=asked.experiment,
        display_name=asked.display_name or name,
        description=asked.description,
        body=properties,
        tags=asked.tags,
        properties=asked.properties,
        inputs=asked.inputs,
        archived=asked.archived,
        timeline=Timeline(created=now),
        created_by=principal.name,
        modified_at=now,
    )


def _find(services: Services, workspace: Workspace, name: str) -> Job | None:
    try:
        return services.store.read(lambda tx: tx.jobs.get(workspace.id, name))
    except NotFound:
        return None


def _put_again(
    services: Services, workspace: Workspace, job: Job, properties: dict[str, Any]
) -> Job:
    def fixed(body: dict[str, Any]) -> dict[str, Any]:
        server_side = (*_MUTABLE, "status", "lazulite", "outputs", "environmentVariables")
        return {k: v for k, v in body.items() if k not in server_side and v not in (None, {}, [])}

    same = (fixed(job.body), fixed(hide_secrets(job.body)))  # a client may send what it was shown
    if fixed(properties) not in same:
        raise Conflict(
            f"job '{job.name}' exists in workspace '{workspace.ids.name}' and runs something "
            "else; choose another name",
            path="name",
        )
    given = Reader(properties, "")
    return edit(
        services,
        workspace,
        job.name,
        display_name=given.text("displayName") or job.display_name,
        description=given.text("description") or job.description,
        tags=given.texts("tags") or job.tags,
        archived=given.flag("isArchived", default=job.archived),
    )


def get(services: Services, workspace: Workspace, name: str) -> Job:
    """Return a job with its `body`, and why it waits if it does.

    Raises:
        NotFound: no job of this name.
    """

    def work(tx: Tx) -> Job:
        job = tx.jobs.get(workspace.id, name)
        if job.body:
            return job
        [(full, definition)] = tx.executions.load([job.id])
        if definition is None:
            return full
        return msgspec.structs.replace(full, body=body_of(decode_work(definition), full))

    job = services.store.read(work)
    waits = None if job.is_final else services.why(job.id)
    return msgspec.structs.replace(job, waits_for=waits) if waits else job


def list_jobs(
    services: Services, workspace: Workspace, which: JobFilter, page: Page
) -> Listed[Job]:
    """Return one page of jobs, newest first."""
    return services.store.read(lambda tx: tx.jobs.page(workspace.id, which, page))


def children(services: Services, workspace: Workspace, name: str) -> list[Job]:
    """Return the jobs of a pipeline's nodes, one level deep, in the order they were made.

    Raises:
        NotFound: no job of this name.
    """
    return services.store.read(lambda tx: tx.jobs.children(tx.jobs.get(workspace.id, name).id))


def cancel(services: Services, workspace: Workspace, name: str) -> Job:
    """Ask for a job, and all below it, to be stopped. A final job stays as it is.

    Raises:
        NotFound: no job of this name.
    """

    def work(tx: Tx) -> Job:
        job = tx.jobs.get(workspace.id, name)
        tx.jobs.request_cancel(job.id)
        return job

    job = services.store.write(work)
    if not job.is_final:
        services.wake(job.id)
    return job


def delete(services: Services, workspace: Workspace, name: str) -> Job:
    """Take a job away: its record, all below it, its logs and artifacts. Its outputs stay.

    Outputs stay because later jobs may have them by reuse, and data assets may name them.

    Raises:
        NotFound: no job of this name.
        Conflict: it has not ended; cancel it first.
    """

    def work(tx: Tx) -> tuple[Job, list[str]]:
        job = tx.jobs.get(workspace.id, name)
        return job, remove(tx, job)

    job, names = services.store.write(work)
    remove_files(services, workspace, names)
    return job


def below(tx: Tx, row: int) -> list[list[Job]]:
    """Return the jobs below one, level by level; runs can be nested thousands of levels deep."""
    levels: list[list[Job]] = []
    rows = [row]
    while found := [child for parent in rows for child in tx.jobs.children(parent)]:
        levels.append(found)
        rows = [job.id for job in found]
    return levels


def remove(tx: Tx, job: Job) -> list[str]:
    """Delete the record of a job and all below it, and return their names.

    Raises:
        Conflict: it has not ended.
    """
    if not job.is_final and job.kind is not JobKind.RUN:  # a bare run may never end
        raise Conflict(f"job '{job.name}' is {job.status}: cancel it, then delete it", path="name")
    levels = [[job], *below(tx, job.id)]
    for level in reversed(levels[::_CASCADE]):  # the deepest first
        for one in level:
            tx.jobs.delete(one.id)
    return [one.name for level in levels for one in level]


def remove_files(services: Services, workspace: Workspace, names: Iterable[str]) -> None:
    """Delete the logs and artifacts of jobs whose records are gone."""
    for one in names:
        services.files.space.remove(workspace.id, ARTIFACT_STORE, artifact_folder(one))
        if services.runs is not None:
            shutil.rmtree(services.runs / str(workspace.id) / one, ignore_errors=True)


def edit(services: Services, workspace: Workspace, name: str, **fields: Any) -> Job:
    """Change display_name, description, tags, properties or archived of a job.

    Raises:
        NotFound: no job of this name.
    """

    def work(tx: Tx) -> Job:
        job = tx.jobs.get(workspace.id, name)
        changes = {k: v for k, v in fields.items() if v is not None}
        if changes:
            tx.jobs.edit(job.id, modified_at=services.clock.now(), **changes)
        return tx.jobs.get(workspace.id, name)

    return services.store.write(work)
