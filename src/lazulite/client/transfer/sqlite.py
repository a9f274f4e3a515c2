"""A store of MLflow in a SQLite file, of any version: what it has not, is not read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from msgspec import Struct, ValidationError, convert, to_builtins

from lazulite.client.transfer.folders import Folders
from lazulite.client.transfer.records import (
    CHUNK,
    Experiment,
    File,
    Left,
    Model,
    Name,
    Run,
    Version,
)
from lazulite.client.transfer.sqlite_file import SqliteFile
from lazulite.domain.errors import InvalidInput
from lazulite.domain.model import NO_STAGE
from lazulite.domain.run import RUN_NAME, Dataset
from lazulite.formats.mlflow.stored import GONE, model_status_of, run_status_of, value_of
from lazulite.formats.mlflow.transfer import Series

_HOME = "default"  # the workspace of a store that has several
_LOOKED_UP = (  # table and column: an index of the copy, where MLflow has none
    *(("metrics", "run_uuid"), ("params", "run_uuid"), ("tags", "run_uuid")),
    *(("inputs", "destination_id"), ("inputs", "source_id"), ("input_tags", "input_uuid")),
    *(("logged_model_params", "model_id"), ("logged_model_tags", "model_id")),
    ("logged_model_metrics", "model_id"),
)


P = ParamSpec("P")
R = TypeVar("R")
_Reads = Callable[Concatenate["SqliteSource", P], Iterator[R]]


def _told(reads: _Reads[P, R]) -> _Reads[P, R]:
    """Let a record that no MLflow wrote be told as such: SQLite keeps any type in any column."""

    def read(self: SqliteSource, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
        try:
            for record in reads(self, *args, **kwargs):
                if isinstance(record, Struct) and not isinstance(record, Series):
                    plain = to_builtins(record, builtin_types=(bytes,))
                    convert(plain, type(record))  # raises, where a field is of another type
                yield record
        except (TypeError, ValueError, AttributeError, ValidationError) as error:
            name = reads.__name__
            raise InvalidInput(
                f"{self.shown} has {name} that MLflow does not write: {str(error)[:200]}"
            ) from None

    return read


class SqliteSource:
    """Reads a copy of the file."""

    def __init__(self, path: Path, artifacts: Path | None = None) -> None:
        """Copy the file.

        Args:
            path: the file.
            artifacts: what `mlflow-artifacts:` means; None = `mlartifacts` beside the file.

        Raises:
            InvalidInput: it cannot be read, or is not a store of MLflow.
        """
        self.shown = f"sqlite:///{path}"
        self._folders = Folders(path.resolve().parent, artifacts)
        self._file = SqliteFile(path)
        lacking = [table for table in ("experiments", "runs") if not self._file.has(table)]
        if lacking:
            self.close()
            raise InvalidInput(f"{path} is no store of MLflow: it has no table '{lacking[0]}'")
        try:
            for table, column in _LOOKED_UP:
                self._file.index(table, column)
        except InvalidInput:
            self.close()
            raise

    @_told
    def experiments(self) -> Iterator[Experiment]:
        """Yield the experiments."""
        columns = ("experiment_id", "name", "lifecycle_stage", "creation_time")
        for row in self._file.rows("experiments", *columns, "last_update_time", "workspace"):
            key, name, stage, created, modified, workspace = row
            tags = self._file.rows("experiment_tags", "key", "value", experiment_id=key)
            yield Experiment(
                id=str(key),
                name=_within(workspace, str(name), "/"),
                tags=_labels(tags),
                deleted=stage == "deleted",
                created=created,
                modified=modified,
            )

    @_told
    def runs(self, experiments: Sequence[str]) -> Iterator[Run]:
        """Yield runs."""
        wanted = set(experiments)
        columns = ("run_uuid", "experiment_id", "name", "status", "start_time", "end_time")
        rest = ("user_id", "lifecycle_stage", "artifact_uri")
        for row in self._file.rows("runs", *columns, *rest, order="start_time, run_uuid"):
            if str(row[1]) in wanted:
                yield self._run(row)

    @_told
    def points(self, run: Run) -> Iterator[Series]:
        """Yield the points of a run."""
        columns = ("key", "step", "timestamp", "value", "is_nan")
        found = self._file.rows("metrics", *columns, order="key", run_uuid=run.id)
        while part := list(islice(found, CHUNK)):
            for key, rows in groupby(part, key=lambda row: row[0]):
                yield _series(run.id, key, rows)

    @_told
    def models(self, experiments: Sequence[str]) -> Iterator[Model]:
        """Yield the logged models that were not deleted."""
        wanted = set(experiments)
        columns = ("model_id", "experiment_id", "name", "creation_timestamp_ms", "status")
        more = ("last_updated_timestamp_ms", "model_type", "source_run_id", "artifact_location")
        order = "creation_timestamp_ms, model_id"
        rows = self._file.rows("logged_models", *columns, *more, "lifecycle_stage", order=order)
        for row in rows:
            if str(row[1]) in wanted and row[9] != "deleted":
                yield self._model(row)

    @_told
    def files(self, owner: Run | Model) -> Iterator[File | Left]:
        """Yield the artifacts of a run or a logged model."""
        yield from self._folders.files(owner.location, owner.id)

    @_told
    def names(self) -> Iterator[Name]:
        """Yield the registered models."""
        columns = ("name", "creation_time", "last_updated_time", "description", "workspace")
        for name, created, modified, description, workspace in self._file.rows(
            "registered_models", *columns, order="name"
        ):
            one = {"name": name}
            if workspace is not None:
                one["workspace"] = workspace
            aliases = self._file.rows("registered_model_aliases", "alias", "version", **one)
            yield Name(
                name=_within(workspace, str(name), "."),
                created=created or 0,
                modified=modified,
                description=description or "",
                tags=_labels(self._file.rows("registered_model_tags", "key", "value", **one)),
                aliases=_labels(aliases),
                versions=[self._version(row, one) for row in self._version_rows(one)],
            )

    def close(self) -> None:
        """Delete the copy."""
        self._file.close()

    def _run(self, row: Sequence[Any]) -> Run:
        run, experiment, name, status, start, end, user, stage, location = row
        tags = _labels(self._file.rows("tags", "key", "value", run_uuid=run))
        use = {"source_id": run}
        ins = self._file.rows("inputs", "destination_id", source_type="RUN_INPUT", **use)
        outs = self._file.rows("inputs", "destination_id", "step", source_type="RUN_OUTPUT", **use)
        return Run(
            id=run,
            experiment=str(experiment),
            name=name or tags.get(RUN_NAME) or "",
            status=run_status_of(status),
            start=start or 0,
            end=end,
            user=user or "",
            deleted=stage == "deleted",
            params=_labels(self._file.rows("params", "key", "value", run_uuid=run)),
            tags=tags,
            datasets=list(self._datasets(run)),
            models_in=[model for (model,) in ins],
            models_out=[(model, step or 0) for model, step in outs],
            location=location or "",
            mark=str(self._file.count("metrics", run_uuid=run)),
        )

    def _datasets(self, run: str) -> Iterator[Dataset]:
        of = {"source_type": "DATASET", "destination_type": "RUN", "destination_id": run}
        columns = ("name", "digest", "dataset_source_type", "dataset_source")
        for use, dataset in self._file.rows("inputs", "input_uuid", "source_id", **of):
            more = ("dataset_schema", "dataset_profile")
            for row in self._file.rows("datasets", *columns, *more, dataset_uuid=dataset):
                names = ("source_type", "source", "schema", "profile")
                body = {key: text for key, text in zip(names, row[2:], strict=True) if text}
                tags = _labels(self._file.rows("input_tags", "name", "value", input_uuid=use))
                yield Dataset(name=row[0], digest=row[1], body=body, tags=tags)

    def _model(self, row: Sequence[Any]) -> Model:
        model, experiment, name, created, status, modified, kind, run, location = row[:9]
        params = self._file.rows("logged_model_params", "param_key", "param_value", model_id=model)
        tags = self._file.rows("logged_model_tags", "tag_key", "tag_value", model_id=model)
        return Model(
            id=model,
            experiment=str(experiment),
            name=name,
            created=created,
            modified=modified or created,
            status=model_status_of(status),
            model_type=kind or None,
            source_run=run or None,
            params=_labels(params),
            tags=_labels(tags),
            points=list(self._model_points(model)),
            location=location or "",
        )

    def _model_points(self, model: str) -> Iterator[Series]:
        columns = ("run_id", "metric_name", "metric_step", "metric_timestamp_ms", "metric_value")
        more = ("dataset_name", "dataset_digest")
        for row in self._file.rows("logged_model_metrics", *columns, *more, model_id=model):
            run, key, step, time, value, dataset, digest = row
            yield Series(
                run=run,
                key=key,
                steps=[step or 0],
                times=[time],
                values=[None if value is None else value_of(value)],
                model=model,
                dataset=dataset,
                digest=digest,
            )

    def _version_rows(self, one: dict[str, Any]) -> Iterator[Sequence[Any]]:
        columns = ("version", "source", "creation_time", "last_updated_time", "run_id", "run_link")
        more = ("user_id", "description", "current_stage", "storage_location")
        rows = self._file.rows("model_versions", *columns, *more, order="version", **one)
        return (row for row in rows if row[8] != GONE)

    def _version(self, row: Sequence[Any], one: dict[str, Any]) -> Version:
        version, source, created, modified, run, link, user, description, stage, place = row
        tags = self._file.rows("model_version_tags", "key", "value", **one, version=version)
        return Version(
            version=str(version),
            source=source or "",
            created=created or 0,
            modified=modified,
            run=run or None,
            link=link or None,
            user=user or None,
            description=description or "",
            stage=stage or NO_STAGE,
            tags=_labels(tags),
            location=place or "",
        )


def _within(workspace: str | None, name: str, between: str) -> str:
    return name if workspace in (None, _HOME) else f"{workspace}{between}{name}"


def _labels(rows: Iterable[Sequence[Any]]) -> dict[str, str]:
    return {str(key): "" if value is None else str(value) for key, value in rows}


def _series(run: str, key: str, rows: Iterable[Sequence[Any]]) -> Series:
    steps, times, values = [], [], []
    for _, step, time, value, is_nan in rows:
        steps.append(step or 0)
        times.append(time)
        values.append(None if is_nan or value is None else value_of(value))
    return Series(run=run, key=key, steps=steps, times=times, values=values)
