"""Conditions of searches of traces as SQL. See ADR 0015."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import FunctionElement

from lazulite.domain.errors import InvalidInput
from lazulite.domain.search import Compare, Condition, Entity, Every, Not, Op, Some
from lazulite.domain.trace import NAME, RUN
from lazulite.store.conditions import Bool, is_one_of, nullable, numeric, plain
from lazulite.store.keys import NO_KEY
from lazulite.store.tables import jobs
from lazulite.store.texts import compare_text
from lazulite.store.trace_tables import assessments, run_traces, spans, trace_labels, traces

_t, _s = traces.c, spans.c
_NULLS = (Op.NULL, Op.NOT_NULL)
ATTRIBUTE = "attributes."  # what the key of a span's attribute begins with


class attribute(FunctionElement[str]):  # noqa: N801 - SQLAlchemy's way of naming a function
    """`attribute(content, key)`: an attribute in a span's document, as text; NULL if not there."""

    type = sa.Text()
    inherit_cache = True

    def __init__(self, content: sa.ColumnElement[str], key: str) -> None:
        super().__init__(content, sa.bindparam("attribute", key, sa.Text(), unique=True))


@compiles(attribute)
def _attribute(element: attribute, compiler: SQLCompiler, **kw: Any) -> str:
    content, key = (compiler.process(clause, **kw) for clause in element.clauses)
    text = "CASE type WHEN 'true' THEN type WHEN 'false' THEN type ELSE CAST(value AS TEXT) END"
    return f"(SELECT {text} FROM json_each({content}, '$.attributes') WHERE key = {key})"  # noqa: S608 - compiled SQL


@compiles(attribute, "postgresql")
def _attribute_of_json(element: attribute, compiler: SQLCompiler, **kw: Any) -> str:
    content, key = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"(CAST({content} AS JSON) -> 'attributes' ->> {key})"


class TraceConditions:
    """Turns conditions on traces into SQL."""

    def __init__(
        self, dialect: str, workspace: int, within: Sequence[int], ids: Mapping[str, int]
    ) -> None:
        """Know what names mean; arguments as for `RunConditions`."""
        self._dialect = dialect
        self._workspace = workspace
        self._within = within
        self._ids = ids

    def sql(self, condition: Condition) -> Bool:
        """Return a whole condition; what one AND says of spans holds for one span."""
        if isinstance(condition, Every):
            of_spans = [term for term in condition.terms if _is_of_span(term)]
            others = [self.sql(term) for term in condition.terms if not _is_of_span(term)]
            together = [self._span_has(of_spans)] if of_spans else []  # type: ignore[arg-type]
            return sa.and_(*others, *together)
        if isinstance(condition, Some):
            return sa.or_(*map(self.sql, condition.terms))
        if isinstance(condition, Not):
            return sa.not_(self.sql(condition.term))
        return _BY_ENTITY[condition.operand.entity](self, condition)

    def key(self, name: str) -> int:
        """Return the row id of a key; one that no row has if it is unknown."""
        return self._ids.get(name, NO_KEY)

    def label(self, c: Compare) -> Bool:
        """Return a comparison of a tag or of metadata."""
        return self._labelled(c, c.operand.key, tag=c.operand.entity is Entity.TAG)

    def span(self, c: Compare) -> Bool:
        """Return a comparison that holds for one span at least."""
        return self._span_has([c])

    def assessment(self, c: Compare) -> Bool:
        """Return a comparison of feedback, or of what was expected; what was overridden is not."""
        a = assessments.c
        named = sa.select(a.trace).where(
            is_one_of(a.experiment, self._within),
            a.name == c.operand.key,
            a.kind == c.operand.entity.value,
            a.valid,
        )
        if c.op in _NULLS:
            return _t.id.in_(named) if c.op is Op.NOT_NULL else _t.id.not_in(named)
        number = isinstance(c.values[0], float)
        term = numeric(c, a.number) if number else compare_text(self._dialect, assessments, c)
        return _t.id.in_(named.where(term))

    def attribute(self, c: Compare) -> Bool:
        """Return a comparison of what a trace is."""
        key = c.operand.key
        if key == "name":
            return self._labelled(c, NAME, tag=True)
        if key == "run_id":
            return self._run(c)
        if key == "text":
            return self._text(c)
        if key in NUMBERS:
            return nullable(c, NUMBERS[key])
        return plain(self._dialect, TEXTS[key], c)

    def _labelled(self, c: Compare, key: str, *, tag: bool) -> Bool:
        x = trace_labels.c
        found = sa.select(x.trace).where(
            is_one_of(x.experiment, self._within),
            x.key == self.key(key),
            x.tag == sa.literal(tag),
        )
        if c.op in _NULLS:
            return _t.id.in_(found) if c.op is Op.NOT_NULL else _t.id.not_in(found)
        return _t.id.in_(found.where(compare_text(self._dialect, trace_labels, c)))

    def _run(self, c: Compare) -> Bool:
        """Find the traces of a run: those that it made, and those that were linked to it."""
        made = self._labelled(c, RUN, tag=False)
        if c.op not in (Op.EQ, Op.IN):
            return made
        names = [str(value) for value in c.values]
        linked = sa.select(run_traces.c.trace).join(jobs, jobs.c.id == run_traces.c.run)
        return made | _t.id.in_(
            linked.where(jobs.c.workspace == self._workspace, jobs.c.name.in_(names))
        )

    def _text(self, c: Compare) -> Bool:
        if c.op not in (Op.LIKE, Op.ILIKE):
            raise InvalidInput("text is compared by LIKE and ILIKE", path="filter", at=c.at)
        found = plain(self._dialect, _s.content, c) | plain(self._dialect, _s.name, c)
        return sa.exists().where(_s.trace == _t.id, found).correlate(traces)

    def _span_has(self, terms: Sequence[Compare]) -> Bool:
        """Say that one span satisfies all terms."""
        found = [self._of_span(c) for c in terms]
        if any(c.operand.key.startswith(ATTRIBUTE) for c in terms):
            return sa.exists().where(_s.trace == _t.id, *found).correlate(traces)
        inside = is_one_of(_s.experiment, self._within)
        return _t.id.in_(sa.select(_s.trace).where(inside, *found))

    def _of_span(self, c: Compare) -> Bool:
        key = c.operand.key
        if not key.startswith(ATTRIBUTE):
            return plain(self._dialect, _s[key], c)
        return plain(self._dialect, attribute(_s.content, key.removeprefix(ATTRIBUTE)), c)


TEXTS: Mapping[str, sa.ColumnElement[Any]] = {
    "trace_id": _t.trace,
    "status": _t.state,
    "client_request_id": _t.client_request,
    "experiment_id": sa.cast(_t.experiment, sa.Text),
}
NUMBERS: Mapping[str, sa.ColumnElement[Any]] = {
    "timestamp": _t.created,
    "execution_time": _t.duration,
    "end_time": _t.created + sa.func.coalesce(_t.duration, 0),
}
_BY_ENTITY: Mapping[Entity, Callable[[TraceConditions, Compare], Bool]] = {
    Entity.TAG: TraceConditions.label,
    Entity.METADATA: TraceConditions.label,
    Entity.SPAN: TraceConditions.span,
    Entity.FEEDBACK: TraceConditions.assessment,
    Entity.EXPECTATION: TraceConditions.assessment,
    Entity.ATTRIBUTE: TraceConditions.attribute,
}


def _is_of_span(condition: Condition) -> bool:
    return isinstance(condition, Compare) and condition.operand.entity is Entity.SPAN
