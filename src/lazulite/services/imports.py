"""Use cases of an import: runs with the ids, times and states they had elsewhere.

Nothing that is there is changed: an import adds what is missing, and completes the runs that an
import began. See ADR 0012.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

from lazulite.domain.access import Principal
from lazulite.domain.errors import Conflict, InvalidInput, NotFound, TooLarge
from lazulite.domain.ids import MAX_JOB_NAME, WorkspaceId, check_name
from lazulite.domain.job import FINAL, Job, JobKind, JobStatus, Timeline
from lazulite.domain.run import (
    DEFAULT_EXPERIMENT,
    MAX_PARAM,
    MAX_TAG,
    PARENT,
    RUN_NAME,
    Batch,
    Dataset,
    ModelPoint,
    Point,
    check_key,
    clean_value,
    job_status,
)
from lazulite.formats.mlflow import transfer as t
from lazulite.ports.blobs import Blob, BlobQuery
from lazulite.ports.store import Tx
from lazulite.services import artifacts, experiments
from lazulite.services.artifact_paths import ArtifactPath
from lazulite.services.context import Services
from lazulite.services.tracking import moment_of

ORIGIN = "lazulite.import.run_id"  # property: its id where it came from; a tag, if it is another
SOURCE = "lazulite.import.source"  # property: what it was imported from, for people
SEAL = "lazulite.import.seal"  # property: set when the run is whole

_PAGE = 5000
_MAX_FILES = 200_000  # of one run


def place_experiment(
    services: Services, ids: WorkspaceId, sent: t.SentExperiment
) -> t.PlacedExperiment:
    """Return the experiment of a name; made, with what it was elsewhere, if it is not there.

    Raises:
        InvalidInput: its name, a tag's or a time cannot be one.
    """
    experiments.check_name(sent.name)
    tags = {check_key(key, "tags"): value for key, value in sent.tags.items()}
    now = services.clock.now()
    created = now if sent.created is None else moment_of(sent.created, "created")
    modified = created if sent.modified is None else moment_of(sent.modified, "modified")

    def work(tx: Tx) -> t.PlacedExperiment:
        workspace = tx.workspaces.get(ids).id
        try:
            found = tx.experiments.named(workspace, sent.name)
        except NotFound:
            if sent.dry:
                return t.PlacedExperiment(id=None, new=True, deleted=sent.deleted)
        else:
            return t.PlacedExperiment(id=str(found.id), new=False, deleted=found.deleted)
        row = tx.experiments.add(workspace, sent.name, tags, created)
        deleted = sent.deleted and sent.name != DEFAULT_EXPERIMENT
        tx.experiments.edit(row, modified, deleted=deleted)
        return t.PlacedExperiment(id=str(row), new=True, deleted=False)

    return services.store.read(work) if sent.dry else services.store.write(work)


def begin(
    services: Services, ids: WorkspaceId, asked: t.BeginRuns, principal: Principal
) -> t.BegunRuns:
    """Make the runs that are not there, and say of each where it is.

    A run is the same as one that is there if id and start are equal. If another has its id, it
    gets one that follows from its own id and start, so that it is found again under that.

    Raises:
        InvalidInput: a key or time cannot be one, or a param has another value here.
        NotFound: there is no such experiment.
    """
    for run in asked.runs:
        _check(run)
    now = services.clock.now()

    def work(tx: Tx) -> t.BegunRuns:
        workspace = tx.workspaces.get(ids).id
        placed = []
        for run in asked.runs:
            there, name = _find(tx, workspace, run)
            if there is not None:
                placed.append(_resume(tx, workspace, run, there, dry=asked.dry))
                continue
            if not asked.dry:
                _start(tx, _job(tx, workspace, name, run, (asked.source, principal, now)), run)
            placed.append(t.PlacedRun(id=name, state="new", params=len(run.params)))
        return t.BegunRuns(placed)

    return services.store.read(work) if asked.dry else services.store.write(work)


def log(services: Services, ids: WorkspaceId, asked: t.LogSeries) -> None:
    """Add points to runs that an import made, or to logged models; those that are there stay.

    Raises:
        NotFound: there is no such run or model.
        Conflict: no import made the run, or it was deleted.
        InvalidInput: a key cannot be one, or lists differ in length.
        TooLarge: these are too many.
    """
    if sum(len(one.steps) for one in asked.series) > t.MAX_POINTS:
        raise TooLarge(f"at most {t.MAX_POINTS} points can be imported at once", path="series")
    of_runs: dict[str, list[Point]] = {}
    of_models: dict[tuple[str, str], list[ModelPoint]] = {}
    for one in asked.series:
        points = _points(one)
        if one.model is None:
            of_runs.setdefault(one.run, []).extend(points)
        else:
            said = [ModelPoint(point, one.run, one.dataset, one.digest) for point in points]
            of_models.setdefault((one.model, one.run), []).extend(said)

    def work(tx: Tx) -> None:
        workspace = tx.workspaces.get(ids).id
        for run, points in of_runs.items():
            _imported(tx, workspace, run)
            tx.runs.log(tx.runs.head(workspace, run), Batch(metrics=points))
        for (model, run), said in of_models.items():
            row = tx.models.get(workspace, model).id
            tx.models.add_points(row, tx.runs.head(workspace, run).id, said)

    services.store.write(work)


def finish(services: Services, ids: WorkspaceId, asked: t.FinishRuns) -> t.FinishedRuns:
    """Give runs their end and what they took in and gave out; say how many points each has.

    Raises:
        NotFound: there is no such run or logged model.
        Conflict: no import made the run, or it was deleted.
        InvalidInput: an end is no time.
    """
    for one in asked.runs:
        if one.end is not None:
            moment_of(one.end, "end")
    now = services.clock.now()

    def work(tx: Tx) -> t.FinishedRuns:
        workspace = tx.workspaces.get(ids).id
        return t.FinishedRuns([_finish(tx, workspace, one, now) for one in asked.runs])

    return services.store.write(work)


def files(services: Services, ids: WorkspaceId, where: ArtifactPath) -> t.Stored:
    """Return every artifact of a run or a logged model, with its size.

    Raises:
        NotFound: there is no such run or model.
        TooLarge: these are too many to tell.
    """
    place = artifacts.readable(services, ids, where)
    services.files.root(place.workspace, place.datastore)  # makes it, if nothing was put there yet
    folder, after = place.path.rstrip("/") + "/", ""
    found: dict[str, int] = {}
    while True:
        query = BlobQuery(prefix=folder, after=after, limit=_PAGE)
        page = services.files.blobs.page(place.workspace, place.datastore, query)
        blobs = (one for one in page.items if isinstance(one, Blob))
        found |= {one.path.removeprefix(folder): one.size for one in blobs}
        if page.next is None:
            return t.Stored(found)
        if len(found) > _MAX_FILES:
            raise TooLarge(f"{where.kind} '{where.owner}' has more than {_MAX_FILES} files")
        after = page.next


def millis(moment: datetime) -> int:
    """Return a time in milliseconds since 1970, exactly."""
    return round(moment.timestamp() * 1_000_000) // 1000


def _check(run: t.SentRun) -> None:
    moment_of(run.start, "start")
    for key in (*run.params, *run.tags):
        check_key(key, "key")


def _find(tx: Tx, workspace: int, run: t.SentRun) -> tuple[Job | None, str]:
    """Return the run if it is there, and the id that it has or is to get."""
    names = [t.other_id(run.id, run.start)]
    if _may_be_an_id(run.id):
        names.insert(0, run.id)
    free = []
    for name in names:
        try:
            job = tx.jobs.get(workspace, name)
        except NotFound:
            free.append(name)
            continue
        if millis(job.timeline.created) == run.start:
            return job, name
    if not free:
        raise Conflict(f"run '{run.id[:100]}': its id, and the one that stands for it, are taken")
    return None, free[0]


def _may_be_an_id(text: str) -> bool:
    try:
        return len(check_name(text, "run")) <= MAX_JOB_NAME
    except InvalidInput:
        return False


def _resume(tx: Tx, workspace: int, run: t.SentRun, there: Job, *, dry: bool) -> t.PlacedRun:
    """Say what is to be done for a run that is there; add what it was given since."""
    if there.kind is not JobKind.RUN or ORIGIN not in there.properties:
        return t.PlacedRun(id=there.name, state="kept")
    if there.properties.get(SEAL) == run.seal or there.archived:
        return t.PlacedRun(id=there.name, state="same")
    record = tx.runs.get(workspace, there.name)
    known = dict(record.params)
    new = {key: value for key, value in run.params.items() if key not in known}
    tags = {key: value for key, value in _tags(run).items() if key not in there.tags}
    if not dry:
        batch = Batch(params=_params(new), tags=list(tags.items()))
        tx.runs.log(record.head, batch)
    count = tx.metrics.count(there.id)
    return t.PlacedRun(id=there.name, state="open", points=count, params=len(new))


def _job(
    tx: Tx, workspace: int, name: str, run: t.SentRun, by: tuple[str, Principal, datetime]
) -> Job:
    experiment = experiments.find(tx, workspace, run.experiment, None)
    source, principal, now = by
    begun = moment_of(run.start, "start")
    tags = _tags(run)
    if name != run.id:
        tags[ORIGIN] = run.id
    return Job(
        workspace=workspace,
        name=name,
        kind=JobKind.RUN,
        experiment=experiment.name,
        display_name=run.name or name,
        status=JobStatus.RUNNING,
        tags=tags,
        properties={ORIGIN: run.id, SOURCE: source},
        timeline=Timeline(created=begun, running=begun),
        created_by=run.user or principal.name,
        modified_at=now,
    )


def _start(tx: Tx, job: Job, run: t.SentRun) -> None:
    head = tx.runs.start(job, run.tags.get(PARENT))
    tx.runs.log(head, Batch(params=_params(run.params)))


def _params(params: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(key, value[:MAX_PARAM]) for key, value in params.items()]


def _tags(run: t.SentRun) -> dict[str, str]:
    return {key: value[:MAX_TAG] for key, value in run.tags.items() if key != RUN_NAME}


def _points(series: t.Series) -> list[Point]:
    if not len(series.steps) == len(series.times) == len(series.values):
        raise InvalidInput(
            f"metric '{series.key[:100]}': steps, times and values differ in length", path="series"
        )
    key = check_key(series.key, "key")
    return [
        Point(key, math.nan if value is None else clean_value(value), time, step)
        for step, time, value in zip(series.steps, series.times, series.values, strict=True)
    ]


def _imported(tx: Tx, workspace: int, run: str) -> Job:
    """Return a run that an import may still write to."""
    job = tx.jobs.get(workspace, run)
    if job.kind is not JobKind.RUN or ORIGIN not in job.properties:
        raise Conflict(f"run '{run[:100]}' was not made by an import: it is left as it is")
    if job.archived:
        raise Conflict(f"run '{run[:100]}' is in the bin: restore it, and import again")
    return job


def _finish(tx: Tx, workspace: int, ended: t.EndedRun, now: datetime) -> int:
    job = _imported(tx, workspace, ended.run)
    head = tx.runs.head(workspace, ended.run)
    uses = [Dataset(name=u.name, digest=u.digest, body=u.body, tags=u.tags) for u in ended.datasets]
    tx.lineage.add_datasets(job.id, head.experiment, uses)
    for models, output in ((dict.fromkeys(ended.models_in, 0), False), (ended.models_out, True)):
        rows = {tx.models.get(workspace, m).id: step for m, step in dict(models).items()}
        tx.lineage.add_models(job.id, rows, output=output)
    changes: dict[str, object] = {"properties": {**job.properties, SEAL: ended.seal}}
    if SEAL not in job.properties:
        changes["archived"] = ended.deleted
    if job.status not in FINAL:
        status = job_status(ended.status)
        end = None if ended.end is None else moment_of(ended.end, "end")
        changes |= {"status": status, "ended": end}
    tx.jobs.edit(job.id, modified_at=now, **changes)
    return tx.metrics.count(job.id)
