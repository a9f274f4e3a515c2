"""Traces as rows. Searches are in `trace_search.py`, spans in `trace_spans.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from lazulite.domain.errors import NotFound
from lazulite.domain.search import Search
from lazulite.domain.trace import Changes, Trace, TraceState
from lazulite.ports.listed import Listed
from lazulite.store.columns import Row, among, insert, within
from lazulite.store.trace_assessments import assessments_of
from lazulite.store.trace_labels import Labelled, labels_of, remove_label, set_labels
from lazulite.store.trace_search import TraceSearch
from lazulite.store.trace_tables import assessments, run_traces, spans, trace_labels, traces

_t = traces.c
_NAMED = sa.select(traces).where(
    _t.workspace == sa.bindparam("workspace"), among(_t.trace, "names")
)
_THESE = sa.select(traces).where(among(_t.id, "traces"))


class SqlTraces:
    """`ports.traces.Traces` in one transaction of either database."""

    __slots__ = ("_db",)

    def __init__(self, db: sa.Connection) -> None:
        self._db = db

    def add(self, workspace: int, traces_: Sequence[Trace]) -> list[int]:
        """Store new traces."""
        rows = [{"workspace": workspace, "trace": one.trace, **_columns(one)} for one in traces_]
        if not rows:
            return []
        # where another transaction was faster, this one is made to run again
        made = insert(self._db, traces).on_conflict_do_nothing().returning(_t.trace, _t.id)
        ids: dict[str, int] = dict(self._db.execute(made, rows).all())
        set_labels(
            self._db,
            [Labelled(ids[one.trace], one.experiment, one.tags, one.metadata) for one in traces_],
        )
        return [ids[one.trace] for one in traces_]

    def save(self, trace: Trace) -> None:
        """Write what a trace is, and add its labels; what belongs to it moves with it."""
        db = self._db
        old = db.execute(sa.select(_t.experiment).where(_t.id == trace.id)).scalar()
        db.execute(sa.update(traces).where(_t.id == trace.id).values(_columns(trace)))
        set_labels(db, [Labelled(trace.id, trace.experiment, trace.tags, trace.metadata)])
        if old != trace.experiment:
            for table in (trace_labels, spans, assessments):
                mine = sa.update(table).where(table.c.trace == trace.id)
                db.execute(mine.values(experiment=trace.experiment))

    def relabel(self, trace: Trace, changes: Changes) -> None:
        """Set labels, and remove those of None."""
        kept = [
            {key: value for key, value in labels.items() if value is not None}
            for labels in (changes.tags, changes.metadata)
        ]
        set_labels(self._db, [Labelled(trace.id, trace.experiment, *kept)])
        for tag, labels in ((True, changes.tags), (False, changes.metadata)):
            for key, value in labels.items():
                if value is None and not remove_label(self._db, trace.id, key, tag=tag):
                    raise NotFound(
                        f"No trace tag with key '{key[:300]}' for trace with ID '{trace.trace}'"
                    )

    def find(self, workspace: int, names: Sequence[str]) -> list[Trace]:
        """Return those of the named that exist."""
        which = {"workspace": workspace, "names": list(names)}
        found = {one.trace: one for one in self._filled(self._db.execute(_NAMED, which).all())}
        return [found[name] for name in dict.fromkeys(names) if name in found]

    def get(self, workspace: int, name: str) -> Trace:
        """Return one."""
        found = self.find(workspace, [name])
        if not found:
            raise NotFound(f"Trace with ID '{name[:300]}' not found.")
        return found[0]

    def search(
        self, workspace: int, experiments: Sequence[int] | None, search: Search
    ) -> Listed[Trace]:
        """Return one page."""
        rows, token = TraceSearch(self._db, workspace, experiments).page(search)
        stored = self._db.execute(_THESE, {"traces": rows}).all()
        found = {one.id: one for one in self._filled(stored)}
        return Listed([found[row] for row in rows], token)

    def link(self, run: int, traces_: Sequence[int]) -> None:
        """Link traces to a run; those that are linked stay so."""
        if traces_:
            rows = [{"run": run, "trace": trace} for trace in traces_]
            self._db.execute(insert(self._db, run_traces).on_conflict_do_nothing(), rows)

    def delete(
        self, experiment: int, before: int | None, most: int | None, names: Sequence[str] | None
    ) -> int:
        """Delete traces with all that belongs to them."""
        chosen = sa.select(_t.id).where(_t.experiment == experiment)
        if before is not None:
            chosen = chosen.where(_t.created <= before)
        if names is not None:
            chosen = chosen.where(within(_t.trace, names))
        if most is not None:
            chosen = chosen.order_by(_t.created, _t.id).limit(most)
        return self._db.execute(sa.delete(traces).where(_t.id.in_(chosen))).rowcount

    def _filled(self, rows: Sequence[Row]) -> list[Trace]:
        ids = [row.id for row in rows]
        labels = labels_of(self._db, ids)
        said = assessments_of(self._db, ids)
        return [
            Trace(
                id=row.id,
                trace=row.trace,
                experiment=row.experiment,
                created=row.created,
                duration=row.duration,
                state=TraceState(row.state),
                client_request=row.client_request,
                request=row.request,
                response=row.response,
                finalized=row.finalized,
                tags=labels[row.id].tags,
                metadata=labels[row.id].metadata,
                assessments=said[row.id],
            )
            for row in rows
        ]


def _columns(trace: Trace) -> dict[str, Any]:
    return {
        "experiment": trace.experiment,
        "created": trace.created,
        "duration": trace.duration,
        "state": trace.state.value,
        "client_request": trace.client_request,
        "request": trace.request,
        "response": trace.response,
        "finalized": trace.finalized,
    }
