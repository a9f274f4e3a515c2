"""Moves what a source has to a target: only what is new, and nothing half-made that looks whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeVar

import msgspec

from lazulite.client.transfer.artifacts import move_files
from lazulite.client.transfer.names import allowed, move_names
from lazulite.client.transfer.records import (
    BATCH,
    CHUNK,
    Experiment,
    Model,
    Placed,
    Run,
    Source,
    Target,
)
from lazulite.client.transfer.report import Report
from lazulite.domain.errors import InvalidInput, NotFound
from lazulite.domain.run import PARENT, check_key
from lazulite.formats.mlflow.transfer import Series

Tell = Callable[[Report], None]
T = TypeVar("T", Run, Model)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be moved."""

    experiments: tuple[str, ...] = ()  # names; none = every one
    runs: frozenset[str] = frozenset()  # ids; none = every one
    artifacts: bool = True
    dry: bool = False

    @property
    def is_part(self) -> bool:
        """Whether some are left out on purpose."""
        return bool(self.experiments or self.runs)


class Waiting:
    """Points that are sent together."""

    def __init__(self, target: Target, report: Report) -> None:
        """Hold nothing yet."""
        self._target = target
        self._report = report
        self._series: list[Series] = []
        self._count = 0

    def add(self, series: Series) -> None:
        """Take points; send what waits if that is enough."""
        self._series.append(series)
        self._count += len(series.steps)
        if self._count >= CHUNK:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        if self._series:
            for left in self._target.points(self._series):
                self._report.skip("points", left.path, left.reason)
            self._series, self._count = [], 0


