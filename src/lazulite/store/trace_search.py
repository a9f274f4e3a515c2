"""Searches of traces. See ADR 0015."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from lazulite.domain.errors import InvalidInput
from lazulite.domain.search import Entity, Order, Search, comparisons
from lazulite.domain.trace import NAME, RUN
from lazulite.store.conditions import is_one_of
from lazulite.store.keys import key_ids
from lazulite.store.ordering import Place, Sort, after, asked, read_token, write_token
from lazulite.store.tables import experiments
from lazulite.store.trace_conditions import NUMBERS, TEXTS, TraceConditions
from lazulite.store.trace_tables import trace_labels, traces

_t = traces.c
_LAST = (
    Sort(_t.created, descending=True, nullable=False),
    Sort(_t.id, descending=True, nullable=False),
)
_EXPERIMENTS = sa.select(experiments.c.id).where(
    experiments.c.workspace == sa.bindparam("workspace"), experiments.c.deleted_at.is_(None)
)
_LABELS = {"name": (True, NAME), "run_id": (False, RUN)}  # attributes that are labels


class TraceSearch:
    """One search of the traces of some experiments."""

    def __init__(self, db: sa.Connection, workspace: int, within: Sequence[int] | None) -> None:
        """Search experiments `within` a workspace; None = all that are not deleted."""
        self._db = db
        self._workspace = workspace
        if within is None:
            within = db.execute(_EXPERIMENTS, {"workspace": workspace}).scalars().all()
        self._within = sorted(set(within))

    def page(self, search: Search) -> tuple[list[int], str | None]:
        """Return the row ids of one page, and the token of the next."""
        if not self._within:
            return [], None
        which = asked(search, self._within, self._workspace, "traces")
        sorts, query = self._query(search)
        if search.after is not None:
            place = read_token(search.after, which, [len(sorts)])
            query = query.where(after(sorts, place.values))
        rows = self._db.execute(query.limit(search.limit + 1)).all()
        shown = rows[: search.limit]
        token = None
        if len(rows) > len(shown) and shown:
            token = write_token(Place(which, 0, list(shown[-1][1:])))
        return [row[0] for row in shown], token

    def query(self, search: Search) -> sa.Select[Any]:
        """Return the query of a first page."""
        return self._query(search)[1].limit(search.limit + 1)

    def _query(self, search: Search) -> tuple[list[Sort], sa.Select[Any]]:
        used = [c.operand for c in comparisons(search.condition)] if search.condition else []
        names = {o.key for o in (*used, *(order.operand for order in search.orders))}
        ids = key_ids(self._db, {*names, NAME, RUN})
        conditions = TraceConditions(self._db.dialect.name, self._workspace, self._within, ids)
        source: Any = traces
        sorts: list[Sort] = []
        for order in search.orders:
            source, sort = self._sorted(source, order, conditions)
            sorts.append(sort)
        sorts += _LAST
        terms = [_t.workspace == self._workspace, is_one_of(_t.experiment, self._within)]
        if search.condition is not None:
            terms.append(conditions.sql(search.condition))
        query = sa.select(_t.id, *(sort.column for sort in sorts)).select_from(source)
        return sorts, query.where(*terms).order_by(*(sort.term for sort in sorts))

    def _sorted(self, source: Any, order: Order, conditions: TraceConditions) -> tuple[Any, Sort]:
        operand = order.operand
        if operand.entity is Entity.ATTRIBUTE and operand.key in NUMBERS:
            column = NUMBERS[operand.key]
            return source, Sort(column, order.descending, nullable=operand.key == "execution_time")
        if operand.entity is Entity.ATTRIBUTE and operand.key in TEXTS:
            return source, Sort(TEXTS[operand.key], order.descending)
        if operand.entity in (Entity.TAG, Entity.METADATA):
            tag, name = operand.entity is Entity.TAG, operand.key
        elif operand.entity is Entity.ATTRIBUTE and operand.key in _LABELS:
            tag, name = _LABELS[operand.key]
        else:
            raise InvalidInput(
                "traces are sorted by what they are, tags and metadata", path="order_by"
            )
        x = trace_labels.alias()
        mine = sa.and_(
            x.c.trace == _t.id, x.c.key == conditions.key(name), x.c.tag == sa.literal(tag)
        )
        return source.outerjoin(x, mine), Sort(x.c.text, order.descending)
