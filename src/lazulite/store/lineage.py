"""What runs take in and give out, as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from lazulite.domain.run import DATA_CONTEXT, Dataset, DatasetSummary
from lazulite.store.columns import among, encode, insert
from lazulite.store.model_tables import logged_models, run_models
from lazulite.store.tables import experiments
from lazulite.store.tracking_tables import datasets, run_datasets

_d, _r = datasets.c, run_datasets.c
_FIND = sa.select(_d.id, _d.name, _d.digest).where(
    _d.experiment == sa.bindparam("experiment"), among(_d.name, "names")
)
_DATASETS = (
    sa.select(_r.run, _d.name, _d.digest, _d.body, _r.tags)
    .join(datasets, _d.id == _r.dataset)
    .where(among(_r.run, "runs"))
    .order_by(_r.run, _r.dataset)
)
_SUMMARIES = (
    sa.select(_d.experiment, _d.name, _d.digest, _r.context)
    .join(run_datasets, _r.dataset == _d.id)
    .join(experiments, experiments.c.id == _d.experiment)
    .where(experiments.c.workspace == sa.bindparam("workspace"))
    .where(among(_d.experiment, "experiments"))
    .distinct()
    .order_by(_d.experiment, _d.name, _d.digest, _r.context)
    .limit(sa.bindparam("most"))
)
_MODELS = (
    sa.select(run_models.c.run, logged_models.c.model, run_models.c.output, run_models.c.step)
    .join(logged_models, logged_models.c.id == run_models.c.model)
    .where(among(run_models.c.run, "runs"))
    .order_by(run_models.c.run, run_models.c.model)
)


class Uses(NamedTuple):
    """What one run takes in and gives out."""

    datasets: list[Dataset]
    models_in: list[str]
    models_out: list[tuple[str, int]]  # id and step


class SqlLineage:
    """`ports.models.Lineage` in one transaction of either database."""

    __slots__ = ("_db",)

    def __init__(self, db: sa.Connection) -> None:
        self._db = db

    def add_datasets(self, run: int, experiment: int, datasets: Sequence[Dataset]) -> None:
        """Say that a run takes data in."""
        if not datasets:
            return
        datasets = [_storable(one) for one in datasets]
        ids = self._ensure(experiment, datasets)
        rows = [
            {
                "run": run,
                "dataset": ids[one.name, one.digest],
                "context": one.tags.get(DATA_CONTEXT),
                "tags": encode(one.tags) if one.tags else None,
            }
            for one in datasets
        ]
        self._db.execute(insert(self._db, run_datasets).on_conflict_do_nothing(), rows)

    def add_models(self, run: int, models: Mapping[int, int], *, output: bool) -> None:
        """Say that a run uses or makes models: row ids, each with its step."""
        rows: list[dict[str, Any]] = [
            {"run": run, "model": model, "output": output, "step": step}
            for model, step in models.items()
        ]
        if rows:
            self._db.execute(insert(self._db, run_models).on_conflict_do_nothing(), rows)

    def summaries(
        self, workspace: int, experiments: Sequence[int], limit: int
    ) -> list[DatasetSummary]:
        """Return what runs of experiments took in, each dataset once per context."""
        which = {"workspace": workspace, "experiments": list(experiments), "most": limit}
        return [DatasetSummary(*row) for row in self._db.execute(_SUMMARIES, which)]

    def _ensure(self, experiment: int, wanted: Sequence[Dataset]) -> dict[tuple[str, str], int]:
        rows = [
            {
                "experiment": experiment,
                "name": one.name,
                "digest": one.digest,
                "body": encode(one.body) if one.body else None,
            }
            for one in wanted
        ]
        self._db.execute(insert(self._db, datasets).on_conflict_do_nothing(), rows)
        which = {"experiment": experiment, "names": [one.name for one in wanted]}
        return {(name, digest): row for row, name, digest in self._db.execute(_FIND, which)}


def _storable(dataset: Dataset) -> Dataset:
    """Return a dataset without NUL, which databases cut texts at or refuse."""
    name, digest = (text.replace("\0", "\ufffd") for text in (dataset.name, dataset.digest))
    return msgspec.structs.replace(dataset, name=name, digest=digest)


def uses(db: sa.Connection, runs: Sequence[int]) -> dict[int, Uses]:
    """Return what runs take in and give out; runs that do neither are left out."""
    found: dict[int, Uses] = {}
    for run, name, digest, body, tags in db.execute(_DATASETS, {"runs": list(runs)}):
        dataset = Dataset(
            name=name,
            digest=digest,
            body=msgspec.json.decode(body) if body else {},
            tags=msgspec.json.decode(tags) if tags else {},
        )
        found.setdefault(run, Uses([], [], [])).datasets.append(dataset)
    for run, model, output, step in db.execute(_MODELS, {"runs": list(runs)}):
        use = found.setdefault(run, Uses([], [], []))
        if output:
            use.models_out.append((model, step))
        else:
            use.models_in.append(model)
    return found
