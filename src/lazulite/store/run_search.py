"""Searches of runs. One that is sorted by a metric walks that metric's index: see ADR 0011."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from lazulite.domain.errors import InvalidInput
from lazulite.domain.run import RUN_NAME, RunRecord, View
from lazulite.domain.search import Compare, Entity, Every, Operand, Order, Search, comparisons
from lazulite.ports.listed import Listed
from lazulite.store.conditions import ARTIFACT_URI, RunConditions, is_one_of, metric_column
from lazulite.store.keys import key_ids
from lazulite.store.ordering import Place, Sort, after, asked, read_token, write_token
from lazulite.store.records import heads, records
from lazulite.store.tables import experiments, jobs
from lazulite.store.tracking_tables import latest_metrics, params, run_tags

_EXPERIMENTS = sa.select(experiments.c.id).where(
    experiments.c.workspace == sa.bindparam("workspace"), experiments.c.deleted_at.is_(None)
)
_OWN = sa.select(experiments.c.id).where(experiments.c.workspace == sa.bindparam("workspace"))
_LAST = (
    Sort(jobs.c.created, descending=True, nullable=False),
    Sort(jobs.c.id, descending=True, nullable=False),
)

_ATTRIBUTES: dict[str, tuple[sa.ColumnElement[Any], bool]] = {  # column, and if it may be NULL
    "status": (jobs.c.status, False),
    "run_name": (jobs.c.display_name, False),
    "run_id": (jobs.c.name, False),
    "user_id": (jobs.c.created_by, False),
    "kind": (jobs.c.kind, False),
    "start_time": (jobs.c.created, False),
    "end_time": (jobs.c.ended, True),
    "duration": (jobs.c.ended - jobs.c.created, True),
    "experiment_id": (jobs.c.experiment, False),
    "artifact_uri": (ARTIFACT_URI, False),
    "parent_run_id": (jobs.c.parent, True),
    "ancestor_id": (jobs.c.parent, True),
    "root_run_id": (jobs.c.root, True),
    "experiment_name": (
        sa.select(experiments.c.name)
        .where(experiments.c.id == jobs.c.experiment)
        .correlate(jobs)
        .scalar_subquery(),
        False,
    ),
}


class _Select:
    """A query of run ids that grows join by join."""

    def __init__(self, source: Any, terms: Sequence[sa.ColumnElement[bool]]) -> None:
        self.source = source
        self.terms = list(terms)
        self.sorts: list[Sort] = []

    def sql(self, limit: int) -> sa.Select[Any]:
        """Return rows of the id and what is sorted by."""
        return (
            sa.select(jobs.c.id, *(sort.column for sort in self.sorts))
            .select_from(self.source)
            .where(*self.terms)
            .order_by(*(sort.term for sort in self.sorts))
            .limit(limit)
        )


class RunSearch:
    """One search of the runs of some experiments."""

    def __init__(
        self, db: sa.Connection, workspace: int, within: Sequence[int] | None, view: View
    ) -> None:
        """Search experiments `within` a workspace; None = all that are not deleted."""
        self._db = db
        self._workspace = workspace
        self._asked = within
        if within is None:
            self._within = list(db.execute(_EXPERIMENTS, {"workspace": workspace}).scalars())
        else:
            own = set(db.execute(_OWN, {"workspace": workspace}).scalars())
            self._within = sorted(own.intersection(within))
        self._view = view

    def page(self, search: Search) -> Listed[RunRecord]:
        """Return one page."""
        if not self._within:
            return Listed([], None)
        rows, token = self._rows(search)
        return Listed(records(self._db, heads(self._db, rows)), token)

    def queries(self, search: Search) -> list[sa.Select[Any]]:
        """Return the queries a first page may run, in their order."""
        return [one.sql(search.limit + 1) for one in self._selects(search)]

    def _rows(self, search: Search) -> tuple[list[int], str | None]:
        which = asked(search, self._asked, self._view, self._workspace)
        selects = self._selects(search)
        place = Place(which, 0, [])
        if search.after is not None:
            place = read_token(search.after, which, [len(one.sorts) for one in selects])
        found: list[tuple[int, sa.Row[Any]]] = []
        for phase, one in enumerate(selects):
            if phase < place.phase:
                continue
            if phase == place.phase and place.values:
                one.terms.append(after(one.sorts, place.values))
            wanted = search.limit + 1 - len(found)
            found += [(phase, row) for row in self._db.execute(one.sql(wanted))]
            if len(found) > search.limit:
                break
        shown = found[: search.limit]
        token = None
        if len(found) > len(shown) and shown:
            phase, last = shown[-1]
            token = write_token(Place(which, phase, list(last[1:])))
        return [row[0] for _, row in shown], token

    def _selects(self, search: Search) -> list[_Select]:
        """Return one query, or two: runs with the metric that comes first, then those without."""
        used = [c.operand for c in comparisons(search.condition)] if search.condition else []
        names = {o.key for o in (*used, *(order.operand for order in search.orders))}
        ids = key_ids(self._db, names)
        conditions = RunConditions(self._db, self._workspace, self._within, ids)
        first = search.orders[0] if search.orders else None
        if first is None or first.operand.entity is not Entity.METRIC:
            one = _Select(jobs, self._terms(search, conditions))
            self._sort(one, search.orders, conditions)
            return [one]
        return [self._ranked(search, first, conditions), self._unranked(search, first, conditions)]

    def _ranked(self, search: Search, first: Order, conditions: RunConditions) -> _Select:
        """Return the query that starts at the index of a metric."""
        column, m = metric_column(first.operand), latest_metrics.c
        if isinstance(search.condition, Every | Compare) or search.condition is None:
            pulled, rest = _pull(search, first.operand)
        else:
            pulled, rest = [], search
        one = _Select(
            latest_metrics.join(jobs, jobs.c.id == m.run),
            [
                is_one_of(m.experiment, self._within),
                m.key == conditions.key(first.operand.key),
                column.is_not(None),
                *(conditions.metric_term(c) for c in pulled),
                *self._terms(rest, conditions.of(m.run), placed=True),
            ],
        )
        one.sorts.append(Sort(column, first.descending, nullable=False))
        self._sort(one, search.orders[1:], conditions)
        return one

    def _unranked(self, search: Search, first: Order, conditions: RunConditions) -> _Select:
        known = metric_column(first.operand).is_not(None)
        without = jobs.c.id.not_in(conditions.holders(latest_metrics, first.operand.key, known))
        one = _Select(jobs, [*self._terms(search, conditions), without])
        self._sort(one, search.orders[1:], conditions)
        return one

    def _terms(
        self, search: Search, conditions: RunConditions, *, placed: bool = False
    ) -> list[sa.ColumnElement[bool]]:
        terms = [] if placed else [is_one_of(jobs.c.experiment, self._within)]
        if self._view is not View.ALL:
            deleted = sa.true() if self._view is View.DELETED else sa.false()
            terms.append(jobs.c.archived.is_(deleted))
        if search.condition is not None:
            terms.append(conditions.sql(search.condition))
        return terms

    def _sort(self, one: _Select, orders: Sequence[Order], conditions: RunConditions) -> None:
        for order in orders:
            one.sorts += self._sorts(one, order, conditions)
        one.sorts += _LAST

    def _sorts(self, one: _Select, order: Order, conditions: RunConditions) -> list[Sort]:
        operand, descending = order.operand, order.descending
        if operand.entity is Entity.ATTRIBUTE:
            column, nullable = _ATTRIBUTES[operand.key]
            return [Sort(column, descending, nullable)]
        if operand.entity is Entity.TAG and operand.key == RUN_NAME:
            return [Sort(jobs.c.display_name, descending, nullable=False)]
        table = _TABLES.get(operand.entity)
        if table is None:
            raise InvalidInput("runs cannot be sorted by datasets", path="order_by")
        joined = table.alias()
        on = sa.and_(joined.c.run == jobs.c.id, joined.c.key == conditions.key(operand.key))
        one.source = one.source.outerjoin(joined, on)
        if operand.entity is Entity.METRIC:
            return [Sort(metric_column(operand, joined), descending)]
        text = Sort(joined.c.text, descending)
        return [Sort(joined.c.number, descending), text] if table is params else [text]


_TABLES = {Entity.METRIC: latest_metrics, Entity.PARAM: params, Entity.TAG: run_tags}


def _pull(search: Search, operand: Operand) -> tuple[list[Compare], Search]:
    """Split off the comparisons of the metric that is sorted by: they narrow its index itself."""
    whole = search.condition
    terms = whole.terms if isinstance(whole, Every) else (whole,) if whole is not None else ()
    pulled = [t for t in terms if isinstance(t, Compare) and t.operand == operand and t.values]
    rest = tuple(t for t in terms if t not in pulled)
    left = None if not rest else Every(rest)
    return pulled, msgspec.structs.replace(search, condition=left)
