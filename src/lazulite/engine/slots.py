"""Who may run now: slots of the machine and of each compute target, first come, first served."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Target:
    """The slots of one compute target. `limit` None = only the machine limits it."""

    name: str
    limit: int | None
    used: int = 0
    holders: dict[Hashable, int] = field(default_factory=dict)  # job -> slots it holds
    waiting: deque[tuple[Hashable, int]] = field(default_factory=deque)  # (job, slots it wants)


class Slots:
    """Counts slots. Each job wants one slot per instance, capped at what its target has in all.

    Capping means that a job for four instances runs alone on a machine with two slots instead of
    waiting for ever.
    """

    def __init__(self, machine: int) -> None:
        """`machine`: jobs at once over all targets, at least 1."""
        self.machine = machine
        self.used = 0
        self._targets: dict[tuple[int, str], Target] = {}
        self._place: dict[Hashable, Target] = {}

    def target(self, workspace: int, name: str, limit: int | None) -> Target:
        """Return the target of a compute, made on first use; the limit is kept up to date."""
        found = self._targets.setdefault((workspace, name), Target(name, limit))
        found.limit = limit
        return found

    def take(self, job: Hashable, target: Target, want: int) -> bool:
        """Give `job` its slots if they are free and nobody waits before it on that target."""
        if target.waiting or not self._fits(target, want):
            return False
        self._hold(job, target, want)
        return True

    def wait(self, job: Hashable, target: Target, want: int) -> None:
        """Queue `job` behind the others of its target."""
        target.waiting.append((job, want))
        self._place[job] = target

    def adopt(self, job: Hashable, target: Target, want: int) -> None:
        """Count a job that runs already, whatever the limits say."""
        self._hold(job, target, want)

    def release(self, job: Hashable) -> None:
        """Give back what `job` holds, or its place in the queue; harmless if neither."""
        target = self._place.pop(job, None)
        if target is None:
            return
        held = target.holders.pop(job, 0)
        target.used -= held
        self.used -= held
        if not held:
            target.waiting = deque(w for w in target.waiting if w[0] != job)

    def admit(self) -> list[Hashable]:
        """Give slots to those who wait and return them, oldest first on each target."""
        admitted: list[Hashable] = []
        if self.used >= self.machine:
            return admitted
        for target in self._targets.values():
            while target.waiting and self._fits(target, target.waiting[0][1]):
                job, want = target.waiting.popleft()
                self._hold(job, target, want)
                admitted.append(job)
        return admitted

    def why(self, job: Hashable) -> str | None:
        """Say why `job` waits; None when it does not."""
        target = self._place.get(job)
        if target is None or job in target.holders:
            return None
        ahead = next((i for i, (one, _) in enumerate(target.waiting.copy()) if one == job), 0)
        own = self.machine if target.limit is None else min(target.limit, self.machine)
        if target.limit is None or own - target.used > self.machine - self.used:
            who, free, limit = "this machine", self.machine - self.used, self.machine
        else:
            who, free, limit = f"compute '{target.name}'", own - target.used, own
        queue = f"{ahead} {'job is' if ahead == 1 else 'jobs are'} ahead in the queue"
        return f"{who} has {max(free, 0)} of {limit} slots free; {queue} of '{target.name}'"

    def _fits(self, target: Target, want: int) -> bool:
        want = self._capped(target, want)
        room = target.limit is None or target.used + want <= target.limit
        return room and self.used + want <= self.machine

    def _capped(self, target: Target, want: int) -> int:
        most = self.machine if target.limit is None else min(self.machine, target.limit)
        return max(1, min(want, most))

    def _hold(self, job: Hashable, target: Target, want: int) -> None:
        want = self._capped(target, want)
        target.holders[job] = want
        target.used += want
        self.used += want
        self._place[job] = target
