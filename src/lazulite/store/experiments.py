"""Experiments: names that runs share, stored once; a job of a new name makes its experiment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from lazulite.domain.errors import Conflict, InvalidInput, NotFound
from lazulite.domain.run import Experiment, View
from lazulite.domain.search import Compare, Condition, Entity, Every, Not, Op, Order, Search, Some
from lazulite.ports.listed import Listed
from lazulite.store.columns import Row, among, insert, micros, moment
from lazulite.store.conditions import plain, times
from lazulite.store.ordering import Place, Sort, after, asked, read_token, write_token
from lazulite.store.tables import experiments
from lazulite.store.texts import like
from lazulite.store.tracking_tables import experiment_tags

_c, _t = experiments.c, experiment_tags.c
_FIND = sa.select(_c.id).where(
    _c.workspace == sa.bindparam("workspace"), _c.name == sa.bindparam("name")
)
_ALL = sa.select(_c.id, _c.workspace, _c.name, _c.deleted_at, _c.created_at, _c.modified_at)
_NAMED = _ALL.where(_c.workspace == sa.bindparam("workspace"), _c.name == sa.bindparam("name"))
_GET = _ALL.where(_c.workspace == sa.bindparam("workspace"), _c.id == sa.bindparam("experiment"))
_THESE = _ALL.where(among(_c.id, "experiments"))
_TAGS = sa.select(_t.experiment, _t.key, _t.value).where(among(_t.experiment, "experiments"))
_COLUMNS: Mapping[str, sa.ColumnElement[Any]] = {
    "name": _c.name,
    "experiment_id": sa.cast(_c.id, sa.Text),
    "creation_time": _c.created_at,
    "last_update_time": _c.modified_at,
}


def experiment_id(
    db: sa.Connection, workspace: int, name: str, created: datetime | None = None
) -> int:
    """Return the row id of an experiment, made if it is new."""
    key = {"workspace": workspace, "name": name}
    found: int | None = db.execute(_FIND, key).scalar()
    if found is not None:
        return found
    time = None if created is None else micros(created)
    row = {**key, "created_at": time, "modified_at": time}
    made = insert(db, experiments).values(row).on_conflict_do_nothing().returning(_c.id)
    new: int | None = db.execute(made).scalar()
    return new or int(db.execute(_FIND, key).scalar_one())


class SqlExperiments:
    """`ports.tracking.Experiments` in one transaction of either database."""

    __slots__ = ("_db",)

    def __init__(self, db: sa.Connection) -> None:
        self._db = db

    def add(self, workspace: int, name: str, tags: Mapping[str, str], now: datetime) -> int:
        """Make an experiment."""
        if self._db.execute(_FIND, {"workspace": workspace, "name": name}).first() is not None:
            raise _taken(name)
        row = experiment_id(self._db, workspace, name, now)
        self.set_tags(row, tags, now)
        return row

    def ensure(self, workspace: int, name: str, now: datetime) -> Experiment:
        """Return the experiment of that name, made if it is new."""
        return self.get(workspace, experiment_id(self._db, workspace, name, now))

    def get(self, workspace: int, experiment: int) -> Experiment:
        """Return one experiment."""
        row = self._db.execute(_GET, {"workspace": workspace, "experiment": experiment}).first()
        if row is None:
            raise NotFound(f"No Experiment with id={experiment} exists")
        return self._filled([row])[0]

    def named(self, workspace: int, name: str) -> Experiment:
        """Return the experiment of that name."""
        row = self._db.execute(_NAMED, {"workspace": workspace, "name": name}).first()
        if row is None:
            raise NotFound(f"Could not find experiment with name '{name[:300]}'")
        return self._filled([row])[0]

    def edit(self, experiment: int, now: datetime, **fields: Any) -> None:
        """Rename, delete or restore an experiment."""
        values: dict[str, Any] = {"modified_at": micros(now)}
        if "name" in fields:
            values["name"] = fields["name"]
            taken = sa.select(_c.id).where(
                _c.name == fields["name"],
                _c.id != experiment,
                _c.workspace
                == sa.select(_c.workspace).where(_c.id == experiment).scalar_subquery(),
            )
            if self._db.execute(taken).first() is not None:
                raise _taken(fields["name"])
        if "deleted" in fields:
            values["deleted_at"] = micros(now) if fields["deleted"] else None
        self._db.execute(sa.update(experiments).where(_c.id == experiment).values(values))

    def set_tags(self, experiment: int, tags: Mapping[str, str | None], now: datetime) -> None:
        """Set tags, and remove those of None."""
        rows = [
            {"experiment": experiment, "key": key, "value": value}
            for key, value in tags.items()
            if value is not None
        ]
        gone = [key for key, value in tags.items() if value is None]
        if rows:
            statement = insert(self._db, experiment_tags)
            change = statement.on_conflict_do_update(
                index_elements=[_t.experiment, _t.key], set_={"value": statement.excluded.value}
            )
            self._db.execute(change, rows)
        if gone:
            mine = _t.experiment == experiment
            self._db.execute(sa.delete(experiment_tags).where(mine, _t.key.in_(gone)))
        if tags:
            changed = sa.update(experiments).where(_c.id == experiment)
            self._db.execute(changed.values(modified_at=micros(now)))

    def search(self, workspace: int, search: Search, view: View) -> Listed[Experiment]:
        """Return one page of the experiments that a search finds."""
        which = asked(search, view, workspace)
        sorts = [*map(_sort, search.orders), _CREATED, _NEWEST]
        terms = [_c.workspace == workspace]
        if view is not View.ALL:
            deleted = _c.deleted_at.is_not(None)
            terms.append(deleted if view is View.DELETED else sa.not_(deleted))
        if search.condition is not None:
            terms.append(self._sql(search.condition))
        if search.after is not None:
            place = read_token(search.after, which, [len(sorts)])
            terms.append(after(sorts, place.values))
        query = (
            sa.select(_c.id, *(sort.column for sort in sorts))
            .where(*terms)
            .order_by(*(sort.term for sort in sorts))
            .limit(search.limit + 1)
        )
        rows = self._db.execute(query).all()
        shown = rows[: search.limit]
        token = None
        if len(rows) > len(shown) and shown:
            token = write_token(Place(which, 0, list(shown[-1][1:])))
        return Listed(self._these([row[0] for row in shown]), token)

    def _sql(self, condition: Condition) -> sa.ColumnElement[bool]:
        if isinstance(condition, Every):
            return sa.and_(*map(self._sql, condition.terms))
        if isinstance(condition, Some):
            return sa.or_(*map(self._sql, condition.terms))
        if isinstance(condition, Not):
            return sa.not_(self._sql(condition.term))
        if condition.operand.entity is Entity.TAG:
            return self._tag(condition)
        column = _COLUMNS[condition.operand.key]
        if condition.operand.key.endswith("time"):
            return times(column, condition)
        return plain(self._db.dialect.name, column, condition)

    def _tag(self, c: Compare) -> sa.ColumnElement[bool]:
        holders = sa.select(_t.experiment).where(_t.key == c.operand.key)
        if c.op in (Op.NULL, Op.NOT_NULL):
            return _c.id.in_(holders) if c.op is Op.NOT_NULL else _c.id.not_in(holders)
        dialect = self._db.dialect.name
        if c.op in (Op.LIKE, Op.ILIKE):
            pattern = str(c.values[0])
            term = like(dialect, _t.value, pattern, insensitive=c.op is Op.ILIKE)
        else:
            term = plain(dialect, _t.value, c)
        return _c.id.in_(holders.where(term))

    def _these(self, rows: list[int]) -> list[Experiment]:
        found = self._filled(self._db.execute(_THESE, {"experiments": rows}).all())
        by_id = {one.id: one for one in found}
        return [by_id[row] for row in rows]

    def _filled(self, rows: Any) -> list[Experiment]:
        tags: dict[int, dict[str, str]] = {row.id: {} for row in rows}
        for experiment, key, value in self._db.execute(_TAGS, {"experiments": list(tags)}):
            tags[experiment][key] = value
        return [_experiment_of(row, tags[row.id]) for row in rows]


_CREATED = Sort(_c.created_at, descending=True)
_NEWEST = Sort(_c.id, descending=True, nullable=False)


def _sort(order: Order) -> Sort:
    if order.operand.entity is not Entity.ATTRIBUTE:
        raise InvalidInput(
            "experiments are sorted by name, experiment_id, creation_time or last_update_time",
            path="order_by",
        )
    key = order.operand.key
    column = _c.id if key == "experiment_id" else _COLUMNS[key]
    return Sort(column, order.descending)


def _experiment_of(row: Row, tags: dict[str, str]) -> Experiment:
    return Experiment(
        id=row.id,
        workspace=row.workspace,
        name=row.name,
        deleted=row.deleted_at is not None,
        created_at=None if row.created_at is None else moment(row.created_at),
        modified_at=None if row.modified_at is None else moment(row.modified_at),
        tags=tags,
    )


def _taken(name: str) -> Conflict:
    return Conflict(f"Experiment(name={name[:300]}) already exists.")
