"""Everything that a store has, as plain values that can be compared."""

from __future__ import annotations

from typing import Any

from lazulite.client.transfer.records import File, Model, Run, Source
from lazulite.domain.run import DEFAULT_EXPERIMENT, ROOT, RUN_NAME, USER, clean_value
from lazulite.formats.mlflow.stored import owner_of
from lazulite.formats.mlflow.transfer import Series

OURS = (ROOT, RUN_NAME, USER)  # tags that say again what a run is


def content(source: Source) -> dict[str, Any]:
    """Return all of it; times, labels, points and the bytes of files too."""
    experiments = list(source.experiments())
    names = {one.id: one.name for one in experiments}
    runs = list(source.runs(list(names)))
    return {
        "experiments": {
            one.name: (one.deleted, one.tags, one.created, one.modified)
            for one in experiments
            if one.name != DEFAULT_EXPERIMENT
        },
        "runs": {run.id: _run(source, run, names) for run in runs},
        "models": {model.id: _model(source, model, names) for model in source.models(list(names))},
        "names": {
            name.name: {
                "said": (name.description, name.tags, name.aliases, name.created),
                "versions": {
                    one.version: (
                        *(one.created, one.run, one.description, one.stage, one.tags, one.link),
                        owner_of(one.source) or one.source,
                    )
                    for one in name.versions
                },
            }
            for name in source.names()
        },
    }


def _run(source: Source, run: Run, names: dict[str, str]) -> dict[str, Any]:
    return {
        "said": (names[run.experiment], run.name, run.status, run.start, run.end, run.user),
        "deleted": run.deleted,
        "params": run.params,
        "tags": {key: value for key, value in run.tags.items() if key not in OURS},
        "datasets": [(use.name, use.digest, use.body, use.tags) for use in run.datasets],
        "models": (sorted(run.models_in), sorted(run.models_out)),
        "points": sorted({point for one in source.points(run) for point in _points(one)}),
        "files": _files(source, run),
    }


def _model(source: Source, model: Model, names: dict[str, str]) -> dict[str, Any]:
    points = {
        (one.run, one.dataset, one.digest, *point) for one in model.points for point in _points(one)
    }
    return {
        "said": (names[model.experiment], model.name, model.model_type, model.source_run),
        "state": (model.status, model.created, model.modified),
        "labels": (model.params, model.tags),
        "points": sorted(points, key=repr),
        "files": _files(source, model),
    }


def _points(one: Series) -> list[tuple[str, int, int, str]]:
    found = zip(one.steps, one.times, one.values, strict=True)
    return [
        (one.key, step, time, "nan" if value is None else repr(float(clean_value(value))))
        for step, time, value in found
    ]


def _files(source: Source, owner: Run | Model) -> dict[str, bytes | str]:
    found: dict[str, bytes | str] = {}
    for file in source.files(owner):
        if isinstance(file, File):
            with file.open() as stream:
                found[file.path] = stream.read()
            assert len(found[file.path]) == file.size
        else:
            found[file.path] = file.reason
    return found
