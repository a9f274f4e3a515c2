"""Every measurement runs, small; what it measures is not judged here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import measures, tracking_bench
from tests.bench.table import columns, table
from tests.e2e.server import running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_every_measurement_gives_rows(tmp_path: Path) -> None:
    with running(tmp_path / "home", LAZULITE_SLOTS="2") as server:
        bench = measures.Bench(server=server, folder=tmp_path, rounds=1)
        measures.warm_up(bench)
        rows = [
            *measures.ready(bench),
            *measures.first_lines(bench),
            *measures.commands(bench),
            *measures.chain(bench, length=3),
            *measures.fan_out(bench, width=4),
            *measures.again(bench, length=3, width=4),
            *measures.snapshot(bench, files=50),
            *measures.idle(bench, period=0.5),
        ]
        print(server.tail())
    assert len(table(rows).splitlines()) == len(rows) + 2
    assert set(bench.phases) >= {"starting", "running", "finalizing"}


def test_every_measurement_of_tracking_gives_a_line(tmp_path: Path) -> None:
    lines = tracking_bench.measured(tmp_path, sizes=(60,), rounds=1, beside=False)
    printed = columns([tracking_bench.HEAD, *(line.cells for line in lines)])
    assert len(printed.splitlines()) == 16 + 2
    assert all(line.value > 0 for line in lines)
