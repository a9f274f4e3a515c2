"""The planner: how far a pipeline is, and what may run next. Pure; it costs O(1) per edge."""

from __future__ import annotations

from collections.abc import Mapping

from lazulite.domain.job import FINAL, JobStatus
from lazulite.domain.pipeline import Node, upstream


class Progress:
    """The states of one pipeline level's nodes.

    A node runs once: `start` and `finish` return each node name at most once. After a failure no
    new node is returned (`stopping`), unless the pipeline continues on failure: then only what
    needs the failed node stays out.
    """

    def __init__(self, nodes: Mapping[str, Node], *, continue_on_failure: bool) -> None:
        self._continue = continue_on_failure
        self._dependents: dict[str, list[str]] = {name: [] for name in nodes}
        self._missing: dict[str, int] = {}
        for name, node in nodes.items():
            needs = {n for n, _ in upstream(node)}
            self._missing[name] = len(needs)
            for need in needs:
                self._dependents[need].append(name)
        self.states: dict[str, JobStatus] = {}
        self._active: set[str] = set()
        self.stopping = False

    def start(self) -> list[str]:
        """Return the nodes that need no other, in the order they were written."""
        return self._offer([name for name, missing in self._missing.items() if missing == 0])

    def finish(self, node: str, status: JobStatus) -> list[str]:
        """Record that a node ended; return the nodes that may run now."""
        if status not in FINAL or self.states.get(node) in FINAL:
            return []
        self.states[node] = status
        self._active.discard(node)
        if status is not JobStatus.COMPLETED:
            self.stopping = self.stopping or not self._continue
            return []
        ready = []
        for dependent in self._dependents[node]:
            self._missing[dependent] -= 1
            if self._missing[dependent] == 0:
                ready.append(dependent)
        return self._offer(ready)

    def adopt(self, node: str) -> None:
        """Count a node as active that an engine before this one started."""
        self._active.add(node)

    def stop(self) -> None:
        """Let no further node start."""
        self.stopping = True

    @property
    def active(self) -> set[str]:
        """The nodes that were returned and have not finished."""
        return set(self._active)

    @property
    def outcome(self) -> JobStatus | None:
        """The pipeline's final status, None while a node is active."""
        if self._active:
            return None
        ended = set(self.states.values())
        if JobStatus.FAILED in ended:
            return JobStatus.FAILED
        if JobStatus.CANCELED in ended or len(self.states) < len(self._missing):
            return JobStatus.CANCELED
        return JobStatus.COMPLETED

    def _offer(self, names: list[str]) -> list[str]:
        if self.stopping:
            return []
        fresh = [n for n in names if n not in self._active and n not in self.states]
        self._active.update(fresh)
        return fresh
