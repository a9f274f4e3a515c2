"""What was said of traces, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from lazulite.domain.errors import NotFound
from lazulite.domain.trace import Assessment, Trace
from lazulite.store.columns import among, encode
from lazulite.store.trace_tables import assessments
from lazulite.store.tracking_tables import HEAD
from lazulite.store.upserts import upsert

_a = assessments.c
_ONE = sa.select(_a.body).where(
    _a.trace == sa.bindparam("trace"), _a.assessment == sa.bindparam("assessment")
)
_OF = sa.select(_a.trace, _a.body).where(among(_a.trace, "traces")).order_by(_a.trace, _a.id)
_decode = msgspec.json.Decoder(Assessment).decode


class SqlAssessments:
    """`ports.traces.Assessments` in one transaction of either database."""

    __slots__ = ("_db",)

    def __init__(self, db: sa.Connection) -> None:
        self._db = db

    def put(self, trace: Trace, assessments_: Sequence[Assessment]) -> None:
        """Create or replace."""
        rows = [_row(trace, one) for one in assessments_]
        upsert(self._db, assessments, ("trace", "assessment"), rows)

    def get(self, trace: Trace, assessment: str) -> Assessment:
        """Return one."""
        key = {"trace": trace.id, "assessment": assessment}
        body: bytes | None = self._db.execute(_ONE, key).scalar()
        if body is None:
            raise NotFound(
                f"Assessment with ID '{assessment[:100]}' not found for trace '{trace.trace}'"
            )
        return _decode(body)

    def delete(self, trace: Trace, assessment: str) -> None:
        """Delete one, if it is there."""
        mine = _a.trace == trace.id, _a.assessment == assessment
        self._db.execute(sa.delete(assessments).where(*mine))


def assessments_of(db: sa.Connection, traces: Sequence[int]) -> dict[int, list[Assessment]]:
    """Return what was said of traces, in the order it was."""
    found: dict[int, list[Assessment]] = {trace: [] for trace in traces}
    for trace, body in db.execute(_OF, {"traces": list(traces)}):
        found[trace].append(_decode(body))
    return found


def _row(trace: Trace, one: Assessment) -> dict[str, Any]:
    text = one.value if isinstance(one.value, str) else encode(one.value).decode()
    is_number = isinstance(one.value, int | float) and not isinstance(one.value, bool)
    return {
        "trace": trace.id,
        "assessment": one.id,
        "experiment": trace.experiment,
        "kind": one.kind,
        "name": one.name,
        "valid": one.valid,
        "text": text[:HEAD],
        "rest": text[HEAD:] or None,
        "number": float(one.value) if is_number else None,
        "body": encode(one),
    }