class Move:
    """One transfer: experiments, runs, logged models, then names of the registry.

    Runs are begun first, all of them, so that everything that names one can say its new id; each
    gets its end when all that belongs to it is there.
    """

    def __init__(self, source: Source, target: Target, wanted: Wanted, tell: Tell) -> None:
        """Prepare; `tell` is called now and then with the counts so far."""
        self.report = Report()
        self.runs: dict[str, Placed] = {}
        self.models: dict[str, Placed] = {}
        self._source = source
        self._target = target
        self._wanted = wanted
        self._tell = tell
        self._experiments: dict[str, str] = {}
        self._points = Waiting(target, self.report)

    def carry_out(self) -> Report:
        """Move everything that is wanted.

        Raises:
            NotFound: a wanted experiment or run is not in the source.
            LazuliteError: the source cannot be read any more, or the target not be written.
        """
        self._place_experiments()
        self._begin_runs()
        for models in _batches(self._source.models(list(self._experiments)), BATCH):
            self._move_models([one for one in models if self._belongs(one)])
        for runs in _batches(self._some_runs(), BATCH):
            self._move_runs(runs)
        part = self._wanted.is_part
        move_names(self._source, self._target, (self.runs, self.models), self.report, part=part)
        return self.report

    def _place_experiments(self) -> None:
        names = set(self._wanted.experiments)
        found: list[Experiment] = list(self._source.experiments())
        if lost := names - {one.name for one in found}:
            raise NotFound(f"{self._source.shown} has no experiment '{min(lost)}'")
        used = self._used(found) if self._wanted.runs else {one.id for one in found}
        for one in found:
            if one.id not in used or (names and one.name not in names):
                continue
            tags = allowed("tags", one.name, one.tags, self.report)
            placed = self._target.experiment(msgspec.structs.replace(one, tags=tags))
            if placed.refused is not None:
                self.report.skip("experiments", one.name, placed.refused)
                continue
            self.report.add("experiments", new=placed.new, there=not placed.new)
            self._experiments[one.id] = placed.id

    def _used(self, found: Sequence[Experiment]) -> set[str]:
        every = list(self._source.runs([one.id for one in found]))
        if lost := self._wanted.runs - {run.id for run in every}:
            raise NotFound(f"{self._source.shown} has no run '{min(lost)}'")
        return {run.experiment for run in every if run.id in self._wanted.runs}

    def _some_runs(self) -> Iterator[Run]:
        for run in self._source.runs(list(self._experiments)):
            if not self._wanted.runs or run.id in self._wanted.runs:
                yield run

    def _begin_runs(self) -> None:
        for runs in _batches(self._some_runs(), BATCH):
            ordered = _parents_first(runs)
            while ordered:  # a parent in this batch has an id only after it was begun
                ready = self._ready(ordered)
                ordered = ordered[len(ready) :]
                self._begin([self._sendable(run) for run in ready])

    def _ready(self, ordered: Sequence[Run]) -> Sequence[Run]:
        begun: set[str] = set()
        for place, run in enumerate(ordered):
            if run.tags.get(PARENT) in begun:
                return ordered[:place]
            begun.add(run.id)
        return ordered

    def _begin(self, runs: Sequence[Run]) -> None:
        seals = {run.id: seal_of(run) for run in runs}
        for run, placed in zip(runs, self._target.begin(runs, seals), strict=True):
            if placed.refused is not None:
                self.report.skip("runs", run.id, placed.refused)
                continue
            self.runs[run.id] = placed
            new = placed.state == "new"
            self.report.add("runs", new=new, there=not new)
            there = len(run.params) - placed.params
            self.report.add("params", new=placed.params, there=there)
        self._tell(self.report)

    def _sendable(self, run: Run) -> Run:
        """Return a run as the target can take it."""
        tags = allowed("tags", run.id, run.tags, self.report)
        parent = self.runs.get(tags.get(PARENT, ""))
        if parent is not None:
            tags[PARENT] = parent.id
        params = allowed("params", run.id, run.params, self.report)
        experiment = self._experiments[run.experiment]
        return msgspec.structs.replace(run, tags=tags, params=params, experiment=experiment)

    def _belongs(self, model: Model) -> bool:
        return not self._wanted.runs or model.source_run in self._wanted.runs

    def _move_models(self, models: Sequence[Model]) -> None:
        sent = [self._sendable_model(model) for model in models]
        placed = self._target.begin_models(sent) if sent else []
        for model, there in zip(sent, placed, strict=True):
            if there.refused is not None:
                self.report.skip("logged models", model.id, there.refused)
                continue
            self.models[model.id] = there
            new = there.state == "new"
            self.report.add("logged models", new=new, there=not new)
            self._move_files(model, there)
            if self._wanted.dry or there.state in ("same", "kept"):
                continue
            ours = msgspec.structs.replace(model, id=there.id)
            for series in model.points:
                if series.run in self.runs:
                    self._points.add(self._mapped(series, ours.id))
            self._points.flush()
            self._target.finish_model(ours)

    def _sendable_model(self, model: Model) -> Model:
        return msgspec.structs.replace(
            model,
            experiment=self._experiments[model.experiment],
            source_run=self._run_id(model.source_run),
            params=allowed("params", model.id, model.params, self.report),
            tags=allowed("tags", model.id, model.tags, self.report),
        )

    def _run_id(self, run: str | None) -> str | None:
        return self.runs[run].id if run in self.runs else run

    def _move_runs(self, runs: Iterable[Run]) -> None:
        ended: list[Run] = []
        before: list[int] = []
        seals: dict[str, str] = {}
        for run in runs:
            placed = self.runs.get(run.id)
            if placed is None:  # it was refused, or began after we did
                continue
            if placed.state in ("new", "open"):
                self._move_points(run, placed)
            self._move_files(run, placed)
            if placed.state in ("new", "open"):
                ours = self._ended(run, placed)
                ended.append(ours)
                before.append(placed.points)
                seals[ours.id] = seal_of(run)
        if ended and not self._wanted.dry:
            self._points.flush()
            counts = self._target.finish(ended, seals)
            new = sum(counts) - sum(before)
            self.report.add("points", new=new, there=sum(before))
        self._tell(self.report)

    def _move_points(self, run: Run, placed: Placed) -> None:
        for series in self._source.points(run):
            try:
                check_key(series.key, "key")
            except InvalidInput as error:
                name = f"{series.key[:60]!r} of {run.id}"
                self.report.skip("points", name, error.message, len(series.steps))
                continue
            if self._wanted.dry:
                self.report.add("points", new=len(series.steps))
            else:
                self._points.add(msgspec.structs.replace(series, run=placed.id))
                self.report.progress += len(series.steps)
                self._tell(self.report)

    def _ended(self, run: Run, placed: Placed) -> Run:
        gone = [use for use in run.models_in if use not in self.models]
        gone += [use for use, _ in run.models_out if use not in self.models]
        for use in gone:
            self.report.skip("logged models", use, "a run names it, and the source has it not")
        return msgspec.structs.replace(
            run,
            id=placed.id,
            models_in=[self.models[use].id for use in run.models_in if use in self.models],
            models_out=[
                (self.models[use].id, step) for use, step in run.models_out if use in self.models
            ],
        )

    def _mapped(self, series: Series, model: str) -> Series:
        run = self.runs[series.run].id
        return msgspec.structs.replace(series, run=run, model=model)

    def _move_files(self, owner: Run | Model, placed: Placed) -> None:
        if self._wanted.artifacts:
            move_files(
                self._source, self._target, (owner, placed), self.report, dry=self._wanted.dry
            )
            self._tell(self.report)


def seal_of(run: Run) -> str:
    """Return a digest of all that a run is; empty if it cannot be told whether points came."""
    if run.mark is None:
        return ""
    told = (
        *(run.status.value, run.end, run.deleted, run.mark, run.models_in, run.models_out),
        *([msgspec.to_builtins(use) for use in run.datasets],),
        *(sorted(run.params), sorted(run.tags.items())),
    )
    return blake2b(msgspec.msgpack.encode(told), digest_size=16).hexdigest()


def _parents_first(runs: Sequence[Run]) -> Sequence[Run]:
    """Return runs of one batch so that each comes after its parent, where that is one of them."""
    there = {run.id: run for run in runs}
    ordered: dict[str, Run] = {}
    for run in runs:
        line: list[Run] = []
        one: Run | None = run
        while one is not None and one.id not in ordered and one not in line:
            line.append(one)
            one = there.get(one.tags.get(PARENT, ""))
        ordered |= {each.id: each for each in reversed(line)}
    return list(ordered.values())


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
