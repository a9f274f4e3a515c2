"""A store of MLflow behind its server: MLflow's own, of any version, or a workspace of Lazulite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any, BinaryIO, TypeVar
from urllib.parse import quote

from lazulite.client.transfer.foreign import Api
from lazulite.client.transfer.records import (
    Experiment,
    File,
    Left,
    Model,
    Name,
    Run,
    Version,
)
from lazulite.domain.errors import InvalidInput, LazuliteError, NotFound, Unsupported
from lazulite.domain.job import FINAL
from lazulite.domain.model import NO_STAGE
from lazulite.domain.run import Dataset, job_status
from lazulite.formats.mlflow.stored import (
    PROXY,
    model_status_of,
    path_of,
    run_status_of,
    scheme_of,
    value_of,
)
from lazulite.formats.mlflow.transfer import Series

PAGE = 200  # runs, models or versions asked for at once
POINTS = 10_000  # of a page of history
DEPTH = 60  # folders below folders
_PROXIED = "/api/2.0/mlflow-artifacts/artifacts"
_AJAX = "/ajax-api/2.0/mlflow"
T = TypeVar("T")
_OLD = (NotFound, Unsupported)  # what a server says to a route that it has not


class ServerSource:
    """Reads by MLflow's API."""

    def __init__(self, api: Api) -> None:
        """Ask whether it is an MLflow server.

        Raises:
            InvalidInput: it is not.
            LazuliteError: it does not answer, or not to us.
        """
        self.shown = api.shown
        self._api = api
        try:
            next(self.experiments(), None)
        except LazuliteError as error:
            api.close()
            if not isinstance(error, NotFound):
                raise
            raise InvalidInput(f"what answers at {api.shown} is no MLflow server") from None

    def experiments(self) -> Iterator[Experiment]:
        """Yield the experiments, those in the bin too."""
        asked = {"max_results": PAGE, "view_type": "ALL"}
        try:
            yield from self._each(_experiment, self._pages("POST", "experiments/search", asked))
        except NotFound:  # before 1.28
            asked = {"view_type": "ALL"}
            yield from self._each(_experiment, self._pages("GET", "experiments/list", asked))

    def runs(self, experiments: Sequence[str]) -> Iterator[Run]:
        """Yield runs."""
        asked = {
            "experiment_ids": list(experiments),
            "max_results": PAGE,
            "run_view_type": "ALL",
            "order_by": ["attributes.start_time ASC"],
        }
        yield from self._each(_run, self._pages("POST", "runs/search", asked, "runs"))

    def points(self, run: Run) -> Iterator[Series]:
        """Yield the points of a run."""
        for key in run.metrics:
            asked = {"run_id": run.id, "run_uuid": run.id, "metric_key": key, "max_results": POINTS}
            yield from self._history(run.id, key, asked)

    def models(self, experiments: Sequence[str]) -> Iterator[Model]:
        """Yield the logged models."""
        for experiment in experiments:
            asked = {"experiment_ids": [experiment], "max_results": 50}
            try:
                yield from self._each(
                    _model, self._pages("POST", "logged-models/search", asked, "models")
                )
            except _OLD:  # before 3.0
                return

    def files(self, owner: Run | Model) -> Iterator[File | Left]:
        """Yield the artifacts: by the proxy if they are behind it, else those the server reads."""
        try:
            yield from self._walk(owner, "", DEPTH)
        except _OLD:
            yield Left("", "the server does not give them out")
        except InvalidInput as error:
            yield Left("", f"the server cannot read them: {error.message[:200]}")

    def names(self) -> Iterator[Name]:
        """Yield the registered models."""
        asked = {"max_results": PAGE}
        try:
            yield from self._each(self._name, self._pages("GET", "registered-models/search", asked))
        except _OLD:  # it has no registry
            return

    def close(self) -> None:
        """Hang up."""
        self._api.close()

    def _each(self, read: Callable[[Any], T], items: Iterable[Any]) -> Iterator[T]:
        for item in items:
            try:
                yield read(item)
            except (KeyError, TypeError, ValueError, AttributeError):
                raise InvalidInput(f"{self.shown} answers what no MLflow server does") from None

    def _pages(
        self, method: str, rest: str, asked: Mapping[str, object], items: str | None = None
    ) -> Iterator[Mapping[str, Any]]:
        token = None
        while True:
            page = {**asked, **({"page_token": token} if token else {})}
            if method == "GET":
                reply = self._api.call("GET", rest, query=page)
            else:
                reply = self._api.call("POST", rest, page)
            if not isinstance(reply, dict):
                raise InvalidInput(f"what answers at {self.shown} is no MLflow server")
            yield from reply.get(items or rest.split("/", maxsplit=1)[0].replace("-", "_"), [])
            token = reply.get("next_page_token")
            if not token:
                return

    def _history(self, run: str, key: str, asked: Mapping[str, object]) -> Iterator[Series]:
        token = None
        while True:
            query = {**asked, "page_token": token}
            reply = self._api.call("GET", "metrics/get-history", query=query)
            points = reply.get("metrics", [])
            if points:
                yield Series(
                    run=run,
                    key=key,
                    steps=[int(one.get("step", 0)) for one in points],
                    times=[int(one.get("timestamp", 0)) for one in points],
                    values=[value_of(one.get("value", 0)) for one in points],
                )
            token = reply.get("next_page_token")
            if not token:
                return

    def _name(self, one: Mapping[str, Any]) -> Name:
        mark = '"' if "'" in one["name"] else "'"
        asked = {"filter": f"name={mark}{one['name']}{mark}", "max_results": PAGE}
        found = self._pages("GET", "model-versions/search", asked)
        aliases = one.get("aliases", [])
        return Name(
            name=one["name"],
            created=int(one.get("creation_timestamp") or 0),
            modified=int(one.get("last_updated_timestamp") or 0) or None,
            description=one.get("description") or "",
            tags=_labels(one.get("tags", [])),
            aliases={each["alias"]: str(each["version"]) for each in aliases},
            versions=sorted(map(_version, found), key=lambda version: int(version.version)),
        )

    def _walk(self, owner: Run | Model, folder: str, depth: int) -> Iterator[File | Left]:
        for one in self._listed(owner, folder):
            name = str(one["path"]).rstrip("/").removeprefix(f"{folder}/" if folder else "")
            path = f"{folder}/{name}" if folder else name
            if not _is_name(name):
                yield Left(path, "its name is no name of a file")
            elif not one.get("is_dir"):
                size = int(one.get("file_size") or 0)
                yield File(path, size, partial(self._open, owner, path, size))
            elif depth:
                yield from self._walk(owner, path, depth - 1)
            else:
                yield Left(path, f"it is deeper than {DEPTH} folders")

    def _listed(self, owner: Run | Model, folder: str) -> Iterable[Mapping[str, Any]]:
        if scheme_of(owner.location) == PROXY:
            place = "/".join(part for part in (path_of(owner.location), folder) if part)
            reply = self._api.call("GET", _PROXIED, query={"path": place})
        elif isinstance(owner, Run):
            query = {"run_id": owner.id, "run_uuid": owner.id, "path": folder or None}
            reply = self._api.call("GET", "artifacts/list", query=query)
        else:
            rest = f"logged-models/{quote(owner.id, safe='')}/artifacts/directories"
            query = {"artifact_directory_path": folder or None}
            reply = self._api.call("GET", rest, query=query)
        found: Iterable[Mapping[str, Any]] = reply.get("files", [])
        return found

    def _open(self, owner: Run | Model, path: str, size: int) -> BinaryIO:
        if scheme_of(owner.location) == PROXY:
            place = quote(f"{path_of(owner.location)}/{path}")
            file = self._api.fetch(f"{_PROXIED}/{place}")
        elif isinstance(owner, Run):
            query = {"path": path, "run_uuid": owner.id, "run_id": owner.id}
            file = self._api.fetch("/get-artifact", query)
        else:
            rest = f"{_AJAX}/logged-models/{quote(owner.id, safe='')}/artifacts/files"
            file = self._api.fetch(rest, {"artifact_file_path": path})
        found = file.seek(0, 2)
        file.seek(0)
        if found != size:
            file.close()
            raise LazuliteError(f"{path} was to have {size} bytes, and {found} came")
        return file


