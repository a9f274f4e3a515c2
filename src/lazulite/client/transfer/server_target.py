"""An MLflow server as a target. It gives ids of its own, so tags say which run is which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from lazulite.client.transfer.artifacts import attempt
from lazulite.client.transfer.foreign import Api
from lazulite.client.transfer.records import (
    EXPORT_SEAL,
    EXPORTED,
    EXPORTED_CREATED,
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
from lazulite.client.transfer.server import ServerSource
from lazulite.client.transfer.server_registry import ServerRegistry, pairs
from lazulite.domain.errors import InvalidInput, LazuliteError, NotFound
from lazulite.domain.run import MAX_METRICS, MAX_PARAMS, RUN_NAME
from lazulite.formats.mlflow.stored import PROXY, path_of, scheme_of
from lazulite.formats.mlflow.transfer import Series

_PROXIED = "/api/2.0/mlflow-artifacts/artifacts"
_IN_MEMORY = 1 << 20  # bytes of a file that is sent in one piece
T = TypeVar("T")


class ServerTarget:
    """Writes by MLflow's API."""

    def __init__(self, api: Api) -> None:
        """Ask whether it is an MLflow server.

        Raises:
            InvalidInput: it is not.
            LazuliteError: it does not answer, or not to us.
        """
        self.shown = api.shown
        self._api = api
        self._source = ServerSource(api)
        self._registry = ServerRegistry(api, self._source)
        self._deleted: list[str] = []  # experiments that go to the bin at the end
        self._locations: dict[str, str] = {}  # of runs and logged models
        self._points: dict[str, int] = {}  # that were sent, by run
        self._open: dict[str, Run] = {}  # runs that had points before

    def experiment(self, one: Experiment) -> PlacedExperiment:
        """Make an experiment, unless one of its name is there."""
        try:
            query = {"experiment_name": one.name}
            reply = self._api.call("GET", "experiments/get-by-name", query=query)
        except NotFound:
            asked = {"name": one.name, "tags": pairs(one.tags)}
            key = str(self._api.call("POST", "experiments/create", asked)["experiment_id"])
            new = True
        else:
            key, new = str(reply["experiment"]["experiment_id"]), False
            if reply["experiment"].get("lifecycle_stage") == "deleted":
                if not one.deleted:
                    why = f"experiment '{one.name}' is in the bin there: restore it first"
                    return PlacedExperiment(key, new=False, refused=why)
                self._api.call("POST", "experiments/restore", {"experiment_id": key})
        if one.deleted:
            self._deleted.append(key)
        return PlacedExperiment(key, new)

    def begin(self, runs: Sequence[Run], seals: Mapping[str, str]) -> Sequence[Placed]:
        """Make runs that are not there."""
        return [self._begin(run, seals[run.id]) for run in runs]

    def points(self, series: Sequence[Series]) -> Sequence[Left]:
        """Add points; those of a logged model are points of a run that name it."""
        for one in series:
            named = {"model_id": one.model} if one.model else {}
            if one.dataset:
                named |= {"dataset_name": one.dataset, "dataset_digest": one.digest or ""}
            points = [
                {
                    "key": one.key,
                    "value": "NaN" if value is None else value,
                    "timestamp": time,
                    "step": step,
                    **named,
                }
                for step, time, value in zip(one.steps, one.times, one.values, strict=True)
            ]
            for part in _parts(points, MAX_METRICS):
                self._log(one.run, metrics=part)
            if not one.model:
                self._points[one.run] = self._points.get(one.run, 0) + len(points)
        return ()

    def begin_models(self, models: Sequence[Model]) -> Sequence[Placed]:
        """Make logged models that are not there."""
        return [self._begin_model(model) for model in models]

    def files(self, owner: Run | Model) -> Mapping[str, int]:
        """Return the files that a run or a logged model has already."""
        placed = msgspec.structs.replace(owner, location=self._locations[owner.id])
        found = self._source.files(placed)
        return {file.path: file.size for file in found if isinstance(file, File)}

    def put(self, owner: Run | Model, files: Sequence[File]) -> Sequence[str | None]:
        """Upload files."""
        location = self._locations[owner.id]
        if scheme_of(location) != PROXY:
            why = f"the server takes no files: it wants them at {location[:60]}"
            return [why] * len(files)
        return [attempt(partial(_upload, self._api, path_of(location), file)) for file in files]

    def finish(self, runs: Sequence[Run], seals: Mapping[str, str]) -> Sequence[int]:
        """Give runs their end."""
        for run in runs:
            _relate(self._api, run)
            self._log(run.id, tags=pairs({EXPORT_SEAL: seals[run.id]}))
            ended = {"run_id": run.id, "run_uuid": run.id, "status": run.status.value}
            self._api.call("POST", "runs/update", {**ended, "end_time": run.end})
            if run.deleted:
                self._api.call("POST", "runs/delete", {"run_id": run.id})
        return [self._number(run.id) for run in runs]

    def finish_model(self, model: Model) -> None:
        """Give a logged model its status."""
        asked = {"model_id": model.id, "status": model.status.value}
        self._api.call("PATCH", f"logged-models/{quote(model.id, safe='')}", asked)

    def name(self, one: Name) -> NamePlaced:
        """Make a registered model with its versions."""
        return self._registry.name(one, self._locations)

    def close(self) -> None:
        """Put experiments into the bin that were there in the source; hang up."""
        with suppress(LazuliteError):  # the server is away: the next export does it
            for experiment in self._deleted:
                self._api.call("POST", "experiments/delete", {"experiment_id": experiment})
        self._api.close()

    def _begin(self, run: Run, seal: str) -> Placed:
        if self._is_its_own(f"runs/get?run_id={quote(run.id, safe='')}", "start_time", run.start):
            return Placed(run.id, "kept")
        there = _found(self._api, run)
        if there is None:
            asked = {
                "experiment_id": run.experiment,
                "user_id": run.user,
                "start_time": run.start,
                "run_name": run.name,
                "tags": pairs({EXPORTED: run.id}),
            }
            there = self._api.call("POST", "runs/create", asked)["run"]
            new, tags = True, dict[str, str]()
        else:
            tags = {each["key"]: each["value"] for each in there["data"].get("tags", [])}
            new = False
        info = there["info"]
        self._locations[info["run_id"]] = info["artifact_uri"]
        if seal and tags.get(EXPORT_SEAL) == seal:
            return Placed(info["run_id"], "same")
        if info.get("lifecycle_stage") == "deleted":
            self._api.call("POST", "runs/restore", {"run_id": info["run_id"]})
        params = {each["key"] for each in there.get("data", {}).get("params", [])}
        lacking = {key: value for key, value in run.params.items() if key not in params}
        own = {key: value for key, value in run.tags.items() if key not in tags and key != RUN_NAME}
        for part in _parts(pairs(lacking), MAX_PARAMS):
            self._log(info["run_id"], params=part)
        for part in _parts(pairs(own), MAX_PARAMS):
            self._log(info["run_id"], tags=part)
        if new:
            return Placed(info["run_id"], "new", params=len(lacking))
        self._open[info["run_id"]] = msgspec.structs.replace(run, id=info["run_id"])
        return Placed(info["run_id"], "open", self._number(info["run_id"]), len(lacking))

    def _is_its_own(self, rest: str, field: str, since: int) -> bool:
        """Tell whether the very thing is there by its own id: it came from there."""
        try:
            reply = self._api.call("GET", rest)
        except (NotFound, InvalidInput):
            return False
        info = next(iter(reply.values()))["info"]
        self._locations[info.get("model_id") or info["run_id"]] = info["artifact_uri"]
        return int(info.get(field) or 0) == since

    def _number(self, run: str) -> int:
        """Return how many points a run has: those it was sent, unless there were some before."""
        if run not in self._open:
            return self._points.get(run, 0)
        series = self._source.points(self._open[run])
        return sum(len(one.steps) for one in series)

    def _begin_model(self, model: Model) -> Placed:
        rest = f"logged-models/{quote(model.id, safe='')}"
        if self._is_its_own(rest, "creation_timestamp_ms", model.created):
            return Placed(model.id, "kept")
        asked: dict[str, Any] = {
            "experiment_ids": [model.experiment],
            "filter": f"tags.`{EXPORTED_MODEL}` = '{model.id}'",
        }
        found = self._api.call("POST", "logged-models/search", asked).get("models", [])
        if found:
            info = found[0]["info"]
            self._locations[info["model_id"]] = info["artifact_uri"]
            pending = str(info.get("status")) in ("1", "LOGGED_MODEL_PENDING")
            return Placed(info["model_id"], "open" if pending else "same")
        said = {EXPORTED_MODEL: model.id, EXPORTED_CREATED: str(model.created)}
        asked = {
            "experiment_id": model.experiment,
            "name": model.name,
            "model_type": model.model_type,
            "source_run_id": model.source_run,
            "params": pairs(model.params),
            "tags": pairs({**model.tags, **said}),
        }
        info = self._api.call("POST", "logged-models", asked)["model"]["info"]
        self._locations[info["model_id"]] = info["artifact_uri"]
        return Placed(info["model_id"], "new")

    def _log(self, run: str, **what: Sequence[Mapping[str, Any]]) -> None:
        self._api.call("POST", "runs/log-batch", {"run_id": run, **what})


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _relate(api: Api, run: Run) -> None:
    who = {"run_id": run.id}
    datasets: list[dict[str, Any]] = [
        {
            "dataset": {**use.body, "name": use.name, "digest": use.digest},
            "tags": pairs(use.tags),
        }
        for use in run.datasets
    ]
    models = [{"model_id": model} for model in run.models_in]
    if datasets or models:
        asked = {**who, "datasets": datasets, "models": models}
        api.call("POST", "runs/log-inputs", asked)
    if run.models_out:
        made = [{"model_id": model, "step": step} for model, step in run.models_out]
        api.call("POST", "runs/outputs", {**who, "models": made})


def _found(api: Api, run: Run) -> dict[str, Any] | None:
    asked = {
        "experiment_ids": [run.experiment],
        "filter": f"tags.`{EXPORTED}` = '{run.id}'",
        "run_view_type": "ALL",
        "max_results": 1,
    }
    found: list[dict[str, Any]] = api.call("POST", "runs/search", asked).get("runs", [])
    return found[0] if found else None


def _upload(api: Api, place: str, file: File) -> None:
    with file.open() as content:
        size = content.seek(0, 2)
        content.seek(0)
        body: Any = content.read() if size <= _IN_MEMORY else content
        api.send(f"{_PROXIED}/{quote(f'{place}/{file.path}')}", body, size)
