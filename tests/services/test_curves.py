"""Many curves at once: what a page of charts asks for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lazulite.domain.ids import DEFAULT_WORKSPACE as HERE
from lazulite.domain.job import JobKind, JobStatus
from lazulite.domain.run import Batch, Point, RunHead
from lazulite.services import curves, workspaces
from lazulite.services.context import Services
from lazulite.services.curves import Curves
from tests.records import a_job
from tests.wire.live import make_services

PART = 35_000  # points


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    made = make_services(tmp_path, lambda _: None)
    workspaces.ensure_default(made)
    yield made
    made.store.close()


def test_a_look_at_a_long_curve_makes_the_next_one_quick(services: Services) -> None:
    job = a_job(1, "r", experiment="e", kind=JobKind.RUN, status=JobStatus.RUNNING)
    run: RunHead = services.store.write(lambda tx: tx.runs.start(job, None))

    def log(first: int) -> None:
        points = [Point("m", float(step == 99), 7, step) for step in range(first, first + PART)]
        services.store.write(lambda tx: tx.runs.log(run, Batch(metrics=points)))

    def is_long() -> bool:
        return services.store.read(lambda tx: tx.metrics.is_long(run.id, "m"))

    for first in range(0, 4 * PART, PART):
        log(first)
    assert is_long()
    asked = Curves(runs=["r", "gone"], key="m", limit=40)
    before = curves.sampled(services, HERE, asked)
    assert not is_long()
    log(4 * PART)
    after = curves.sampled(services, HERE, asked)
    for found in (before, after):
        assert ("r", Point("m", 1.0, 7, 99)) in found
        assert {name for name, _ in found} == {"r"}
    assert [found[-1][1].step for found in (before, after)] == [4 * PART - 1, 5 * PART - 1]
