"""The tables of tracking: what runs log. See ADR 0011."""

from __future__ import annotations

import sqlalchemy as sa

from lazulite.store.columns import Json, RowId, Text
from lazulite.store.tables import metadata

HEAD = 200  # characters of a long text that are in `text`, which is indexed; the others in `rest`


def _ref(column: str, table: str, *, key: bool = False) -> sa.Column[int]:
    parent = sa.ForeignKey(f"{table}.id", ondelete="CASCADE")
    return sa.Column(column, RowId, parent, nullable=False, primary_key=key, autoincrement=False)


def _whole(name: str, *, key: bool = False, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=null, primary_key=key, autoincrement=False)


def _real(name: str, *, key: bool = False, null: bool = True) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=null, primary_key=key)


keys = sa.Table(  # names of metrics, params and tags
    "keys",
    metadata,
    sa.Column("id", RowId, primary_key=True, autoincrement=True),
    sa.Column("name", Text, nullable=False),
    sa.UniqueConstraint("name"),
)

experiment_tags = sa.Table(
    "experiment_tags",
    metadata,
    _ref("experiment", "experiments", key=True),
    sa.Column("key", Text, primary_key=True),
    sa.Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)

metrics = sa.Table(
    "metrics",
    metadata,
    _ref("run", "jobs", key=True),
    _whole("key", key=True),
    _whole("step", key=True),
    _whole("time", key=True),  # milliseconds since 1970
    _real("value", key=True, null=False),  # +infinity = NaN
    sqlite_with_rowid=False,
)

latest_metrics = sa.Table(
    "latest_metrics",
    metadata,
    _ref("run", "jobs", key=True),
    _whole("key", key=True),
    _whole("experiment"),  # of the run, which never changes it
    _real("last"),  # NULL = NaN
    _whole("last_step"),
    _whole("last_time"),
    _real("min"),  # NULL = every value is NaN
    _real("max"),
    _real("first"),
    _whole("first_step"),
    _whole("first_time"),
    _whole("rolled", null=True),  # step up to which, itself excluded, `metric_blocks` are right
    sqlite_with_rowid=False,
)
for _which in ("last", "min", "max"):
    sa.Index(
        f"ix_latest_metrics_{_which}",
        latest_metrics.c.experiment,
        latest_metrics.c.key,
        latest_metrics.c[_which],
        latest_metrics.c.run,
    )

metric_blocks = sa.Table(  # the extremes of stretches of a long curve, see ADR 0016
    "metric_blocks",
    metadata,
    _ref("run", "jobs", key=True),
    _whole("key", key=True),
    _whole("first", key=True),  # step; the blocks of a curve follow each other without a gap
    _whole("last"),
    _real("low"),  # NULL = every value is NaN
    _whole("low_step", null=True),
    _whole("low_time", null=True),
    _real("high"),
    _whole("high_step", null=True),
    _whole("high_time", null=True),
    sqlite_with_rowid=False,
)

params = sa.Table(
    "params",
    metadata,
    _ref("run", "jobs", key=True),
    _whole("key", key=True),
    _whole("experiment"),
    sa.Column("text", Text, nullable=False),
    sa.Column("rest", Text, nullable=True),
    _real("number"),  # the text, if it is a finite number
    sqlite_with_rowid=False,
)
sa.Index("ix_params_text", params.c.experiment, params.c.key, params.c.text)
sa.Index(
    "ix_params_number",
    params.c.experiment,
    params.c.key,
    params.c.number,
    sqlite_where=params.c.number.is_not(None),
    postgresql_where=params.c.number.is_not(None),
)

run_tags = sa.Table(  # `jobs.tags` again, to be searched
    "run_tags",
    metadata,
    _ref("run", "jobs", key=True),
    _whole("key", key=True),
    _whole("experiment"),
    sa.Column("text", Text, nullable=False),
    sa.Column("rest", Text, nullable=True),
    sqlite_with_rowid=False,
)
sa.Index("ix_run_tags_text", run_tags.c.experiment, run_tags.c.key, run_tags.c.text)

datasets = sa.Table(
    "datasets",
    metadata,
    sa.Column("id", RowId, primary_key=True, autoincrement=True),
    _ref("experiment", "experiments"),
    sa.Column("name", Text, nullable=False),
    sa.Column("digest", Text, nullable=False),
    sa.Column("body", Json, nullable=True),  # source_type, source, schema, profile
    sa.UniqueConstraint("experiment", "name", "digest"),
)

run_datasets = sa.Table(
    "run_datasets",
    metadata,
    _ref("run", "jobs", key=True),
    _ref("dataset", "datasets", key=True),
    sa.Column("context", Text, nullable=True),
    sa.Column("tags", Json, nullable=True),
    sqlite_with_rowid=False,
)
sa.Index("ix_run_datasets_dataset", run_datasets.c.dataset)
