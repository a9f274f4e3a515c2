"""What `run show` tells a person of a job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lazulite.cli.run_record import told
from lazulite.cli.words import used
from lazulite.client.session import Session
from lazulite.domain.usage import CPU
from tests.client.fake import Reply, fake_session

RECORD: dict[str, Any] = {
    "job": "p--a",
    "parent": "p",
    "code": {"digest": "abcdef0123456789", "files": 1, "size": 2048},
    "source": {
        "mlflow.source.git.branch": "main",
        "mlflow.source.git.commit": "0123456789abcdef",
        "azureml.git.dirty": "True",
    },
    "command": "python a.py",
    "environment": {"id": "/x/environments/env/versions/3", "key": "k" * 40, "python": "3.11.9"},
    "inputs": {"lr": "0.1", "x": {"uri": "azureml://a", "origin": "p--b/out"}, "y": {"uri": "u"}},
    "outputs": {"m": {"uri": "azureml://m", "asset": "m:1"}, "n": {"uri": "azureml://n"}},
    "host": {"name": "box", "system": "Linux 6", "machine": "x86_64", "cpus": 4, "memory": 8e9,
             "gpus": ["A100"], "server": "1.0"},
    "usage": {"cpu": 29.9, "wall": 41.9, "memory": 210_600_000, "read": 0, "written": 5_000_000},
}  # fmt: skip
RUN: dict[str, Any] = {
    "id": "p--a",
    "name": "a",
    "status": "FINISHED",
    "experiment_id": "7",
    "start_time": 1_767_225_600_000,
    "end_time": 1_767_225_612_400,
    "metrics": {"loss": 1.0, CPU: 50.0},
    "tags": {"mlflow.user": "ann", "team": "red"},
    "job": RECORD,
}


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    points = [{"value": value} for value in (10.0, 95.0)]
    with fake_session(tmp_path) as (fake, session):
        fake.answers.append(("GET", ".*/get-history-bulk-interval", Reply({"metrics": points})))
        fake.answers.append(("GET", ".*/experiments/get", Reply({"experiment": {"name": "iris"}})))
        yield session


def test_a_person_is_told_of_a_job_line_by_line(session: Session) -> None:
    found = told(session, RUN)
    assert found["metrics"] == {"loss": 1.0}
    assert found["tags"] == {"team": "red"}
    assert found["code"].startswith("abcdef012345, 1 file, 2.0 kB; get it with: lazulite job down")
    assert found["git"] == "main, 0123456789ab with changes"
    assert found["environment"] == "env:3, Python 3.11.9 (key kkkkkkkkkkkk)"
    assert found["inputs"] == {"lr": "0.1", "x": "azureml://a (from p--b/out)", "y": "u"}
    assert found["outputs"] == {"m": "azureml://m (registered as m:1)", "n": "azureml://n"}
    assert found["host"] == "box (Linux 6 x86_64, 4 cores, 8.0 GB, A100), Lazulite 1.0"
    assert found["used"] == "CPU 29.9 s in 41.9 s, memory 210.6 MB, disk 5.0 MB written"
    assert found["cpu over time"] == "▁█ 10 to 95 % of a core"
    assert "memory over time" not in found


def test_times_and_the_experiment_are_told_in_words(session: Session) -> None:
    bare = {key: value for key, value in RUN.items() if key != "job"}
    found = told(session, bare)
    assert (found["experiment"], found["took"]) == ("iris", "12.4 s")
    assert found["started"].endswith(" d ago)")
    assert list(found) == [
        *("id", "name", "status", "experiment", "started", "took", "metrics", "tags"),
    ]


def test_a_run_of_a_client_says_its_parent_and_source(session: Session) -> None:
    tags = {"mlflow.parentRunId": "up", "mlflow.source.name": "a.py", "mlflow.note.content": "hm"}
    found = told(session, {**RUN, "tags": tags, "job": None, "deleted": True})
    assert (found["parent"], found["source"], found["deleted"]) == ("up", "a.py", True)
    assert found["tags"] == {"mlflow.note.content": "hm"}


def test_what_is_not_known_is_not_told(session: Session) -> None:
    record = {"job": "p", "code": None, "source": {}, "command": None, "environment": None}
    found = told(session, {**RUN, "metrics": {}, "job": record})
    assert set(found) == {"id", "name", "status", "experiment", "started", "took", "tags"}
    assert used({}) == ""
    assert used({"cpu": 0.003}) == "CPU 3 ms"
