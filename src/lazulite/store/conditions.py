"""Conditions of searches as SQL: each comparison is answered by an index. See ADR 0011.

What few runs have is looked up once, as a set; what many have is asked of each run in turn, which
ends with the page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from lazulite.domain.errors import InvalidInput
from lazulite.domain.job import JobKind
from lazulite.domain.run import (
    JOB_SOURCE,
    PARENT,
    RUN_NAME,
    SOURCE_NAME,
    SOURCE_TYPE,
    USER,
    is_smaller_better,
    job_statuses,
)
from lazulite.domain.search import (
    Aggregate,
    Compare,
    Condition,
    Entity,
    Every,
    Not,
    Op,
    Operand,
    Some,
    Value,
)
from lazulite.store.columns import within
from lazulite.store.keys import NO_KEY
from lazulite.store.tables import experiments, jobs
from lazulite.store.texts import begins_as, compare_text, like
from lazulite.store.tracking_tables import (
    datasets,
    latest_metrics,
    params,
    run_datasets,
    run_tags,
)

Bool = sa.ColumnElement[bool]

ARTIFACT_URI = (
    sa.literal("mlflow-artifacts:/")
    + sa.cast(jobs.c.experiment, sa.Text)
    + sa.literal("/")
    + jobs.c.name
    + sa.literal("/artifacts")
)
_IS_JOB = jobs.c.kind != JobKind.RUN.value
_TAG_COLUMNS = {RUN_NAME: jobs.c.display_name, USER: jobs.c.created_by}
COMMON = 10_000  # runs: a set of more takes longer to make than to ask run by run
_LOOSE = frozenset({Op.LIKE, Op.ILIKE, Op.NE, Op.NOT_IN})  # no index narrows them
_NUMERIC: dict[Op, Callable[[Any, Any], Any]] = {
    Op.EQ: lambda a, b: a == b,
    Op.NE: lambda a, b: a != b,
    Op.GT: lambda a, b: a > b,
    Op.GE: lambda a, b: a >= b,
    Op.LT: lambda a, b: a < b,
    Op.LE: lambda a, b: a <= b,
}


def metric_column(operand: Operand, table: Any = latest_metrics) -> sa.ColumnElement[float]:
    """Return the column of a metric's aggregate."""
    which = operand.of
    if which is Aggregate.BEST:
        which = Aggregate.MIN if is_smaller_better(operand.key) else Aggregate.MAX
    column: sa.ColumnElement[float] = table.c[which.value]
    return column


def is_one_of(column: sa.ColumnElement[int], rows: Sequence[int]) -> Bool:
    """Say that a column is one of some row ids; a single one leaves an index its order."""
    return column == rows[0] if len(rows) == 1 else within(column, rows)


