"""What an import sends to `/lazulite/v1/.../runs/import/...`, and what it is told.

Both sides use it.

Runs, models and experiments of the foreign store are named by the ids that the replies gave them.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated, Literal

from msgspec import Meta, Struct

from lazulite.domain.model import ModelStatus
from lazulite.domain.run import RunStatus
from lazulite.formats.mlflow.requests import Int

MAX_RUNS = 50  # runs, models or versions in one call: a call is one transaction
MAX_POINTS = 25_000  # in one call
MAX_LABELS = 10_000  # params, or tags, of one run
MAX_SEAL = 100  # characters

Text = Annotated[str, Meta(max_length=50_000)]
Labels = Annotated[dict[str, Text], Meta(max_length=MAX_LABELS)]

# new: it was made (or would be); open: it is there, and this import has to complete it;
# same: it is there, and nothing of it changed since; kept: it is there, and is not an import's
State = Literal["new", "open", "same", "kept"]


class SentExperiment(Struct, kw_only=True):
    """POST experiment: make it, unless one of this name is there."""

    name: str
    tags: Labels = {}
    deleted: bool = False
    created: Int | None = None  # milliseconds since 1970, as all times here
    modified: Int | None = None
    dry: bool = False  # say only what would be


class PlacedExperiment(Struct, kw_only=True):
    """The experiment of that name."""

    id: str | None  # None = it would be made
    new: bool
    deleted: bool


class SentRun(Struct, kw_only=True):
    """A run to begin."""

    id: Text
    experiment: str = ""
    name: Text = ""
    start: Int = 0
    user: Text = ""
    params: Labels = {}
    tags: Labels = {}
    seal: Annotated[str, Meta(max_length=MAX_SEAL)]  # equal = nothing of the run has changed


class BeginRuns(Struct, kw_only=True):
    """POST begin: make runs that are not there, as running ones, and say which are."""

    runs: Annotated[list[SentRun], Meta(max_length=MAX_RUNS)]
    source: Annotated[str, Meta(max_length=1000)] = ""  # for people; without any secret
    dry: bool = False


class PlacedRun(Struct, kw_only=True):
    """Where a run is."""

    id: str
    state: State
    points: int = 0  # that it has already
    params: int = 0  # that were added


class BegunRuns(Struct):
    """The runs, in the order they were sent."""

    runs: list[PlacedRun]


class Series(Struct, kw_only=True, omit_defaults=True):
    """Points of one metric of a run: three lists of one length."""

    run: str
    key: str
    steps: list[Int]
    times: list[Int]
    values: list[float | None]  # null = NaN
    model: str | None = None  # the logged model that these say the quality of, and not the run
    dataset: str | None = None
    digest: str | None = None


class LogSeries(Struct):
    """POST points: add points to runs, or to logged models; those that are there stay."""

    series: Annotated[list[Series], Meta(max_length=MAX_POINTS)]


class SentUse(Struct, kw_only=True):
    """A dataset that a run took in."""

    name: Text
    digest: Text
    body: Annotated[dict[str, str], Meta(max_length=10)] = {}
    tags: Labels = {}


class EndedRun(Struct, kw_only=True):
    """What makes a begun run whole."""

    run: str
    status: RunStatus
    end: Int | None = None
    deleted: bool = False
    seal: Annotated[str, Meta(max_length=MAX_SEAL)]
    datasets: Annotated[list[SentUse], Meta(max_length=1000)] = []
    models_in: Annotated[list[str], Meta(max_length=1000)] = []
    models_out: Annotated[list[tuple[str, Int]], Meta(max_length=1000)] = []


class FinishRuns(Struct):
    """POST finish: give runs their end."""

    runs: Annotated[list[EndedRun], Meta(max_length=MAX_RUNS)]


class FinishedRuns(Struct):
    """How many points each has now, in the order they were sent."""

    points: list[int]


class SentModel(Struct, kw_only=True):
    """A logged model to begin."""

    id: Text
    experiment: str = ""
    name: Text
    model_type: Text | None = None
    source_run: Text | None = None
    created: Int
    params: Labels = {}
    tags: Labels = {}


class BeginModels(Struct, kw_only=True):
    """POST models: make logged models that are not there, as pending ones."""

    models: Annotated[list[SentModel], Meta(max_length=MAX_RUNS)]
    dry: bool = False


class PlacedModel(Struct, kw_only=True):
    """Where a logged model is."""

    id: str
    state: State


class BegunModels(Struct):
    """The models, in the order they were sent."""

    models: list[PlacedModel]


class EndedModel(Struct, kw_only=True):
    """POST model: give a begun model its status."""

    model: str
    status: ModelStatus
    modified: Int


class SentVersion(Struct, kw_only=True):
    """A version of a registered model."""

    version: Annotated[str, Meta(pattern=r"^[0-9]{1,9}$")]
    source: Text
    created: Int
    modified: Int | None = None
    run: Text | None = None
    model: Text | None = None
    link: Text | None = None
    user: Text | None = None
    description: Text = ""
    stage: str = "None"
    tags: Labels = {}


class SentName(Struct, kw_only=True):
    """POST name: a registered model, with versions of it and aliases, where they are free."""

    name: str
    description: Text = ""
    tags: Labels = {}
    aliases: Annotated[dict[str, str], Meta(max_length=MAX_LABELS)] = {}
    created: Int
    modified: Int | None = None
    versions: Annotated[list[SentVersion], Meta(max_length=MAX_RUNS)] = []
    dry: bool = False


class PlacedVersion(Struct, kw_only=True):
    """Where a version is, or why it is not."""

    version: str
    new: bool = False
    refused: str | None = None


class PlacedName(Struct, kw_only=True):
    """What became of a name."""

    new: bool
    versions: list[PlacedVersion] = []
    refused: list[str] = []  # aliases that mean another version here


class Stored(Struct):
    """GET files: what a run or a logged model has, with sizes in bytes."""

    files: dict[str, int]


def other_id(original: str, since: int) -> str:
    """Return the id that something gets whose own is taken: the same at each transfer.

    Args:
        original: its own id.
        since: when it began, in milliseconds since 1970.
    """
    return blake2b(f"{original}\0{since}".encode(), digest_size=16).hexdigest()
