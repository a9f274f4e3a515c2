"""The workspace as a target: drives the server's routes for imports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar
from urllib.parse import quote

import msgspec

from lazulite.client.rest import Connection
from lazulite.client.session import Session
from lazulite.client.transfer.lanes import Lanes, patiently
from lazulite.client.transfer.records import (
    BATCH,
    EXPORT_SEAL,
    EXPORTED,
    EXPORTED_CREATED,
    EXPORTED_MODEL,
    EXPORTED_VERSION,
    Experiment,
    File,
    Left,
    Model,
    Name,
    NamePlaced,
    Placed,
    PlacedExperiment,
    Run,
    Version,
    created_of,
)
from lazulite.domain.errors import Conflict, InvalidInput
from lazulite.formats.mlflow import transfer as t

_LANES = 4  # files that are sent at once
_IN_MEMORY = 1 << 20  # bytes of a file that is sent in one piece
_TRIES = 5  # of a call, while the server is busy
encode = msgspec.json.Encoder().encode
T = TypeVar("T")
S = TypeVar("S")


class WorkspaceTarget:
    """Writes into the workspace of a session."""

    def __init__(self, session: Session, source: str, *, dry: bool) -> None:
        """Begin.

        Args:
            session: the workspace.
            source: where the things come from, for people; without secrets.
            dry: write nothing, and say what would be.
        """
        self.shown = session.workspace.name
        self._session = session
        self._connection = session.connection
        self._source = source
        self._dry = dry
        self._sender = ThreadPoolExecutor(1, "points")
        self._other = session.connection.another()
        self._lanes = Lanes(session)
        self._sent: Future[None] | None = None

    def experiment(self, one: Experiment) -> PlacedExperiment:
        """Make an experiment, unless it is there."""
        sent = t.SentExperiment(
            name=one.name,
            tags=one.tags,
            deleted=one.deleted,
            created=one.created,
            modified=one.modified,
            dry=self._dry,
        )
        try:
            placed = self._ask("experiment", sent, t.PlacedExperiment)
        except InvalidInput as error:
            return PlacedExperiment("", new=False, refused=error.message)
        in_bin = placed.deleted and not placed.new and not one.deleted
        refused = f"experiment '{one.name}' is in the bin here: restore it first"
        return PlacedExperiment(placed.id or "", placed.new, refused if in_bin else None)

    def begin(self, runs: Sequence[Run], seals: Mapping[str, str]) -> Sequence[Placed]:
        """Make runs that are not there."""
        return _each(runs, lambda some: self._begin(some, seals))

    def points(self, series: Sequence[t.Series]) -> Sequence[Left]:
        """Add points, while the next are read; what comes after them waits for them."""
        self._settle()
        path, body = self._session.own("runs/import/points"), encode(t.LogSeries(list(series)))
        self._sent = self._sender.submit(self._post, self._other, path, body)
        return ()

    def begin_models(self, models: Sequence[Model]) -> Sequence[Placed]:
        """Make logged models that are not there."""
        return _each(models, self._begin_models)

    def files(self, owner: Run | Model) -> Mapping[str, int]:
        """Return the files that a run or a logged model has already."""
        kind = "run" if isinstance(owner, Run) else "model"
        path = self._session.own(f"runs/import/files?{kind}={quote(owner.id, safe='')}")
        found: dict[str, int] = self._connection.json("GET", path)["files"]
        return found

    def put(self, owner: Run | Model, files: Sequence[File]) -> Sequence[str | None]:
        """Upload files, some at a time; each is there whole, or not at all."""
        middle = owner.id if isinstance(owner, Run) else f"models/{owner.id}"
        return self._lanes.put(f"{owner.experiment or 0}/{middle}/artifacts", files)

    def finish(self, runs: Sequence[Run], seals: Mapping[str, str]) -> Sequence[int]:
        """Give runs their end."""
        self._settle()
        ended = [
            t.EndedRun(
                run=run.id,
                status=run.status,
                end=run.end,
                deleted=run.deleted,
                seal=seals[run.id],
                datasets=[
                    t.SentUse(name=use.name, digest=use.digest, body=use.body, tags=use.tags)
                    for use in run.datasets
                ],
                models_in=run.models_in,
                models_out=run.models_out,
            )
            for run in runs
        ]
        return self._ask("finish", t.FinishRuns(ended), t.FinishedRuns).points

    def finish_model(self, model: Model) -> None:
        """Give a logged model its status."""
        sent = t.EndedModel(model=model.id, status=model.status, modified=model.modified)
        self._settle()
        self._post(self._connection, self._session.own("runs/import/model"), encode(sent))

    def name(self, one: Name) -> NamePlaced:
        """Make a registered model with its versions, where name and numbers are free."""
        sent = t.SentName(
            name=one.name,
            description=one.description,
            tags=one.tags,
            created=one.created,
            modified=one.modified,
            dry=self._dry,
        )
        new, done, refused = False, list[t.PlacedVersion](), list[str]()
        for start in range(0, max(1, len(one.versions)), BATCH):
            part = one.versions[start : start + BATCH]
            numbers = {version.version for version in part}
            sent.versions = [_version(version) for version in part]
            sent.aliases = {alias: of for alias, of in one.aliases.items() if of in numbers}
            placed = self._ask("name", sent, t.PlacedName)
            new = new or placed.new
            done += placed.versions
            refused += placed.refused
        return NamePlaced(new, done, refused)

    def close(self) -> None:
        """Hang up; the session is the caller's."""
        self._sender.shutdown()
        self._other.close()
        self._lanes.close()

    def _begin(self, runs: Sequence[Run], seals: Mapping[str, str]) -> list[Placed]:
        sent = [
            t.SentRun(
                id=run.tags.get(EXPORTED, run.id),
                experiment=run.experiment,
                name=run.name,
                start=run.start,
                user=run.user,
                params=run.params,
                tags=_own(run.tags),
                seal=seals[run.id],
            )
            for run in runs
        ]
        asked = t.BeginRuns(runs=sent, source=self._source[:1000], dry=self._dry)
        placed = self._ask("begin", asked, t.BegunRuns).runs
        return [Placed(one.id, one.state, one.points, one.params) for one in placed]

    def _begin_models(self, models: Sequence[Model]) -> list[Placed]:
        sent = [
            t.SentModel(
                id=model.tags.get(EXPORTED_MODEL, model.id),
                experiment=model.experiment,
                name=model.name,
                model_type=model.model_type,
                source_run=model.source_run,
                created=created_of(model),
                params=model.params,
                tags=_own(model.tags),
            )
            for model in models
        ]
        placed = self._ask("models", t.BeginModels(models=sent, dry=self._dry), t.BegunModels)
        return [Placed(one.id, one.state) for one in placed.models]

    def _ask(self, rest: str, sent: msgspec.Struct, kind: type[T]) -> T:
        path = self._session.own(f"runs/import/{rest}")
        reply = self._connection.json("POST", path, msgspec.to_builtins(sent), repeat=True)
        return msgspec.convert(reply, kind)

    def _post(self, connection: Connection, path: str, body: bytes) -> None:
        patiently(lambda: connection.send("POST", path, body, len(body)))

    def _settle(self) -> None:
        """Wait for the points that are on their way."""
        if self._sent is not None:
            self._sent.result()
            self._sent = None


def _version(one: Version) -> t.SentVersion:
    return t.SentVersion(
        version=one.tags.get(EXPORTED_VERSION, one.version),
        source=one.source,
        created=created_of(one),
        modified=one.modified,
        run=one.run,
        model=one.model,
        link=one.link,
        user=one.user,
        description=one.description,
        stage=one.stage,
        tags=_own(one.tags),
    )


def _own(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags without those that an export of ours added."""
    added = (EXPORTED, EXPORTED_CREATED, EXPORTED_MODEL, EXPORTED_VERSION, EXPORT_SEAL)
    return {key: value for key, value in tags.items() if key not in added}


def _each(items: Sequence[S], send: Callable[[Sequence[S]], list[Placed]]) -> list[Placed]:
    """Send items together; if one of them is refused, each alone, to know which."""
    try:
        return send(items)
    except (InvalidInput, Conflict) as error:
        if len(items) == 1:
            return [Placed("", "kept", refused=error.message)]
    return [placed for item in items for placed in _each([item], send)]
