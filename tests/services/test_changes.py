"""Who watches a job hears of it and of all below it."""

from __future__ import annotations

from lazulite.services.changes import Changes
from tests.records import a_job


def test_a_watcher_hears_of_its_tree_only() -> None:
    changes, notified = Changes(), []
    watcher = changes.subscribe(1, lambda: notified.append(1))
    root, child, other = a_job(1, id=1), a_job(1, id=2, root=1), a_job(1, id=3)
    changes.publish([(root, ""), (child, "a"), (other, "")])
    assert watcher.take() == [(root, ""), (child, "a")]
    assert watcher.take() == []
    assert notified == [1]


def test_who_stopped_watching_hears_nothing() -> None:
    changes, notified = Changes(), []
    first = changes.subscribe(1, lambda: notified.append("first"))
    changes.subscribe(1, lambda: notified.append("second"))
    changes.unsubscribe(first)
    changes.unsubscribe(first)
    changes.publish([(a_job(1, id=1), "")])
    assert notified == ["second"]


def test_nobody_watching_costs_nothing() -> None:
    changes = Changes()
    changes.unsubscribe(changes.subscribe(1, lambda: None))
    changes.publish(iter([(a_job(1, id=1), "")]))


def test_a_watcher_whose_loop_is_closed_is_forgotten() -> None:
    changes, heard = Changes(), []

    def closed() -> None:
        heard.append("closed")
        raise RuntimeError("Event loop is closed")

    changes.subscribe(1, closed)
    changes.subscribe(1, lambda: heard.append("open"))
    for _ in range(2):
        changes.publish([(a_job(1, id=1), "")])
    assert heard == ["closed", "open", "open"]