def _experiment(one: Mapping[str, Any]) -> Experiment:
    return Experiment(
        id=str(one["experiment_id"]),
        name=one["name"],
        tags=_labels(one.get("tags", [])),
        deleted=one.get("lifecycle_stage") == "deleted",
        created=int(one.get("creation_time") or 0) or None,
        modified=int(one.get("last_update_time") or 0) or None,
    )


def _run(one: Mapping[str, Any]) -> Run:
    info, data = one["info"], one.get("data", {})
    status = run_status_of(info.get("status"))
    inputs, outputs = one.get("inputs", {}), one.get("outputs", {})
    points = data.get("metrics", [])
    tags = _labels(data.get("tags", []))
    return Run(
        id=info.get("run_id") or info["run_uuid"],
        experiment=str(info["experiment_id"]),
        name=info.get("run_name") or tags.get("mlflow.runName") or "",
        status=status,
        start=int(info.get("start_time") or 0),
        end=int(info["end_time"]) if info.get("end_time") else None,
        user=info.get("user_id") or "",
        deleted=info.get("lifecycle_stage") == "deleted",
        params=_labels(data.get("params", [])),
        tags=tags,
        datasets=[_dataset(use) for use in inputs.get("dataset_inputs", [])],
        models_in=[use["model_id"] for use in inputs.get("model_inputs", [])],
        models_out=[
            (use["model_id"], int(use.get("step", 0))) for use in outputs.get("model_outputs", [])
        ],
        location=info.get("artifact_uri") or "",
        metrics=[point["key"] for point in points],
        mark=_mark(points) if job_status(status) in FINAL else None,
    )


