"""What belongs to a run of a job: code, command, environment, data, where it is from and ran."""

from __future__ import annotations

import msgspec

from lazulite.domain.errors import Conflict, NotFound
from lazulite.domain.ids import StoragePath, WorkspaceId, parse_storage
from lazulite.domain.job import CommandDef, DataInput, Job
from lazulite.domain.source import DIRTY, source_tags
from lazulite.ports.files import Entry
from lazulite.ports.store import Tx
from lazulite.services.context import Services
from lazulite.services.jobs import decode_work

_OUTPUTS = "azureml/"  # folder of the default places of outputs: azureml/JOB/OUTPUT/


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """The snapshot that a job ran."""

    digest: str
    files: int
    size: int  # bytes


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """A job and what it was made of. What a pipeline's nodes have, a pipeline has not."""

    job: Job
    parent: str | None = None
    root: str | None = None
    source: dict[str, str] = {}  # of the outermost job: git's words
    work: CommandDef | None = None
    code: Code | None = None
    origins: dict[str, str] = {}  # input -> JOB/OUTPUT that wrote it


def of(services: Services, ids: WorkspaceId, name: str) -> Provenance:
    """Return what belongs to a run.

    Raises:
        NotFound: no job of this name.
    """

    def read(tx: Tx) -> Provenance:
        job = tx.jobs.get(tx.workspaces.get(ids).id, name)
        root = tx.jobs.by_id(job.root) if job.root else job
        names = tx.jobs.names([job.parent] if job.parent else [])
        return Provenance(
            job=job,
            parent=names.get(job.parent or 0),
            root=root.name if job.root else None,
            source={k: v for k, v in root.properties.items() if k == DIRTY}
            | source_tags(root.properties),
            work=_work(tx, job),
            origins=_origins(job),
        )

    found = services.store.read(read)
    if found.work is None or not found.work.snapshot:
        return found
    try:
        entries = services.snapshots.entries(found.work.snapshot)
    except NotFound:  # it was purged
        return found
    size = sum(entry.size for entry in entries)
    code = Code(digest=found.work.snapshot, files=len(entries), size=size)
    return msgspec.structs.replace(found, code=code)


def code(services: Services, ids: WorkspaceId, name: str) -> list[Entry]:
    """Return the files of the code that a job ran.

    Raises:
        NotFound: no job of this name, it has no code, or the code is gone.
        Conflict: it is a pipeline, of which each step has its own.
    """
    found = of(services, ids, name)
    if found.job.kind == "Pipeline":
        raise Conflict(
            f"job '{name}' is a pipeline: each of its steps has code of its own; name a step "
            f"(they are listed by: lazulite job list -p {name})",
            path="name",
        )
    if found.work is None or not found.work.snapshot:
        raise NotFound(f"job '{name}' has no code: its command is all that it ran")
    return services.snapshots.entries(found.work.snapshot)


def _work(tx: Tx, job: Job) -> CommandDef | None:
    [(_, stored)] = tx.executions.load([job.id]) or [(job, None)]
    work = decode_work(stored) if stored else None
    return work if isinstance(work, CommandDef) else None


def _origins(job: Job) -> dict[str, str]:
    """Say which outputs of jobs the inputs are, as far as their places tell."""
    found = {}
    for name, value in job.inputs.items():
        place = parse_storage(value.uri) if isinstance(value, DataInput) else None
        if isinstance(place, StoragePath) and place.path.startswith(_OUTPUTS):
            job_name, _, rest = place.path.removeprefix(_OUTPUTS).partition("/")
            found[name] = f"{job_name}/{rest.strip('/').partition('/')[0]}"
    return found
