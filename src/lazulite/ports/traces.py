"""Traces in the database. Parts of `ports.store.Tx`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from lazulite.domain.search import Search
from lazulite.domain.trace import Assessment, Changes, Span, Trace
from lazulite.domain.trace_merge import Node
from lazulite.ports.listed import Listed


class Traces(Protocol):
    """Traces, what is said of them, and their spans.

    `add` stores traces that are not there, with their labels, and returns their row ids in order.
    `save` writes the columns of one that is, and adds its labels; `relabel` sets and removes labels
    and raises NotFound where one to remove is not there. `find` gives those of the named that
    exist, in the order of the names; `get` raises NotFound. `search` is newest first where the
    orders leave a choice; no experiments means every one of the workspace. `delete` deletes those
    of an experiment that were created at or before a time, oldest first, and says how many; what is
    None does not narrow.
    """

    def add(self, workspace: int, traces: Sequence[Trace]) -> list[int]: ...

    def save(self, trace: Trace) -> None: ...

    def relabel(self, trace: Trace, changes: Changes) -> None: ...

    def find(self, workspace: int, names: Sequence[str]) -> list[Trace]: ...

    def get(self, workspace: int, name: str) -> Trace: ...

    def search(
        self, workspace: int, experiments: Sequence[int] | None, search: Search
    ) -> Listed[Trace]: ...

    def link(self, run: int, traces: Sequence[int]) -> None: ...

    def delete(
        self, experiment: int, before: int | None, most: int | None, names: Sequence[str] | None
    ) -> int: ...


class Spans(Protocol):
    """Spans of traces, by the row ids of the traces.

    `add` replaces those that are there already. `of` gives roots first, then by start; it raises
    TooLarge when they have more than `limit` bytes together. `nodes` leaves the documents alone.
    """

    def add(self, traces: Mapping[str, tuple[int, int]], spans: Sequence[Span]) -> None: ...

    def of(self, traces: Sequence[int], limit: int) -> Mapping[int, list[Span]]: ...

    def nodes(self, trace: int) -> list[Node]: ...


class Assessments(Protocol):
    """What was said of a trace. `get` raises NotFound; `put` creates or replaces.

    `delete` does nothing where there is none.
    """

    def put(self, trace: Trace, assessments: Sequence[Assessment]) -> None: ...

    def get(self, trace: Trace, assessment: str) -> Assessment: ...

    def delete(self, trace: Trace, assessment: str) -> None: ...
