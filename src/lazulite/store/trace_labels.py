"""Tags and metadata of traces as rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from lazulite.store.columns import among
from lazulite.store.keys import ensure_keys, key_ids
from lazulite.store.trace_tables import trace_labels
from lazulite.store.tracking_tables import HEAD, keys
from lazulite.store.upserts import upsert

_l = trace_labels.c
_OF = (
    sa.select(_l.trace, _l.tag, keys.c.name, _l.text, _l.rest)
    .join(keys, keys.c.id == _l.key)
    .where(among(_l.trace, "traces"))
    .order_by(_l.trace, keys.c.name)
)


class Labels(NamedTuple):
    """What one trace is labelled with."""

    tags: dict[str, str]
    metadata: dict[str, str]


class Labelled(NamedTuple):
    """A trace, and the labels to set."""

    trace: int  # row ids
    experiment: int
    tags: Mapping[str, str]
    metadata: Mapping[str, str]


def set_labels(db: sa.Connection, labelled: Iterable[Labelled]) -> None:
    """Set tags and metadata; others stay."""
    found = [
        (one, tag, key, value)
        for one in labelled
        for tag, labels in ((True, one.tags), (False, one.metadata))
        for key, value in labels.items()
    ]
    if not found:
        return
    ids = ensure_keys(db, (key for _, _, key, _ in found))
    rows: list[dict[str, Any]] = [
        {
            "trace": one.trace,
            "tag": tag,
            "key": ids[key],
            "experiment": one.experiment,
            "text": value[:HEAD],
            "rest": value[HEAD:] or None,
        }
        for one, tag, key, value in found
    ]
    upsert(db, trace_labels, ("trace", "tag", "key"), rows)


def remove_label(db: sa.Connection, trace: int, key: str, *, tag: bool) -> bool:
    """Remove a label; False if there was none."""
    row = key_ids(db, [key]).get(key)
    if row is None:
        return False
    gone = sa.delete(trace_labels).where(
        _l.trace == trace, _l.tag == sa.literal(tag), _l.key == row
    )
    return db.execute(gone).rowcount > 0


def labels_of(db: sa.Connection, traces: Sequence[int]) -> dict[int, Labels]:
    """Return the labels of traces."""
    found = {trace: Labels({}, {}) for trace in traces}
    for trace, tag, key, text, rest in db.execute(_OF, {"traces": list(traces)}):
        labels = found[trace]
        (labels.tags if tag else labels.metadata)[key] = text + (rest or "")
    return found
