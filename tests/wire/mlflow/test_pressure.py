"""More than the server takes: it says so, and the client brings everything in all the same."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from itertools import islice
from typing import Any, TypeVar

import pytest

from lazulite.ports.store import Store, Tx
from lazulite.wire.intake import Limits
from tests.wire.live import Live, live_server

API = "/api/2.0/mlflow"
WRITERS, BATCHES, POINTS = 200, 3, 5
WAITING = 10  # requests that the server takes in while its store stands still
T = TypeVar("T")


class SlowStore:
    """A store whose writes take their time."""

    def __init__(self, store: Store, seconds: float) -> None:
        self._store = store
        self._seconds = seconds
        self.goes_on = threading.Event()
        self.goes_on.set()

    def read(self, work: Callable[[Tx], T]) -> T:
        return self._store.read(work)

    def write(self, work: Callable[[Tx], T]) -> T:
        return self._store.write(self._slowed(work))

    def submit(self, work: Callable[[Tx], T]) -> Future[T]:
        return self._store.submit(self._slowed(work))

    def close(self) -> None:
        self._store.close()

    def _slowed(self, work: Callable[[Tx], T]) -> Callable[[Tx], T]:
        def slow(tx: Tx) -> T:
            time.sleep(self._seconds)
            self.goes_on.wait()
            return work(tx)

        return slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server with a slow store and little room."""
    with live_server(
        tmp_path_factory.mktemp("pressure"),
        limits=Limits(writers=2, queue=8, memory=1 << 20),
        around=lambda store: SlowStore(store, 0.004),
    ) as live:
        yield live


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("uri", ["short"], indirect=True)
def test_what_200_writers_log_is_there_once_though_the_server_is_too_slow(
    mlflow: Any, server: Live, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES")
    client = mlflow.MlflowClient()
    run = client.create_run("0").info.run_id

    def write(writer: int) -> None:
        for batch in range(BATCHES):
            steps = range(batch * POINTS, (batch + 1) * POINTS)
            points = [mlflow.entities.Metric(f"w{writer}", step / 2, 1, step) for step in steps]
            client.log_batch(run, metrics=points)

    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    with caplog.at_level(logging.DEBUG, "urllib3.util.retry"), ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    assert "Incremented Retry" in caplog.text  # else nothing was shown
    found = Counter(
        point.step
        for writer in range(WRITERS)
        for point in client.get_metric_history(run, f"w{writer}")
    )
    assert found == dict.fromkeys(range(BATCHES * POINTS), WRITERS)


def test_reads_go_on_while_writes_stand_still(server: Live) -> None:
    store: Any = server.services.store
    run = server.call("POST", f"{API}/runs/create", {"experiment_id": "0"}).body["run"]["info"]
    point = {"run_id": run["run_id"], "key": "m", "value": 1, "timestamp": 1}

    def write(step: int) -> int:
        return server.call("POST", f"{API}/runs/log-metric", {**point, "step": step}).status

    with ThreadPoolExecutor(WAITING + 3) as pool:
        store.goes_on.clear()
        try:
            answers = [pool.submit(write, step) for step in range(WAITING + 3)]
            refused = list(islice(as_completed(answers), 3))
            assert server.get(f"{API}/runs/get?run_id={run['run_id']}").status == 200
            assert not any(answer.done() for answer in answers if answer not in refused)
        finally:
            store.goes_on.set()
    assert sorted(answer.result() for answer in answers) == [200] * WAITING + [429] * 3
