"""What moves between stores, and what a source and a target of it can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import BinaryIO, NamedTuple, Protocol

from msgspec import Struct

from lazulite.domain.model import NO_STAGE, ModelStatus
from lazulite.domain.run import Dataset, RunStatus
from lazulite.formats.mlflow.transfer import PlacedVersion, Series, State

BATCH = 50  # runs or models that are begun, and ended, together
CHUNK = 10_000  # points that a source reads, and a target writes, at once


class Experiment(Struct, frozen=True, kw_only=True):
    """An experiment of a source."""

    id: str
    name: str
    tags: dict[str, str] = {}
    deleted: bool = False
    created: int | None = None  # milliseconds since 1970, as all times here
    modified: int | None = None


class Run(Struct, frozen=True, kw_only=True):
    """A run of a source, without its points."""

    id: str
    experiment: str
    name: str
    status: RunStatus
    start: int
    end: int | None = None
    user: str = ""
    deleted: bool = False
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    datasets: list[Dataset] = []
    models_in: list[str] = []
    models_out: list[tuple[str, int]] = []
    location: str = ""  # of its artifacts
    metrics: list[str] = []  # keys, where only a key opens the history
    mark: str | None = None  # equal = no points were added; None = that cannot be told


class Model(Struct, frozen=True, kw_only=True):
    """A logged model of a source."""

    id: str
    experiment: str
    name: str
    created: int
    modified: int
    status: ModelStatus
    model_type: str | None = None
    source_run: str | None = None
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    points: list[Series] = []
    location: str = ""


class Version(Struct, frozen=True, kw_only=True):
    """A version of a registered model of a source."""

    version: str
    source: str
    created: int
    modified: int | None = None
    run: str | None = None
    model: str | None = None
    link: str | None = None
    user: str | None = None
    description: str = ""
    stage: str = NO_STAGE
    tags: dict[str, str] = {}
    location: str = ""  # of its files, where a store says that apart from the source


class Name(Struct, frozen=True, kw_only=True):
    """A registered model of a source."""

    name: str
    created: int
    modified: int | None = None
    description: str = ""
    tags: dict[str, str] = {}
    aliases: dict[str, str] = {}
    versions: list[Version] = []


class File(NamedTuple):
    """An artifact: a relative path with '/', its size in bytes, and how to read it."""

    path: str
    size: int
    open: Callable[[], BinaryIO]


class Left(NamedTuple):
    """An artifact, or a folder of them, that is not read, and why."""

    path: str
    reason: str


EXPORTED = "lazulite.export.run_id"  # tag of a run that an export gave another id
EXPORTED_MODEL = "lazulite.export.model_id"
EXPORTED_VERSION = "lazulite.export.version"
EXPORTED_CREATED = "lazulite.export.created"  # tag of a model or version: when it was made
EXPORT_SEAL = "lazulite.export.seal"  # tag: the seal of what was exported


def created_of(one: Model | Version) -> int:
    """Return when it was made: what an export to a server could say by a tag only."""
    said = one.tags.get(EXPORTED_CREATED, "")
    return int(said) if said.isascii() and said.isdigit() else one.created


class Source(Protocol):
    """Where things come from. All raise LazuliteError when it cannot be read (any more).

    `runs` are in the order of their start, so that parents come before their children. `points`
    gives at most `CHUNK` points at once. `files` gives what cannot be read as `Left`.
    """

    @property
    def shown(self) -> str: ...

    def experiments(self) -> Iterator[Experiment]: ...

    def runs(self, experiments: Sequence[str]) -> Iterator[Run]: ...

    def points(self, run: Run) -> Iterator[Series]: ...

    def models(self, experiments: Sequence[str]) -> Iterator[Model]: ...

    def files(self, owner: Run | Model) -> Iterator[File | Left]: ...

    def names(self) -> Iterator[Name]: ...

    def close(self) -> None: ...


class Placed(NamedTuple):
    """Where something is in the target."""

    id: str
    state: State
    points: int = 0  # that it had before
    params: int = 0  # that were added
    refused: str | None = None  # why it is not there


class PlacedExperiment(NamedTuple):
    """Where an experiment is in the target."""

    id: str
    new: bool
    refused: str | None = None  # why nothing can be put into it


class NamePlaced(NamedTuple):
    """What became of a registered model and its versions, in the order of the versions."""

    new: bool
    versions: Sequence[PlacedVersion]
    refused: Sequence[str] = ()  # aliases


class Target(Protocol):
    """Where things go. Ids in what it is given are its own already, but those of what is begun.

    `begin` makes runs that are not whole before `finish`, which says how many points each has.
    What is there is never changed, only added to. `points` returns what it
    cannot keep. `files` are those that something has already.
    `put` says of each file why it cannot be kept; None = it is.
    """

    @property
    def shown(self) -> str: ...

    def experiment(self, one: Experiment) -> PlacedExperiment: ...

    def begin(self, runs: Sequence[Run], seals: Mapping[str, str]) -> Sequence[Placed]: ...

    def points(self, series: Sequence[Series]) -> Sequence[Left]: ...

    def begin_models(self, models: Sequence[Model]) -> Sequence[Placed]: ...

    def files(self, owner: Run | Model) -> Mapping[str, int]: ...

    def put(self, owner: Run | Model, files: Sequence[File]) -> Sequence[str | None]: ...

    def finish(self, runs: Sequence[Run], seals: Mapping[str, str]) -> Sequence[int]: ...

    def finish_model(self, model: Model) -> None: ...

    def name(self, one: Name) -> NamePlaced: ...

    def close(self) -> None: ...