class RunConditions:
    """Turns conditions on runs into SQL."""

    def __init__(
        self, db: sa.Connection, workspace: int, within: Sequence[int], ids: Mapping[str, int]
    ) -> None:
        """Know what names mean.

        Args:
            db: in a transaction; asked how many runs have what is searched for.
            workspace: row id.
            within: row ids of the experiments that are searched.
            ids: row ids of the keys that are known.
        """
        self._db = db
        self._dialect = db.dialect.name
        self._workspace = workspace
        self._within = within
        self._ids = ids
        self._run: sa.Column[int] = jobs.c.id

    def of(self, run: sa.Column[int]) -> RunConditions:
        """Return the same conditions of a query that has the id of the run in another column."""
        other = RunConditions(self._db, self._workspace, self._within, self._ids)
        other._run = run
        return other

    def sql(self, condition: Condition) -> Bool:
        """Return a whole condition."""
        if isinstance(condition, Every):
            return sa.and_(*map(self.sql, condition.terms))
        if isinstance(condition, Some):
            return sa.or_(*map(self.sql, condition.terms))
        if isinstance(condition, Not):
            return sa.not_(self.sql(condition.term))
        return _BY_ENTITY[condition.operand.entity](self, condition)

    def key(self, name: str) -> int:
        """Return the row id of a key; one that no row has if it is unknown."""
        return self._ids.get(name, NO_KEY)

    def holders(self, table: sa.Table, key: str, *terms: Bool) -> sa.Select[tuple[int]]:
        """Return the runs that have `key` in `table`, with what must hold for it."""
        t = table.c
        return sa.select(t.run).where(
            is_one_of(t.experiment, self._within), t.key == self.key(key), *terms
        )

    def metric(self, c: Compare) -> Bool:
        """Return a comparison of a metric."""
        if c.op in (Op.NULL, Op.NOT_NULL):
            return self._has(latest_metrics, c)
        return self._held(latest_metrics, c, lambda table: self.metric_term(c, table))

    @staticmethod
    def metric_term(c: Compare, table: sa.FromClause = latest_metrics) -> Bool:
        """Return a comparison with values, as a condition on `latest_metrics` itself."""
        column = metric_column(c.operand, table)
        if c.op in (Op.IN, Op.NOT_IN):
            found = column.in_(c.values)
            return found if c.op is Op.IN else sa.and_(sa.not_(found), column.is_not(None))
        return sa.and_(_NUMERIC[c.op](column, c.values[0]))

    def param(self, c: Compare) -> Bool:
        """Return a comparison of a param: as a number if it is compared with one."""
        if c.op in (Op.NULL, Op.NOT_NULL):
            return self._has(params, c)
        if isinstance(c.values[0], float):
            return self._held(params, c, lambda table: numeric(c, table.c.number))
        return self._text(params, c)

    def tag(self, c: Compare) -> Bool:
        """Return a comparison of a tag; two tags are columns of the run."""
        if (column := _TAG_COLUMNS.get(c.operand.key)) is not None:
            return self._plain(column, c)
        if c.op in (Op.NULL, Op.NOT_NULL):
            if c.operand.key != PARENT:
                return self._has(run_tags, c)
            none = jobs.c.parent.is_(None)
            return none if c.op is Op.NULL else sa.not_(none)
        found = self._text(run_tags, c)
        implied = self._implied(c.operand.key, c.values[0]) if c.op is Op.EQ else None
        return found if implied is None else sa.or_(found, implied)

    def _implied(self, key: str, value: Value) -> Bool | None:
        """Say which runs have a tag that nobody set: it follows from what they are."""
        if key == PARENT:
            return jobs.c.parent == self._row(value)
        if key == SOURCE_NAME:
            return sa.and_(_IS_JOB, jobs.c.name == value)
        return _IS_JOB if key == SOURCE_TYPE and value == JOB_SOURCE else None

    def dataset(self, c: Compare) -> Bool:
        """Return a comparison of what a run's input datasets are called."""
        column = {
            "name": datasets.c.name,
            "digest": datasets.c.digest,
            "context": run_datasets.c.context,
        }[c.operand.key]
        joined = (
            sa.select(run_datasets.c.run)
            .join(datasets)
            .where(is_one_of(datasets.c.experiment, self._within))
        )
        if c.op is Op.NULL:
            return jobs.c.id.not_in(joined)
        if c.op is Op.NOT_NULL:
            return jobs.c.id.in_(joined)
        return jobs.c.id.in_(joined.where(self._plain(column, c)))

    def attribute(self, c: Compare) -> Bool:
        """Return a comparison of what a run is."""
        key = c.operand.key
        if key == "status":
            return _status(c)
        if key in ("start_time", "end_time"):
            return times(jobs.c.created if key == "start_time" else jobs.c.ended, c)
        if key == "duration":
            return nullable(c, (jobs.c.ended - jobs.c.created) / 1000)
        if key in ("parent_run_id", "ancestor_id", "root_run_id"):
            return self._family(c)
        if key == "experiment_name":
            named = sa.select(experiments.c.id).where(self._plain(experiments.c.name, c))
            return jobs.c.experiment.in_(named.where(experiments.c.workspace == self._workspace))
        return self._plain(_COLUMNS[key], c)

    def _family(self, c: Compare) -> Bool:
        key, column = (
            c.operand.key,
            jobs.c.root if c.operand.key == "root_run_id" else jobs.c.parent,
        )
        if c.op in (Op.NULL, Op.NOT_NULL):
            return column.is_(None) if c.op is Op.NULL else column.is_not(None)
        if c.op is not Op.EQ:
            raise InvalidInput(f"{key} is compared by = or IS [NOT] NULL", path="filter", at=c.at)
        if key != "ancestor_id":
            return column.is_not(None) & (column == self._row(c.values[0]))
        child = jobs.alias()
        below = (
            sa.select(child.c.id)
            .where(child.c.parent == self._row(c.values[0]))
            .cte(f"below_{c.at}", recursive=True)
        )
        deeper = jobs.alias()
        below = below.union(sa.select(deeper.c.id).join(below, deeper.c.parent == below.c.id))
        return jobs.c.id.in_(sa.select(below.c.id))

    def _row(self, name: Value) -> sa.ScalarSelect[int]:
        named = jobs.alias()
        term = named.c.workspace == self._workspace, named.c.name == str(name)
        return sa.select(named.c.id).where(*term).scalar_subquery()

    def _has(self, table: sa.Table, c: Compare) -> Bool:
        found = self._held(table, c, lambda _: sa.true())
        return found if c.op is Op.NOT_NULL else sa.not_(found)

    def _text(self, table: sa.Table, c: Compare) -> Bool:
        return self._held(table, c, lambda table: compare_text(self._dialect, table, c))

    def _held(self, table: sa.Table, c: Compare, term: Callable[[sa.FromClause], Bool]) -> Bool:
        """Say that a run has the key of a comparison in a table, and what must hold for it."""
        if not self._is_common(table, c, term):
            return self._run.in_(self.holders(table, c.operand.key, term(table)))
        one = table.alias()
        return (
            sa.select(one.c.run)
            .where(one.c.run == self._run, one.c.key == self.key(c.operand.key), term(one))
            .correlate(self._run.table)
            .exists()
        )

    def _is_common(
        self, table: sa.Table, c: Compare, term: Callable[[sa.FromClause], Bool]
    ) -> bool:
        if c.op in _LOOSE:
            return True
        is_text = "text" in table.c and c.values and not isinstance(c.values[0], float)
        narrow = begins_as(table, c) if is_text else term(table)
        some = self.holders(table, c.operand.key, narrow).limit(COMMON + 1).subquery()
        query = sa.select(sa.func.count()).select_from(some)
        return self._db.execute(query).scalar_one() > COMMON

    def _plain(self, column: sa.ColumnElement[Any], c: Compare) -> Bool:
        return plain(self._dialect, column, c)


