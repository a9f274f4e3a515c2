"""Use cases of run history: a job as a run, with its family, its logs and where its outputs are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lazulite.domain.asset import AssetKind
from lazulite.domain.errors import InvalidInput, NotFound
from lazulite.domain.ids import (
    ARTIFACT_STORE,
    JobOutputRef,
    WorkspaceId,
    parse_asset,
    parse_storage,
)
from lazulite.domain.job import Job, JobKind
from lazulite.domain.workspace import Workspace
from lazulite.ports.store import Tx
from lazulite.services.context import Services

LOG_FOLDERS = ("user_logs", "azureml-logs", "system_logs", "logs")  # below a run's artifacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A job, and the names of those it belongs to."""

    workspace: Workspace
    job: Job
    parent: str | None = None
    root: str | None = None


def get(services: Services, ids: WorkspaceId, name: str) -> Run:
    """Return a job as a run.

    Raises:
        NotFound: there is no such job.
    """

    def work(tx: Tx) -> Run:
        workspace = tx.workspaces.get(ids)
        return _run(tx, workspace, tx.jobs.get(workspace.id, name))

    return services.store.read(work)


def children(services: Services, ids: WorkspaceId, name: str) -> list[Run]:
    """Return the runs of a pipeline's nodes, one level deep, in the order they were made.

    Raises:
        NotFound: there is no such job.
    """

    def work(tx: Tx) -> list[Run]:
        workspace = tx.workspaces.get(ids)
        parent = _run(tx, workspace, tx.jobs.get(workspace.id, name))
        found = tx.jobs.children(parent.job.id)
        root = parent.root or name
        return [Run(workspace=workspace, job=job, parent=name, root=root) for job in found]

    return services.store.read(work)


def family(services: Services, ids: WorkspaceId, name: str) -> tuple[Run, list[tuple[Job, str]]]:
    """Return a job and everything below it, each with its dotted node path from the root.

    Raises:
        NotFound: there is no such job.
    """

    def work(tx: Tx) -> tuple[Run, list[tuple[Job, str]]]:
        workspace = tx.workspaces.get(ids)
        run = _run(tx, workspace, tx.jobs.get(workspace.id, name))
        return run, list(_below(tx, run.job, node_path(tx, run.job)))

    return services.store.read(work)


def node_path(tx: Tx, job: Job) -> str:
    """Return the dotted path of nodes from the root job to this one; empty for a root."""
    parts: list[str] = []
    while job.parent is not None:
        parts.append(job.node or job.name)
        job = tx.jobs.by_id(job.parent)
    return ".".join(reversed(parts))


def log_folder(job: Job) -> str:
    """Return where a job's logs are: a reused job shows those of the job that ran."""
    return artifact_folder(job.reused_from or job.name)


def artifact_folder(run: str) -> str:
    """Return where a run's logs and artifacts are on the artifact store."""
    return f"ExperimentRun/dcid.{run}"


def log_files(services: Services, run: Run) -> list[str]:
    """Return the names of a run's logs, relative to its artifacts: `user_logs/std_log.txt` ..."""
    folder = log_folder(run.job)
    home = services.files.locate(run.workspace.id, ARTIFACT_STORE, folder)
    found = (path for name in LOG_FOLDERS for path in (home / name).rglob("*"))
    return sorted(path.relative_to(home).as_posix() for path in found if path.is_file())


def resolve_uri(services: Services, ids: WorkspaceId, reference: str) -> tuple[str, str]:
    """Return where a job's output or a data asset is, and its type.

    Raises:
        NotFound: it does not exist.
        InvalidInput: the reference is neither.
    """
    storage = parse_storage(reference)
    if isinstance(storage, JobOutputRef):
        job = get(services, ids, storage.job).job
        if storage.output not in job.outputs:
            raise NotFound(f"job '{storage.job}' has no output '{storage.output}'")
        value = job.outputs[storage.output]
        return value.uri, value.type
    if storage is not None:
        return reference, "uri_folder"
    return _asset_uri(services, ids, reference)


def _asset_uri(services: Services, ids: WorkspaceId, reference: str) -> tuple[str, str]:
    ref = parse_asset(reference, AssetKind.DATA)
    if ref.registry:
        raise InvalidInput(f"registry '{ref.registry}' cannot be reached from here")

    def work(tx: Tx) -> tuple[str, str]:
        workspace, assets = tx.workspaces.get(ids).id, tx.assets
        if ref.version:
            found = assets.get(workspace, AssetKind.DATA, ref.name, ref.version)
        else:
            found = assets.resolve(workspace, AssetKind.DATA, ref.name, ref.label or "latest")
        return str(found.body["dataUri"]), str(found.body["dataType"])

    return services.store.read(work)


def _run(tx: Tx, workspace: Workspace, job: Job) -> Run:
    names = tx.jobs.names({row for row in (job.parent, job.root) if row is not None})
    return Run(
        workspace=workspace,
        job=job,
        parent=names.get(job.parent or 0),
        root=names.get(job.root or 0),
    )


def _below(tx: Tx, job: Job, path: str) -> Iterator[tuple[Job, str]]:
    if job.kind is not JobKind.PIPELINE:
        return
    for child in tx.jobs.children(job.id):
        below = f"{path}.{child.node or child.name}" if path else child.node or child.name
        yield child, below
        yield from _below(tx, child, below)
