"""MLflow's replies. Integers are numbers, unset fields absent, NaN is the text "NaN"."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from lazulite.domain.job import JobKind
from lazulite.domain.run import (
    JOB_SOURCE,
    PARENT,
    ROOT,
    RUN_NAME,
    SOURCE_NAME,
    SOURCE_TYPE,
    USER,
    Experiment,
    Point,
    RunHead,
    RunRecord,
    run_status,
)
from lazulite.ports.listed import Listed

Json = dict[str, Any]


def encode_experiment(experiment: Experiment) -> Json:
    """Render an experiment."""
    return {
        "experiment_id": str(experiment.id),
        "name": experiment.name,
        "artifact_location": f"mlflow-artifacts:/{experiment.id}",
        "lifecycle_stage": "deleted" if experiment.deleted else "active",
        "last_update_time": _millis(experiment.modified_at),
        "creation_time": _millis(experiment.created_at),
        "tags": [{"key": key, "value": value} for key, value in experiment.tags.items()],
    }


def artifact_uri(run: RunHead) -> str:
    """Return where the client finds the artifacts of a run."""
    return f"mlflow-artifacts:/{run.experiment}/{run.name}/artifacts"


def encode_head(run: RunHead) -> Json:
    """Render what a run is."""
    info: Json = {
        "run_id": run.name,
        "run_uuid": run.name,
        "run_name": run.display_name,
        "experiment_id": str(run.experiment),
        "user_id": run.user,
        "status": run_status(run.status),
        "start_time": run.created,
        "artifact_uri": artifact_uri(run),
        "lifecycle_stage": "deleted" if run.archived else "active",
    }
    if run.ended is not None:
        info["end_time"] = run.ended
    return info


def encode_run(run: RunRecord) -> Json:
    """Render a run with what was logged to it."""
    tags = encode_tags(run.head)
    data = {
        "metrics": [encode_point(point) for point in run.metrics],
        "params": [{"key": key, "value": value} for key, value in run.params],
        "tags": [{"key": key, "value": value} for key, value in tags.items()],
    }
    body: Json = {
        "info": encode_head(run.head),
        "data": {name: found for name, found in data.items() if found},
        "inputs": _inputs(run),
        "outputs": {},
    }
    if run.models_out:
        outputs = [{"model_id": model, "step": step} for model, step in run.models_out]
        body["outputs"] = {"model_outputs": outputs}
    return body


def _inputs(run: RunRecord) -> Json:
    datasets: list[Json] = [
        {
            "tags": [{"key": key, "value": value} for key, value in one.tags.items()],
            "dataset": {"name": one.name, "digest": one.digest, **one.body},
        }
        for one in run.datasets
    ]
    models = [{"model_id": model} for model in run.models_in]
    found = {"dataset_inputs": datasets, "model_inputs": models}
    return {name: items for name, items in found.items() if items}


def encode_tags(run: RunHead) -> dict[str, str]:
    """Return a run's tags with those that follow from what it is."""
    own = {RUN_NAME: run.display_name, USER: run.user}
    if run.parent is not None:
        own[PARENT] = run.parent
    if run.root is not None:
        own[ROOT] = run.root
    if run.kind is not JobKind.RUN:
        own |= {SOURCE_TYPE: JOB_SOURCE, SOURCE_NAME: run.name}
    return {**own, **run.tags, RUN_NAME: run.display_name}


def encode_point(point: Point) -> Json:
    """Render a point."""
    value = point.value if point.value == point.value else "NaN"
    return {"key": point.key, "value": value, "timestamp": point.time, "step": point.step}


def encode_runs(page: Listed[RunRecord]) -> Json:
    """Render a page of runs."""
    return _page("runs", [encode_run(run) for run in page.items], page.next)


def encode_experiments(page: Listed[Experiment]) -> Json:
    """Render a page of experiments."""
    return _page("experiments", [encode_experiment(one) for one in page.items], page.next)


def encode_history(page: Listed[Point]) -> Json:
    """Render a page of points."""
    return _page("metrics", [encode_point(point) for point in page.items], page.next)


def _page(name: str, items: Sequence[Json], token: str | None) -> Json:
    body: Json = {name: items} if items else {}
    return {**body, "next_page_token": token} if token else body


def _millis(moment: datetime | None) -> int:
    return 0 if moment is None else int(moment.timestamp() * 1000)
