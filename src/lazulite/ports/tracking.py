"""What runs log, in the database: experiments, params, metrics, tags. Parts of `ports.store.Tx`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from lazulite.domain.job import Job
from lazulite.domain.run import Batch, Experiment, Point, RunHead, RunRecord, Summary, View
from lazulite.domain.search import Search
from lazulite.ports.listed import Listed


class Experiments(Protocol):
    """Experiments. `add` raises Conflict when the name is taken; `get`, `named` raise NotFound.

    `ensure` returns the one of that name, made if it is new. `edit` changes name and deleted, and
    raises Conflict like `add`. A tag of None is removed by `set_tags`. `search` is ordered by
    creation, newest first, where the orders leave a choice.
    """

    def add(self, workspace: int, name: str, tags: Mapping[str, str], now: datetime) -> int: ...

    def ensure(self, workspace: int, name: str, now: datetime) -> Experiment: ...

    def get(self, workspace: int, experiment: int) -> Experiment: ...

    def named(self, workspace: int, name: str) -> Experiment: ...

    def edit(self, experiment: int, now: datetime, **fields: Any) -> None: ...

    def set_tags(self, experiment: int, tags: Mapping[str, str | None], now: datetime) -> None: ...

    def search(self, workspace: int, search: Search, view: View) -> Listed[Experiment]: ...


class Runs(Protocol):
    """Jobs as runs. `head` and `get` raise NotFound.

    `start` stores a bare run below `parent` (the name of a run that may not exist). `log` writes a
    batch whole or not at all: points that are there already are left alone; a param that has
    another value raises InvalidInput. `untag` raises NotFound if the run has no such tag. `search`
    is ordered by creation, newest first, where the orders leave a choice; `experiments` None is
    every one of the workspace. `sample` writes points of many runs, by row id; those that are gone
    are left out. `purge` deletes a run with everything logged to it.
    """

    def start(self, job: Job, parent: str | None) -> RunHead: ...

    def head(self, workspace: int, name: str) -> RunHead: ...

    def get(self, workspace: int, name: str) -> RunRecord: ...

    def log(self, run: RunHead, batch: Batch) -> None: ...

    def sample(self, points: Mapping[int, Sequence[Point]]) -> None: ...

    def untag(self, run: RunHead, key: str) -> None: ...

    def search(
        self, workspace: int, experiments: Sequence[int] | None, search: Search, view: View
    ) -> Listed[RunRecord]: ...

    def purge(self, run: int) -> None: ...


class Metrics(Protocol):
    """Points of metrics, in the order of step, time, value.

    `count` is of all metrics of a run. `summaries` are of metrics of several runs, by their names,
    at most `limit`; keys None = all. `sampled` gives a part of a metric in at most `limit` points
    and the two at its ends: the lowest and the highest of each piece of it. It looks at every point
    that `roll` has not seen: `is_long` says that these are many. `roll` does a bit, and returns
    whether there is more; later points change nothing of what `sampled` gives.
    """

    def history(self, run: int, key: str, limit: int, after: str | None) -> Listed[Point]: ...

    def count(self, run: int) -> int: ...

    def summaries(
        self, workspace: int, runs: Sequence[str], keys: Sequence[str] | None, limit: int
    ) -> list[tuple[str, str, Summary]]: ...

    def sampled(
        self, run: int, key: str, steps: tuple[int | None, int | None], limit: int
    ) -> list[Point]: ...

    def is_long(self, run: int, key: str) -> bool: ...

    def roll(self, run: int, key: str) -> bool: ...
