"""An `mlruns` folder as a target, as MLflow's own FileStore writes it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence, Set
from functools import partial
from hashlib import md5
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from lazulite.client.transfer.artifacts import attempt
from lazulite.client.transfer.folder import META, REGISTRY, TRASH, files_of, read_meta
from lazulite.client.transfer.records import (
    EXPORTED,
    EXPORTED_MODEL,
    Experiment,
    File,
    Left,
    Model,
    Name,
    NamePlaced,
    Placed,
    PlacedExperiment,
    Run,
)
from lazulite.client.transfer.staging import Staging, dump, file_of, place_name
from lazulite.domain.errors import InvalidInput
from lazulite.domain.job import FINAL
from lazulite.domain.model import ModelStatus
from lazulite.domain.run import (
    DEFAULT_EXPERIMENT,
    DEFAULT_EXPERIMENT_ID,
    RUN_NAME,
    RunStatus,
    job_status,
)
from lazulite.formats.mlflow.stored import MODEL_STATUSES, RUN_STATUSES, owner_of, run_status_of
from lazulite.formats.mlflow.transfer import Series, State, other_id

SEAL = ".lazulite"  # file of a run that is whole
_LOCAL = 4  # MLflow's number for a source of type LOCAL
_RUN_ID = re.compile(r"[a-zA-Z0-9][\w\-]{0,255}", re.ASCII)  # what MLflow takes
_NUMBER = {status: number for number, status in RUN_STATUSES.items()}
_MODEL_NUMBER = {status: number for number, status in MODEL_STATUSES.items()}


class FolderTarget:
    """Writes files; every record and artifact appears whole, by a rename."""

    def __init__(self, root: Path) -> None:
        """Look at what is there.

        Raises:
            InvalidInput: there is something else.
        """
        self.shown = str(root)
        self._root = root.resolve()
        self._experiments: dict[str, Path] = {}  # by name
        self._homes: dict[str, Path] = {}  # of runs and models
        self._points: dict[str, int] = {}
        self._lines: dict[Path, set[str]] = {}  # of the metrics of a run that was there
        for place in (self._root, self._root / TRASH):
            for found in place.iterdir() if place.is_dir() else ():
                if (found / META).is_file() and found.name != REGISTRY:
                    self._experiments[str(read_meta(found).get("name"))] = found
        if self._root.is_dir() and not self._experiments and any(self._root.iterdir()):
            raise InvalidInput(f"{root} is a folder of something else: name a new one")
        self._disk = Staging(self._root)

    def experiment(self, one: Experiment) -> PlacedExperiment:
        """Make an experiment, unless one of its name is there."""
        there = self._experiments.get(one.name)
        if there is not None:
            return PlacedExperiment(there.name, new=False)
        wanted = DEFAULT_EXPERIMENT_ID if one.name == DEFAULT_EXPERIMENT else one.id
        fits = wanted.isdigit() and not self._taken(wanted)
        key = wanted if fits else str(uuid4().int)[:18]
        place = self._root / TRASH / key if one.deleted else self._root / key
        record = {
            "artifact_location": (self._root / key).as_uri(),
            "creation_time": one.created,
            "experiment_id": key,
            "last_update_time": one.modified,
            "lifecycle_stage": "deleted" if one.deleted else "active",
            "name": one.name,
        }
        (self._root / TRASH).mkdir(parents=True, exist_ok=True)  # no sooner: nothing may be wanted
        self._disk.appear(place, record, {"tags": one.tags})
        self._experiments[one.name] = place
        return PlacedExperiment(key, new=True)

    def begin(self, runs: Sequence[Run], seals: Mapping[str, str]) -> Sequence[Placed]:
        """Make runs that are not there."""
        return [self._begin(run, seals[run.id]) for run in runs]

    def points(self, series: Sequence[Series]) -> Sequence[Left]:
        """Add points at the end of their files; those that are there stay."""
        left = []
        for one in series:
            owner = one.model or one.run
            path = self._homes[owner] / "metrics" / one.key
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                count = _append(path, one, self._lines.get(path, frozenset()))
            except (FileExistsError, NotADirectoryError, IsADirectoryError):
                why = "another metric's name is the folder that its file would be in, or is in"
                left.append(Left(f"{one.key!r} of {owner}", why))
                continue
            if one.model is None:
                self._points[one.run] = self._points.get(one.run, 0) + count
        return left

    def begin_models(self, models: Sequence[Model]) -> Sequence[Placed]:
        """Make logged models that are not there."""
        return [self._begin_model(model) for model in models]

    def files(self, owner: Run | Model) -> Mapping[str, int]:
        """Return the files that a run or a logged model has already."""
        folder = self._homes[owner.id] / "artifacts"
        return {path: place.stat().st_size for path, place in files_of(folder)}

    def put(self, owner: Run | Model, files: Sequence[File]) -> Sequence[str | None]:
        """Copy files; each is there whole, or not at all."""
        home = self._homes[owner.id] / "artifacts"
        return [attempt(partial(self._copy, home, file)) for file in files]

    def finish(self, runs: Sequence[Run], seals: Mapping[str, str]) -> Sequence[int]:
        """Give runs their end."""
        for run in runs:
            home = self._homes[run.id]
            _inputs(self._disk, run, home)
            for model, step in run.models_out:
                use = _use("RUN_OUTPUT", model, ("MODEL_OUTPUT", run.id), {}) | {"step": step}
                self._disk.appear(home / "outputs" / model, use, {})
            old = read_meta(home)
            if job_status(run_status_of(old.get("status"))) not in FINAL:
                self._disk.write(home / META, dump(_run_record(run, home, whole=True, old=old)))
            self._disk.write(home / SEAL, seals[run.id])
        return [self._points.get(run.id, 0) for run in runs]

    def finish_model(self, model: Model) -> None:
        """Give a logged model its status."""
        home = self._homes[model.id]
        record = read_meta(home) | {
            "status": _MODEL_NUMBER[model.status],
            "last_updated_timestamp": model.modified,
        }
        self._disk.write(home / META, dump(record))

    def name(self, one: Name) -> NamePlaced:
        """Make a registered model with its versions, where name and numbers are free."""
        return place_name(self._root / REGISTRY / one.name, one, self._disk, self._location)

    def close(self) -> None:
        """Remove what was never finished."""
        self._disk.close()

    def _taken(self, key: str) -> bool:
        return (self._root / key).exists() or (self._root / TRASH / key).exists()

    def _begin(self, run: Run, seal: str) -> Placed:
        home = self._experiment(run.experiment)
        other = other_id(run.id, run.start)
        names = [run.id, other] if _RUN_ID.fullmatch(run.id) else [other]
        state, key = _find([home / name for name in names], "start_time", run.start)
        place = home / key
        tags = {**run.tags, RUN_NAME: run.name}
        ours = msgspec.structs.replace(run, id=key)
        if key != run.id:
            tags[EXPORTED] = run.id
        self._homes[key] = place
        if state == "new":
            record = _run_record(ours, place, whole=False, old={})
            try:
                self._disk.appear(place, record, {"params": run.params, "tags": tags}, _RUN_FOLDERS)
            except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
                why = f"a name of a param or tag is a folder of another: {error.filename}"
                return Placed("", "kept", refused=why)
            self._points[key] = 0
            return Placed(key, "new", params=len(run.params))
        if seal and (place / SEAL).is_file() and (place / SEAL).read_text() == seal:
            return Placed(key, "same")
        before = sum(self._known(path) for _, path in files_of(place / "metrics"))
        self._points[key] = before
        lacking = {
            k: v for k, v in run.params.items() if not (place / "params" / file_of(k)).exists()
        }
        for kind, texts in (("params", lacking), ("tags", tags)):
            for name, text in texts.items():
                path = place / kind / file_of(name)
                if not path.exists():
                    self._disk.write(path, text)
        return Placed(key, "open", before, len(lacking))

    def _begin_model(self, model: Model) -> Placed:
        home = self._experiment(model.experiment) / "models"
        other = f"m-{other_id(model.id, model.created)}"
        names = [model.id, other]
        state, key = _find([home / name for name in names], "creation_timestamp", model.created)
        place = self._homes[key] = home / key
        if state == "new":
            tags = model.tags if key == model.id else {**model.tags, EXPORTED_MODEL: model.id}
            record = {
                "artifact_location": (place / "artifacts").as_uri(),
                "creation_timestamp": model.created,
                "experiment_id": model.experiment,
                "last_updated_timestamp": model.modified,
                "model_id": key,
                "model_type": model.model_type,
                "name": model.name,
                "source_run_id": model.source_run,
                "status": _MODEL_NUMBER[ModelStatus.PENDING],
                "status_message": None,
            }
            self._disk.appear(place, record, {"params": model.params, "tags": tags}, _RUN_FOLDERS)
        elif read_meta(place).get("status") != _MODEL_NUMBER[ModelStatus.PENDING]:
            state = "same"
        else:
            for _, path in files_of(place / "metrics"):
                self._known(path)
        return Placed(key, state)

    def _known(self, path: Path) -> int:
        """Take in the lines of a file of points; one without an end was never written whole."""
        text = path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        if len(whole) < len(text):
            os.truncate(path, len(whole))
        lines = set(whole.decode().splitlines(keepends=True))
        self._lines[path] = lines
        return len(lines)

    def _copy(self, home: Path, file: File) -> None:
        with file.open() as content:
            self._disk.copy(content, home / file.path)

    def _experiment(self, key: str) -> Path:
        return next(home for home in self._experiments.values() if home.name == key)

    def _location(self, source: str) -> str:
        owner = owner_of(source)
        if owner is None or owner.id not in self._homes:
            return source
        return (self._homes[owner.id] / "artifacts" / owner.path).as_uri()


_RUN_FOLDERS = ("metrics", "params", "tags", "artifacts")


def _find(places: Sequence[Path], field: str, since: int) -> tuple[State, str]:
    """Return whether something that began then is at one of the places, and its name."""
    free = []
    for place in places:
        if not (place / META).is_file():
            free.append(place.name)
        elif read_meta(place).get(field) == since:
            return "open", place.name
    if not free:
        raise InvalidInput(f"{places[0]}: its name, and the one that stands for it, are taken")
    return "new", free[0]


def _run_record(
    run: Run, home: Path, *, whole: bool, old: Mapping[str, object]
) -> dict[str, object]:
    status = run.status if whole else RunStatus.RUNNING
    return {
        "artifact_uri": old.get("artifact_uri") or (home / "artifacts").as_uri(),
        "end_time": run.end if whole else None,
        "entry_point_name": "",
        "experiment_id": old.get("experiment_id") or run.experiment,
        "lifecycle_stage": "deleted" if whole and run.deleted else "active",
        "run_id": run.id,
        "run_name": run.name,
        "source_name": "",
        "source_type": _LOCAL,
        "source_version": "",
        "start_time": run.start,
        "status": _NUMBER[status],
        "tags": [],
        "user_id": run.user,
    }


def _use(kind: str, source: str, to: tuple[str, str], tags: Mapping[str, str]) -> dict[str, Any]:
    return {
        "destination_id": to[1],
        "destination_type": to[0],
        "source_id": source,
        "source_type": kind,
        "tags": dict(tags),
    }


def _input_id(source: str, run: str) -> str:
    return md5(f"{source}{run}".encode(), usedforsecurity=False).hexdigest()


def _line(one: Series, time: int, value: float | None, step: int) -> str:
    words: list[object] = [time, "nan" if value is None else value, step]
    if one.model is not None:
        words.append(one.run)
        if one.dataset:
            words += [one.dataset, one.digest or ""]
    return " ".join(map(str, words)) + "\n"


def _inputs(disk: Staging, run: Run, home: Path) -> None:
    for dataset in run.datasets:
        key = md5(f"{dataset.name}{dataset.digest}".encode(), usedforsecurity=False).hexdigest()
        record = {"name": dataset.name, "digest": dataset.digest, **dataset.body}
        disk.appear(home.parent / "datasets" / key, record, {})
        use = _use("DATASET", key, ("RUN", run.id), dataset.tags)
        disk.appear(home / "inputs" / _input_id(key, run.id), use, {})
    for model in run.models_in:
        use = _use("MODEL", model, ("RUN", run.id), {})
        disk.appear(home / "inputs" / _input_id(model, run.id), use, {})


def _append(path: Path, one: Series, known: Set[str]) -> int:
    lines = [
        _line(one, time, value, step)
        for step, time, value in zip(one.steps, one.times, one.values, strict=True)
    ]
    new = [line for line in dict.fromkeys(lines) if line not in known]
    with path.open("a") as file:
        file.write("".join(new))
    return len(new)
