"""Who watches a job hears of it and of all below it."""

from __future__ import annotations

from lazulite.domain.job import JobStatus
from lazulite.services.changes import Changes
from tests.records import a_job


def test_a_watcher_hears_of_its_tree_only() -> None:
    changes, notified = Changes(), []
    watcher = changes.subscribe(1, notified.append)
    root, child, other = a_job(1, id=1), a_job(1, id=2, root=1), a_job(1, id=3)
    changes.publish([(root, ""), (child, "a"), (other, "")])
    assert watcher.take() == [(root, ""), (child, "a")]
    assert watcher.take() == []
    assert notified == [False]


def test_who_stopped_watching_hears_nothing() -> None:
    changes, notified = Changes(), []
    first = changes.subscribe(1, lambda _: notified.append("first"))
    changes.subscribe(1, lambda _: notified.append("second"))
    changes.unsubscribe(first)
    changes.unsubscribe(first)
    changes.publish([(a_job(1, id=1), "")])
    assert notified == ["second"]


def test_nobody_watching_costs_nothing() -> None:
    changes = Changes()
    changes.unsubscribe(changes.subscribe(1, lambda _: None))
    changes.publish(iter([(a_job(1, id=1), "")]))


def test_a_watcher_whose_loop_is_closed_is_forgotten() -> None:
    changes, heard = Changes(), []

    def closed(_: bool) -> None:
        heard.append("closed")
        raise RuntimeError("Event loop is closed")

    changes.subscribe(1, closed)
    watcher = changes.subscribe(1, lambda _: heard.append("open"))
    for _ in range(2):
        changes.publish([(a_job(1, id=1), "")])
        watcher.take()
    assert heard == ["closed", "open", "open"]


def test_a_watcher_is_told_once_until_it_takes() -> None:
    changes, notified = Changes(), []
    watcher = changes.subscribe(1, notified.append)
    for _ in range(3):
        changes.publish([(a_job(1, id=2, root=1), "a")])
    assert (notified, len(watcher.take())) == ([False], 3)
    changes.publish([(a_job(1, id=2, root=1), "a")])
    assert notified == [False, False]


def test_the_end_of_the_root_is_told_at_once() -> None:
    changes, notified = Changes(), []
    changes.subscribe(1, notified.append)
    changes.publish([(a_job(1, id=2, root=1), "a")])
    changes.publish([(a_job(1, id=1, status=JobStatus.COMPLETED), "")])
    assert notified == [False, True]
