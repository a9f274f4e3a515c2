"""Logged models and the registry in MLflow's JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from lazulite.domain.asset import Asset
from lazulite.domain.model import IS_PROMPT, NO_STAGE, LoggedModel, RegisteredModel
from lazulite.domain.run import Dataset, DatasetSummary, ModelPoint
from lazulite.formats.mlflow.requests import Int, KeyValue, RunId

Json = dict[str, Any]


class CreateModel(Struct):
    """POST logged-models."""

    experiment_id: str
    name: str | None = None
    model_type: str | None = None
    source_run_id: str | None = None
    params: list[KeyValue] = []
    tags: list[KeyValue] = []


class EditModel(Struct):
    """PATCH logged-models/{id}, its tags, and POST of its params."""

    status: str | int | None = None
    tags: list[KeyValue] = []
    params: list[KeyValue] = []


class OrderBy(Struct):
    """One term of an order of logged models."""

    field_name: str
    ascending: bool = True


class SearchModels(Struct):
    """POST logged-models/search."""

    experiment_ids: list[str] = []
    filter: str | None = None
    max_results: Int | None = None
    order_by: list[OrderBy] = []
    page_token: str | None = None


class SentDataset(Struct):
    """A dataset as it is sent."""

    name: str
    digest: str
    source_type: str | None = None
    source: str | None = None
    schema: str | None = None
    profile: str | None = None


class DatasetInput(Struct):
    """A dataset, and the tags of its use."""

    dataset: SentDataset
    tags: list[KeyValue] = []


class ModelUse(Struct):
    """A logged model that a run takes in, or gives out."""

    model_id: str
    step: Int = 0


class LogInputs(RunId):
    """POST runs/log-inputs."""

    datasets: list[DatasetInput] = field(default_factory=list)
    models: list[ModelUse] = field(default_factory=list)


class SearchDatasets(Struct):
    """POST experiments/search-datasets."""

    experiment_ids: list[str] = field(default_factory=list)


class LogOutputs(RunId):
    """POST runs/outputs."""

    models: list[ModelUse] = field(default_factory=list)


class RegistryRequest(Struct):
    """Every request about names and versions: which fields it needs is the endpoint's to say."""

    name: str | None = None
    new_name: str | None = None
    version: str | None = None
    description: str | None = None
    alias: str | None = None
    key: str | None = None
    value: str | None = None
    stage: str | None = None
    stages: list[str] = []
    archive_existing_versions: bool = False
    source: str | None = None
    run_id: str | None = None
    run_link: str | None = None
    model_id: str | None = None
    tags: list[KeyValue] = []


class SearchRegistry(Struct):
    """GET registered-models/search and model-versions/search."""

    filter: str | None = None
    max_results: Int | None = None
    order_by: list[str] = []
    page_token: str | None = None


def dataset_of(sent: DatasetInput) -> Dataset:
    """Return what a run took in."""
    body = {"source_type": sent.dataset.source_type, "source": sent.dataset.source}
    more = {"schema": sent.dataset.schema, "profile": sent.dataset.profile}
    return Dataset(
        name=sent.dataset.name,
        digest=sent.dataset.digest,
        body={key: value for key, value in {**body, **more}.items() if value is not None},
        tags={tag.key: tag.value for tag in sent.tags},
    )


def encode_summary(found: DatasetSummary) -> Json:
    """Render what runs of an experiment took in."""
    body: Json = {
        "experiment_id": str(found.experiment),
        "name": found.name,
        "digest": found.digest,
    }
    return body if found.context is None else {**body, "context": found.context}


def encode_model(model: LoggedModel, points: Sequence[ModelPoint]) -> Json:
    """Render a logged model."""
    info: Json = {
        "model_id": model.model,
        "experiment_id": str(model.experiment),
        "name": model.name,
        "creation_timestamp_ms": millis(model.created_at),
        "last_updated_timestamp_ms": millis(model.modified_at),
        "artifact_uri": f"mlflow-artifacts:/{model.experiment}/models/{model.model}/artifacts",
        "status": model.status.value,
        "tags": pairs(model.tags),
    }
    if model.model_type:
        info["model_type"] = model.model_type
    if model.source_run:
        info["source_run_id"] = model.source_run
    metrics = [_point(model.model, one) for one in points]
    return {"info": info, "data": {"params": pairs(model.params), "metrics": metrics}}


def encode_name(model: RegisteredModel, versions: Sequence[Asset]) -> Json:
    """Render a name of the registry."""
    body: Json = {
        "name": model.name,
        "creation_timestamp": millis(model.created_at),
        "last_updated_timestamp": millis(model.modified_at),
        "description": model.description,
        "tags": pairs(model.tags),
        "aliases": [{"alias": a, "version": v} for a, v in sorted(model.aliases.items())],
        "latest_versions": [encode_version(model, one) for one in latest(versions)],
    }
    return {key: value for key, value in body.items() if value not in ("", [])}


def latest(versions: Iterable[Asset], stages: Sequence[str] = ()) -> list[Asset]:
    """Return the newest version of each stage; of those asked for, if any are."""
    found: dict[str, Asset] = {}
    for asset in versions:  # newest first
        found.setdefault(stage_of(asset), asset)
    return [one for stage, one in found.items() if not stages or stage in stages]


def stage_of(asset: Asset) -> str:
    """Return the stage of a version."""
    return str(asset.body.get("stage") or NO_STAGE)


def encode_version(model: RegisteredModel, asset: Asset) -> Json:
    """Render a version; Azure's own fields stand in for what MLflow did not say."""
    said = asset.body.get("properties") or {}
    body: Json = {
        "name": asset.name,
        "version": asset.version,
        "creation_timestamp": millis(asset.created_at),
        "last_updated_timestamp": millis(asset.modified_at),
        "user_id": asset.created_by,
        "current_stage": stage_of(asset),
        "description": asset.body.get("description") or "",
        "source": said.get("mlflow.source") or asset.body.get("modelUri"),
        "run_id": said.get("mlflow.run_id") or asset.body.get("jobName") or "",
        "run_link": said.get("mlflow.run_link") or "",
        "model_id": said.get("mlflow.model_id") or "",
        "status": "READY",
        "tags": pairs(asset.body.get("tags") or {}),
        "aliases": sorted(a for a, of in model.aliases.items() if of == asset.version),
    }
    return {key: value for key, value in body.items() if value not in ("", [])}


def is_prompt(model: RegisteredModel) -> bool:
    """Tell whether a name is that of a prompt."""
    return model.tags.get(IS_PROMPT, "").lower() == "true"


def pairs(values: dict[str, str]) -> list[Json]:
    """Render tags or params."""
    return [{"key": key, "value": value} for key, value in values.items()]


def millis(moment: datetime) -> int:
    """Return a time in milliseconds since 1970."""
    return int(moment.timestamp() * 1000)


def _point(model: str, one: ModelPoint) -> Json:
    point = one.point
    body: Json = {
        "key": point.key,
        "value": point.value if point.value == point.value else "NaN",
        "timestamp": point.time,
        "step": point.step,
        "model_id": model,
        "run_id": one.run,
    }
    if one.dataset:
        body |= {"dataset_name": one.dataset, "dataset_digest": one.digest or ""}
    return body