def plain(dialect: str, column: sa.ColumnElement[Any], c: Compare) -> Bool:
    """Return a comparison of a text that stands in one column."""
    if c.op in (Op.NULL, Op.NOT_NULL):
        return column.is_(None) if c.op is Op.NULL else column.is_not(None)
    if c.op in (Op.LIKE, Op.ILIKE):
        return like(dialect, column, str(c.values[0]), insensitive=c.op is Op.ILIKE)
    values = [_text_of(value) for value in c.values]
    if c.op in (Op.IN, Op.EQ):
        return column.in_(values) if c.op is Op.IN else column == values[0]
    return column.not_in(values)


def times(column: sa.ColumnElement[Any], c: Compare) -> Bool:
    """Compare microseconds with milliseconds, which stand for the whole of that millisecond."""
    if c.op in (Op.NULL, Op.NOT_NULL) or not isinstance(c.values[0], float):
        return nullable(c, column)
    first = _micros(c.values[0])
    end = first + 1000
    term = {
        Op.EQ: sa.and_(column >= first, column < end),
        Op.NE: sa.or_(column < first, column >= end),
        Op.GT: column >= end,
        Op.GE: column >= first,
        Op.LT: column < first,
        Op.LE: column < end,
    }.get(c.op)
    if term is None:
        raise InvalidInput("a time is compared by = != > >= < <=", path="filter", at=c.at)
    return sa.and_(column.is_not(None), term)


def nullable(c: Compare, column: sa.ColumnElement[Any]) -> Bool:
    """Return a comparison of a number that may not be there."""
    if c.op in (Op.NULL, Op.NOT_NULL):
        return column.is_(None) if c.op is Op.NULL else column.is_not(None)
    compare = _NUMERIC.get(c.op)
    if compare is None:
        raise InvalidInput("a number is compared by = != > >= < <=", path="filter", at=c.at)
    return sa.and_(column.is_not(None), compare(column, c.values[0]))


def _micros(milliseconds: float) -> int:
    limit = 9.2e15  # beyond it a bigint overflows
    return int(max(-limit, min(limit, milliseconds))) * 1000


def numeric(c: Compare, column: sa.ColumnElement[float]) -> Bool:
    """Return a comparison of a text that is one with a number, where it is one."""
    if c.op in (Op.IN, Op.NOT_IN):
        found = column.in_([v for v in c.values if isinstance(v, float)])
        return found if c.op is Op.IN else sa.and_(column.is_not(None), sa.not_(found))
    found = _NUMERIC[c.op](column, c.values[0])
    return sa.and_(column.is_not(None), found)


def _status(c: Compare) -> Bool:
    if c.op not in (Op.EQ, Op.NE, Op.IN, Op.NOT_IN):
        raise InvalidInput("status is compared by = != IN and NOT IN", path="filter", at=c.at)
    words = [status.value for value in c.values for status in job_statuses(str(value))]
    found = jobs.c.status.in_(words)
    return found if c.op in (Op.EQ, Op.IN) else sa.not_(found)


def _text_of(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:g}"


_COLUMNS: Mapping[str, sa.ColumnElement[Any]] = {
    "run_name": jobs.c.display_name,
    "run_id": jobs.c.name,
    "user_id": jobs.c.created_by,
    "kind": jobs.c.kind,
    "experiment_id": sa.cast(jobs.c.experiment, sa.Text),
    "artifact_uri": ARTIFACT_URI,
}
_BY_ENTITY: Mapping[Entity, Callable[[RunConditions, Compare], Bool]] = {
    Entity.METRIC: RunConditions.metric,
    Entity.PARAM: RunConditions.param,
    Entity.TAG: RunConditions.tag,
    Entity.DATASET: RunConditions.dataset,
    Entity.ATTRIBUTE: RunConditions.attribute,
}