def _mark(points: Iterable[Mapping[str, Any]]) -> str:
    """Return a digest of the last points: that of a run that ended does not change any more."""
    lines = sorted(repr(sorted(point.items())) for point in points)
    return blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


def _dataset(use: Mapping[str, Any]) -> Dataset:
    dataset = use["dataset"]
    body = {key: dataset.get(key) for key in ("source_type", "source", "schema", "profile")}
    return Dataset(
        name=dataset["name"],
        digest=dataset["digest"],
        body={key: text for key, text in body.items() if text},
        tags=_labels(use.get("tags", [])),
    )


def _model(one: Mapping[str, Any]) -> Model:
    info, data = one["info"], one.get("data", {})
    created = int(info["creation_timestamp_ms"])
    return Model(
        id=info["model_id"],
        experiment=str(info["experiment_id"]),
        name=info.get("name") or "",
        created=created,
        modified=int(info.get("last_updated_timestamp_ms") or created),
        status=model_status_of(info.get("status")),
        model_type=info.get("model_type") or None,
        source_run=info.get("source_run_id") or None,
        params=_labels(data.get("params", [])),
        tags=_labels(info.get("tags", [])),
        points=[_model_point(info["model_id"], point) for point in data.get("metrics", [])],
        location=info.get("artifact_uri") or "",
    )


def _model_point(model: str, point: Mapping[str, Any]) -> Series:
    return Series(
        run=point.get("run_id") or "",
        key=point["key"],
        steps=[int(point.get("step", 0))],
        times=[int(point.get("timestamp", 0))],
        values=[value_of(point.get("value", 0))],
        model=model,
        dataset=point.get("dataset_name") or None,
        digest=point.get("dataset_digest") or None,
    )


def _version(one: Mapping[str, Any]) -> Version:
    return Version(
        version=str(one["version"]),
        source=one.get("source") or "",
        created=int(one.get("creation_timestamp") or 0),
        modified=int(one.get("last_updated_timestamp") or 0) or None,
        run=one.get("run_id") or None,
        model=one.get("model_id") or None,
        link=one.get("run_link") or None,
        user=one.get("user_id") or None,
        description=one.get("description") or "",
        stage=one.get("current_stage") or NO_STAGE,
        tags=_labels(one.get("tags", [])),
    )


def _labels(pairs: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    return {str(pair["key"]): str(pair.get("value", "")) for pair in pairs}


def _is_name(name: str) -> bool:
    return name not in ("", ".", "..") and not any(c in name for c in "/\\\0")
