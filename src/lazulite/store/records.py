"""Rows of jobs as runs, with the params and the latest metrics of many at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from lazulite.domain.job import DataInput, JobKind, JobStatus
from lazulite.domain.run import Point, RunHead, RunRecord, data_of
from lazulite.domain.source import source_tags
from lazulite.store.columns import Row, among
from lazulite.store.lineage import Uses, uses
from lazulite.store.tables import jobs
from lazulite.store.tracking_tables import keys, latest_metrics, params

_parent, _root = jobs.alias("parent"), jobs.alias("root")
HEADS = sa.select(
    *(jobs.c.id, jobs.c.name, jobs.c.kind, jobs.c.experiment, jobs.c.display_name),
    *(jobs.c.status, jobs.c.archived, jobs.c.created_by, jobs.c.created, jobs.c.ended),
    *(jobs.c.tags, jobs.c.properties, jobs.c.inputs, _parent.c.name, _root.c.name),
).select_from(
    jobs.outerjoin(_parent, _parent.c.id == jobs.c.parent).outerjoin(
        _root, _root.c.id == jobs.c.root
    )
)
_THESE = HEADS.where(among(jobs.c.id, "runs"))
_PARAMS = sa.select(params.c.run, params.c.key, params.c.text, params.c.rest).where(
    among(params.c.run, "runs")
)
_m = latest_metrics.c
_METRICS = sa.select(_m.run, _m.key, _m.last, _m.last_time, _m.last_step).where(
    among(_m.run, "runs")
)
_NAMES = sa.select(keys.c.id, keys.c.name).where(among(keys.c.id, "keys"))

_KINDS = {kind.value: kind for kind in JobKind}
_STATUSES = {status.value: status for status in JobStatus}
_decode = msgspec.json.Decoder(dict[str, str]).decode
_decode_inputs = msgspec.json.Decoder(dict[str, str | DataInput | None]).decode


def head_of(row: Row) -> RunHead:
    """Return the run of a row of `HEADS`."""
    row_id, name, kind, experiment, display_name, status, archived, user, created, ended = row[:10]
    tags, properties, inputs, parent, root = row[10:15]
    return RunHead(
        id=row_id,
        name=name,
        kind=_KINDS[kind],
        experiment=experiment,
        display_name=display_name,
        status=_STATUSES[status],
        archived=archived,
        user=user,
        created=created // 1000,
        ended=None if ended is None else ended // 1000,
        parent=parent,
        root=root,
        tags=_tags(tags, properties),
        inputs=_data(inputs) if inputs else {},
    )


def _tags(tags: bytes | None, properties: bytes | None) -> dict[str, str]:
    own = source_tags(_decode(properties)) if properties else {}
    return own | _decode(tags) if tags else own


def _data(inputs: bytes) -> dict[str, DataInput]:
    found = _decode_inputs(inputs)
    return {name: value for name, value in found.items() if isinstance(value, DataInput)}


def heads(db: sa.Connection, rows: Sequence[int]) -> list[RunHead]:
    """Return the runs of rows, in their order; those that are gone are left out."""
    found = {row[0]: head_of(row) for row in db.execute(_THESE, {"runs": rows})}
    return [found[row] for row in rows if row in found]


def records(db: sa.Connection, runs: Sequence[RunHead]) -> list[RunRecord]:
    """Return runs with their params and the last value of each metric, in three queries."""
    which = {"runs": [run.id for run in runs]}
    texts, numbers = _plain_rows(db, _PARAMS, which), _plain_rows(db, _METRICS, which)
    used = {row[1] for rows in (texts, numbers) for row in rows}
    names: dict[int, str] = {row[0]: row[1] for row in db.execute(_NAMES, {"keys": list(used)})}
    logged: dict[int, tuple[list[Any], list[Point]]] = {run.id: ([], []) for run in runs}
    for run, key, text, rest in texts:
        logged[run][0].append((names[key], text + rest if rest else text))
    for run, key, last, time, step in numbers:
        value = math.nan if last is None else last
        logged[run][1].append(Point(names[key], value, time, step))
    used_by = uses(db, which["runs"])
    return [_record(run, *logged[run.id], used_by.get(run.id)) for run in runs]


def _plain_rows(
    db: sa.Connection, query: sa.Select[Any], values: dict[str, Any]
) -> list[tuple[Any, ...]]:
    """Return all rows as the driver makes them: there may be 100 000, and a `Row` is dear."""
    result = db.execute(query, values)
    try:
        return list(result.cursor.fetchall())
    finally:
        result.close()


def _record(
    run: RunHead, params: list[tuple[str, str]], metrics: list[Point], use: Uses | None
) -> RunRecord:
    data = data_of(run.inputs)
    if use is None:
        return RunRecord(head=run, params=params, metrics=metrics, datasets=data)
    return RunRecord(
        head=run,
        params=params,
        metrics=metrics,
        datasets=data + use.datasets,
        models_in=use.models_in,
        models_out=use.models_out,
    )
