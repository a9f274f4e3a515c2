"""Params and tags of runs as rows. The tags proper are in `jobs.tags`: the rows serve searches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from lazulite.domain.errors import InvalidInput
from lazulite.domain.run import RunHead
from lazulite.domain.source import source_tags
from lazulite.store.columns import among, insert
from lazulite.store.keys import ensure_keys, key_ids
from lazulite.store.tracking_tables import HEAD, keys, params, run_tags

_STORED = sa.select(keys.c.name, params.c.text, params.c.rest).where(
    params.c.run == sa.bindparam("run"),
    among(params.c.key, "keys"),
    keys.c.id == params.c.key,
)


def add_params(db: sa.Connection, run: RunHead, logged: Sequence[tuple[str, str]]) -> None:
    """Store params of a run; one that is there with the same value stays as it is.

    Args:
        db: in a transaction.
        run: the run.
        logged: keys, each once, with their values.

    Raises:
        InvalidInput: a param is there with another value.
    """
    ids = ensure_keys(db, (key for key, _ in logged))
    row = run.id, run.experiment
    rows = [{**_row(row, ids[key], value), "number": _number(value)} for key, value in logged]
    found = db.execute(_STORED, {"run": run.id, "keys": list(ids.values())}).all()
    there = {name: text + (rest or "") for name, text, rest in found}
    for key, value in logged:
        if there.get(key, value) != value:
            raise InvalidInput(
                f"Changing param values is not allowed. Param with key='{key}' was already logged "
                f"with value='{there[key][:200]}' for run ID='{run.name}'. "
                f"Attempted logging new value '{value[:200]}'.",
                path="params",
            )
    if len(there) < len(rows):
        db.execute(insert(db, params).on_conflict_do_nothing(), rows)


def findable(tags: Mapping[str, str], properties: Mapping[str, str]) -> dict[str, str]:
    """Return what a search for tags finds: tags, and what MLflow calls so of the properties."""
    return {**source_tags(properties), **tags}


def index_tags(db: sa.Connection, run: tuple[int, int], tags: Mapping[str, str]) -> None:
    """Make tags of a run findable; other tags of it stay findable."""
    if not tags:
        return
    ids = ensure_keys(db, tags)
    rows = [_row(run, ids[key], value) for key, value in tags.items()]
    statement = insert(db, run_tags)
    new = statement.excluded
    change = statement.on_conflict_do_update(
        index_elements=[run_tags.c.run, run_tags.c.key],
        set_={"text": new.text, "rest": new.rest},
    )
    db.execute(change, rows)


def forget_tags(db: sa.Connection, run: int, names: Sequence[str] | None = None) -> None:
    """Make tags of a run no longer findable: those named, or all."""
    gone = sa.delete(run_tags).where(run_tags.c.run == run)
    if names is not None:
        gone = gone.where(run_tags.c.key.in_(key_ids(db, names).values()))
    db.execute(gone)


def _row(run: tuple[int, int], key: int, value: str) -> dict[str, Any]:
    rest = value[HEAD:] or None
    return {"run": run[0], "experiment": run[1], "key": key, "text": value[:HEAD], "rest": rest}


def _number(text: str) -> float | None:
    if len(text) > HEAD:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
