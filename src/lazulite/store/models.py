"""Logged models as rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from lazulite.domain.errors import NotFound
from lazulite.domain.model import LoggedModel, ModelStatus
from lazulite.domain.run import ModelPoint, Point
from lazulite.store.columns import Row, among, encode, insert, micros, moment
from lazulite.store.keys import ensure_keys
from lazulite.store.model_tables import logged_models, model_metrics
from lazulite.store.points import NAN
from lazulite.store.tables import jobs
from lazulite.store.tracking_tables import keys

_c, _m = logged_models.c, model_metrics.c
_GET = sa.select(logged_models).where(
    _c.workspace == sa.bindparam("workspace"), _c.model == sa.bindparam("name")
)
_OF = (
    sa.select(logged_models)
    .where(among(_c.experiment, "experiments"))
    .order_by(_c.id.desc())
    .limit(sa.bindparam("limit"))
)
_MADE_BY = sa.select(logged_models).where(
    _c.workspace == sa.bindparam("workspace"), among(_c.source_run, "runs")
)
_POINTS = (
    sa.select(_m.model, keys.c.name, _m.value, _m.time, _m.step, jobs.c.name, _m.dataset, _m.digest)
    .join(keys, keys.c.id == _m.key)
    .join(jobs, jobs.c.id == _m.run)
    .where(among(_m.model, "models"))
    .order_by(_m.model, keys.c.name, _m.step, _m.time)
)


class SqlModels:
    """`ports.models.Models` in one transaction of either database."""

    __slots__ = ("_db",)

    def __init__(self, db: sa.Connection) -> None:
        self._db = db

    def add(self, model: LoggedModel) -> LoggedModel:
        """Store a new logged model."""
        row = {
            **_changeable(model),
            "workspace": model.workspace,
            "experiment": model.experiment,
            "model": model.model,
            "source_run": model.source_run,
            "created_at": micros(model.created_at),
        }
        made = self._db.execute(insert(self._db, logged_models).values(row).returning(_c.id))
        return msgspec.structs.replace(model, id=made.scalar_one())

    def get(self, workspace: int, model: str) -> LoggedModel:
        """Return one logged model."""
        row = self._db.execute(_GET, {"workspace": workspace, "name": model}).first()
        if row is None:
            raise NotFound(f"Logged model with ID '{model[:300]}' not found.")
        return _model_of(row)

    def update(self, model: LoggedModel) -> None:
        """Store what changed."""
        change = sa.update(logged_models).where(_c.id == model.id)
        self._db.execute(change.values(_changeable(model)))

    def delete(self, model: int) -> None:
        """Delete a logged model."""
        self._db.execute(sa.delete(logged_models).where(_c.id == model))

    def of(self, experiments: Sequence[int], limit: int) -> list[LoggedModel]:
        """Return the logged models of experiments."""
        which = {"experiments": list(experiments), "limit": limit}
        return [_model_of(row) for row in self._db.execute(_OF, which)]

    def made_by(self, workspace: int, runs: Sequence[str]) -> list[LoggedModel]:
        """Return the logged models of runs."""
        which = {"workspace": workspace, "runs": list(runs)}
        return [_model_of(row) for row in self._db.execute(_MADE_BY, which)]

    def ids(self, workspace: int) -> set[str]:
        """Return the ids of all logged models of a workspace."""
        found = self._db.execute(sa.select(_c.model).where(_c.workspace == workspace))
        return set(found.scalars())

    def add_points(self, model: int, run: int, points: Sequence[ModelPoint]) -> None:
        """Store values of metrics of a model."""
        ids = ensure_keys(self._db, {one.point.key for one in points})
        rows = [
            {
                "model": model,
                "key": ids[one.point.key],
                "run": run,
                "step": one.point.step,
                "time": one.point.time,
                "value": NAN if math.isnan(one.point.value) else one.point.value,
                "dataset": one.dataset,
                "digest": one.digest,
            }
            for one in points
        ]
        self._db.execute(insert(self._db, model_metrics).on_conflict_do_nothing(), rows)

    def points(self, models: Sequence[int]) -> Mapping[int, list[ModelPoint]]:
        """Return the values of metrics of models."""
        found: dict[int, list[ModelPoint]] = {model: [] for model in models}
        for row in self._db.execute(_POINTS, {"models": list(models)}):
            model, key, value, time, step, run, dataset, digest = row
            point = Point(key, math.nan if value == NAN else value, time, step)
            found[model].append(ModelPoint(point, run, dataset, digest))
        return found


def _changeable(model: LoggedModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "model_type": model.model_type,
        "status": model.status.value,
        "tags": encode(model.tags) if model.tags else None,
        "params": encode(model.params) if model.params else None,
        "modified_at": micros(model.modified_at),
    }


def _model_of(row: Row) -> LoggedModel:
    return LoggedModel(
        id=row.id,
        workspace=row.workspace,
        experiment=row.experiment,
        model=row.model,
        name=row.name,
        model_type=row.model_type,
        source_run=row.source_run,
        status=ModelStatus(row.status),
        tags=msgspec.json.decode(row.tags) if row.tags else {},
        params=msgspec.json.decode(row.params) if row.params else {},
        created_at=moment(row.created_at),
        modified_at=moment(row.modified_at),
    )
