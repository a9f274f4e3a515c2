"""Kill the server in a storm of batches: what it answered for is there, once and whole."""

from __future__ import annotations

import http.client
import json
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.server import Server

API = "/api/2.0/mlflow"
WRITERS = 4
POINTS = 50  # of a batch


def call(server: Server, method: str, path: str, body: Any = None) -> Any:
    token = (server.home / "token").read_text().strip()
    connection = http.client.HTTPConnection(urlsplit(server.about["http"]).netloc, timeout=20)
    try:
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        assert answer.status == 200
        return json.loads(answer.read())
    finally:
        connection.close()


@pytest.mark.slow
def test_every_point_that_was_answered_for_outlives_a_kill(tmp_path: Path) -> None:
    server = Server(tmp_path / "home")
    server.start()
    try:
        made = call(server, "POST", f"{API}/runs/create", {"experiment_id": "0"})
        run = made["run"]["info"]["run_id"]
        answered: dict[int, int] = dict.fromkeys(range(WRITERS), 0)
        enough = threading.Event()

        def storm(writer: int) -> None:
            for batch in range(100_000):
                points = [
                    {"key": f"w{writer}", "value": 1.0, "timestamp": 1, "step": batch * POINTS + at}
                    for at in range(POINTS)
                ]
                try:
                    call(
                        server, "POST", f"{API}/runs/log-batch", {"run_id": run, "metrics": points}
                    )
                except (OSError, http.client.HTTPException):
                    return
                answered[writer] = batch + 1
                if min(answered.values()) >= 20:
                    enough.set()

        threads = [threading.Thread(target=storm, args=(writer,)) for writer in range(WRITERS)]
        for thread in threads:
            thread.start()
        assert enough.wait(30)
        server.kill()
        for thread in threads:
            thread.join(30)
        server.start()
        for writer, batches in answered.items():
            path = f"{API}/metrics/get-history?run_id={run}&metric_key=w{writer}"
            steps = [point["step"] for point in call(server, "GET", path)["metrics"]]
            assert steps == list(range(len(steps)))  # none twice, none missing
            assert len(steps) % POINTS == 0  # no part of a batch
            assert len(steps) // POINTS in (batches, batches + 1)
    finally:
        server.clean_up()
