"""Tells whoever watches a job what changed in it. In memory; a lost message is a later look."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from lazulite.domain.job import Job

Notify = Callable[[bool], None]
MAX_BACKLOG = 20_000  # changes kept for a slow watcher; older ones are dropped


class Subscription:
    """One watcher of one job and all that runs below it. `take` may be called from any thread."""

    def __init__(self, root: int, notify: Notify) -> None:
        """Watch the tree of `root`, the row id of a job.

        Args:
            root: the row id.
            notify: called when there is something to `take`, once until it is taken; with True
                when the root ended, whatever was not taken before.
        """
        self.root = root
        self._notify = notify
        self._news: deque[tuple[Job, str]] = deque(maxlen=MAX_BACKLOG)
        self._told = False  # and nothing was taken since

    def put(self, news: Sequence[tuple[Job, str]]) -> None:
        """Add (job, dotted node path) pairs and notify."""
        self._news.extend(news)
        ended = any(job.id == self.root and job.is_final for job, _ in news)
        if ended or not self._told:
            self._told = True
            self._notify(ended)

    def take(self) -> list[tuple[Job, str]]:
        """Return what changed since the last call, oldest first."""
        self._told = False  # first: what is put from now on is told of again
        taken = []
        while self._news:
            taken.append(self._news.popleft())
        return taken


class Changes:
    """The switchboard between the engine, which publishes, and watchers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watchers: dict[int, list[Subscription]] = {}

    def subscribe(self, root: int, notify: Notify) -> Subscription:
        """Start to watch the job with row id `root`."""
        subscription = Subscription(root, notify)
        with self._lock:
            self._watchers.setdefault(root, []).append(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Stop watching; harmless when already stopped."""
        with self._lock:
            watchers = self._watchers.get(subscription.root, [])
            if subscription in watchers:
                watchers.remove(subscription)
            if not watchers:
                self._watchers.pop(subscription.root, None)

    def publish(self, news: Iterable[tuple[Job, str]]) -> None:
        """Hand each (job, dotted path) to the watchers of its root."""
        if not self._watchers:
            return
        by_root: dict[int, list[tuple[Job, str]]] = {}
        for job, path in news:
            by_root.setdefault(job.root or job.id, []).append((job, path))
        with self._lock:
            found = [(w, by_root[r]) for r in by_root for w in self._watchers.get(r, ())]
        for watcher, mine in found:
            try:
                watcher.put(mine)
            except RuntimeError:  # its event loop was closed: nobody listens any more
                self.unsubscribe(watcher)
