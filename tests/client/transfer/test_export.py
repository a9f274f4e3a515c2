"""What goes out comes back the same, and MLflow itself reads it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lazulite.client.session import Session
from lazulite.client.transfer.ends import export_to
from lazulite.client.transfer.move import Wanted
from lazulite.client.transfer.report import Report
from lazulite.domain.errors import InvalidInput, NotFound, Unsupported
from tests.client.transfer.conftest import ENVIRON, session_of
from tests.client.transfer.test_import import bring, here, new, there
from tests.wire.live import live_server

pytestmark = pytest.mark.slow  # MLflow takes seconds to make a store

READ = """
import sys, warnings
warnings.simplefilter("ignore")
import mlflow, pandas as pd
mlflow.set_tracking_uri(sys.argv[1])
client = mlflow.MlflowClient()
runs = mlflow.search_runs(search_all_experiments=True)
print(len(runs))
parent = runs[runs["tags.mlflow.runName"] == "parent 🚀"].iloc[0]
whole = client.get_run(parent.run_id)
history = client.get_metric_history(parent.run_id, "loss")
print(len(history), whole.inputs.dataset_inputs[0].dataset.name)
model = mlflow.pyfunc.load_model("models:/reg 1@champ")
print(model.predict(pd.DataFrame({"x": [7]}))["x"][0])
print(client.get_model_version("reg 1", "3").current_stage)
"""


def send(session: Session, uri: object, **wanted: Any) -> Report:
    return export_to(session, str(uri), Wanted(**wanted), lambda _: None)


@pytest.fixture
def full(session: Session, folder_store: Path) -> Session:
    """A workspace with something in it."""
    bring(session, folder_store / "mlruns")
    return session


@pytest.mark.timeout(180)
def test_a_round_trip_by_a_folder_loses_nothing(full: Session, tmp_path: Path) -> None:
    before = here(full)
    report = send(full, tmp_path / "out")
    assert report.words() == []
    assert there(tmp_path / "out") == before
    with live_server(tmp_path / "second") as live, closing(session_of(live)) as other:
        bring(other, tmp_path / "out")
        assert here(other) == before
    assert new(bring(full, tmp_path / "out")) == {}


@pytest.mark.timeout(180)
def test_a_second_export_writes_only_what_is_new(full: Session, tmp_path: Path) -> None:
    send(full, tmp_path / "out")
    assert new(send(full, tmp_path / "out")) == {}
    running = next(key for key, run in here(full)["runs"].items() if run["said"][1] == "runs still")
    point = {"run_id": running, "key": "m", "value": 3, "timestamp": 9, "step": 9}
    path = f"/mlflow/v1.0{full.workspace.arm}/api/2.0/mlflow/runs/log-metric"
    full.connection.json("POST", path, point)
    assert new(send(full, tmp_path / "out")) == {"points": 1}
    assert there(tmp_path / "out") == here(full)


@pytest.mark.timeout(180)
def test_a_round_trip_by_a_server_loses_nothing(
    full: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = here(full)
    with live_server(tmp_path / "second") as live, closing(session_of(live)) as other:
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", live.tokens.owner)
        report = send(full, live.http)
        assert report.words() == []
        assert new(send(full, live.http)) == {}
        sent = here(other)
        assert len(sent["runs"]) == len(before["runs"])
        assert {run["tags"]["lazulite.export.run_id"] for run in sent["runs"].values()} == set(
            before["runs"]
        )
        assert sorted(str(run["points"]) for run in sent["runs"].values()) == sorted(
            str(run["points"]) for run in before["runs"].values()
        )
        back = bring(full, live.http)
    assert new(back) == {}
    assert here(full) == before


@pytest.mark.timeout(180)
def test_one_run_goes_alone(full: Session, tmp_path: Path) -> None:
    run = next(key for key, one in here(full)["runs"].items() if one["said"][1] == "child")
    report = send(full, tmp_path / "out", runs=frozenset({run}))
    assert (report.of["runs"].new, report.of["experiments"].new) == (1, 1)
    assert list(there(tmp_path / "out")["runs"]) == [run]
    with pytest.raises(NotFound, match="has no run 'nope'"):
        send(full, tmp_path / "out", runs=frozenset({"nope"}))


@pytest.mark.timeout(180)
def test_mlflow_reads_and_converts_the_folder(full: Session, tmp_path: Path) -> None:
    send(full, tmp_path / "mlruns")
    database = f"sqlite:///{tmp_path / 'made.db'}"
    migrate = ["-m", "mlflow", "migrate-filestore", "--target", database]
    command = [sys.executable, *migrate, "--source", str(tmp_path / "mlruns")]
    subprocess.run(command, env=ENVIRON, check=True, capture_output=True, cwd=tmp_path)
    for uri in ((tmp_path / "mlruns").as_uri(), database):
        done = subprocess.run(
            [sys.executable, "-c", READ, uri],
            env=ENVIRON, check=True, capture_output=True, text=True, cwd=tmp_path,
        )  # fmt: skip
        assert done.stdout.splitlines() == ["4", "30 ds1", "7", "Staging"]


def test_a_sqlite_file_is_refused_with_the_way_to_one(session: Session, tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="mlflow migrate-filestore --source"):
        send(session, f"sqlite:///{tmp_path}/x.db")


def test_an_export_of_what_is_not_there_makes_nothing(session: Session, tmp_path: Path) -> None:
    for wanted in ({"runs": frozenset({"nope"})}, {"experiments": ("nope",)}):
        with pytest.raises(NotFound, match="workspace 'default' has no"):
            send(session, tmp_path / "sub" / "out", **wanted)
    assert list((tmp_path / "sub").iterdir()) == []


def test_a_folder_of_something_else_is_left_alone(session: Session, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    with pytest.raises(InvalidInput, match="folder of something else"):
        send(session, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
