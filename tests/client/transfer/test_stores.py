"""Old stores, broken ones, hostile ones."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lazulite.client.rest import Unreachable
from lazulite.client.session import Session
from lazulite.domain.errors import InvalidInput, LazuliteError, Unauthenticated
from tests.client.transfer.test_import import bring, here, new

OLD = """
CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name TEXT, artifact_location TEXT,
    lifecycle_stage TEXT);
CREATE TABLE runs (run_uuid TEXT PRIMARY KEY, name TEXT, source_type TEXT, source_name TEXT,
    entry_point_name TEXT, user_id TEXT, status TEXT, start_time BIGINT, end_time BIGINT,
    source_version TEXT, lifecycle_stage TEXT, artifact_uri TEXT, experiment_id INTEGER);
CREATE TABLE metrics (key TEXT, value FLOAT, timestamp BIGINT, run_uuid TEXT);
CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
CREATE TABLE registered_models (name TEXT PRIMARY KEY, creation_time BIGINT,
    last_updated_time BIGINT, description TEXT);
CREATE TABLE model_versions (name TEXT, version INTEGER, creation_time BIGINT,
    last_updated_time BIGINT, description TEXT, user_id TEXT, current_stage TEXT, source TEXT,
    run_id TEXT, status TEXT);
INSERT INTO experiments VALUES (0, 'Default', './mlruns/0', 'active');
INSERT INTO runs VALUES ('aa11', '', 'LOCAL', 'train.py', '', 'ann', 'FINISHED', 1000, 2000, '',
    'active', './mlruns/0/aa11/artifacts', 0);
INSERT INTO tags VALUES ('mlflow.runName', 'old one', 'aa11');
INSERT INTO params VALUES ('lr', '0.1', 'aa11');
INSERT INTO metrics VALUES ('loss', 0.5, 1001, 'aa11'), ('loss', 0.25, 1002, 'aa11');
INSERT INTO registered_models VALUES ('old model', 1500, 1600, NULL);
INSERT INTO model_versions VALUES ('old model', 4, 1500, 1600, NULL, 'ann', 'Production',
    './mlruns/0/aa11/artifacts/model', 'aa11', 'READY');
INSERT INTO model_versions VALUES ('old model', 5, 1500, 1600, NULL, 'ann', 'None',
    's3://bucket/elsewhere', NULL, 'READY');
"""


def write(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as db:
        db.executescript(script)
    return path


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A store of MLflow 1.0, with a model."""
    model = tmp_path / "store" / "mlruns" / "0" / "aa11" / "artifacts" / "model"
    model.mkdir(parents=True)
    (model / "MLmodel").write_text("flavors: {}")
    return write(tmp_path / "store" / "mlflow.db", OLD)


def test_a_store_of_mlflow_1_comes(old: Path, session: Session) -> None:
    report = bring(session, old)
    found = here(session)
    run = found["runs"]["aa11"]
    assert run["said"][:2] == ("Default", "old one")
    assert run["points"] == [("loss", 0, 1001, "0.5"), ("loss", 0, 1002, "0.25")]
    assert run["files"] == {"model/MLmodel": b"flavors: {}"}
    version = found["names"]["old model"]["versions"]["4"]
    assert (version[3], version[-1]) == ("Production", ("run", "aa11", "model"))
    assert report.words() == [
        "versions: old model/5: its files are elsewhere: s3://bucket/elsewhere"
    ]


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("s3://bucket/0/aa11/artifacts", "they are at s3:, which cannot be read from here"),
        ("mlflow-artifacts:/0/aa11/artifacts", "say with --artifacts where"),
        ("/etc", "a folder that is not its own"),
        ("../../aa11/artifacts", "a folder that is not its own"),
        ("/away/mlruns/0/aa11/artifacts", "there is no folder /away/mlruns"),
    ],
)
def test_what_cannot_be_read_is_told_and_the_run_comes(
    old: Path, session: Session, location: str, reason: str
) -> None:
    with closing(sqlite3.connect(old)) as db, db:
        db.execute("UPDATE runs SET artifact_uri = ?", (location,))
    report = bring(session, old)
    assert report.of["runs"].new == 1
    assert any(line.startswith("artifacts: aa11: ") and reason in line for line in report.words())


def test_no_link_is_followed_out(old: Path, session: Session, tmp_path: Path) -> None:
    place = old.parent / "mlruns" / "0" / "aa11" / "artifacts"
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "canary").write_text("canary")
    (place / "out").symlink_to(tmp_path / "secret" / "canary")
    (place / "folder").symlink_to(tmp_path / "secret")
    (place / "up").symlink_to("../../..")
    (place / "nowhere").symlink_to("missing")
    (place / "within").symlink_to("model/MLmodel")
    os.mkfifo(place / "pipe")
    (place / "back\\slash").write_text("x")
    report = bring(session, old)
    assert here(session)["runs"]["aa11"]["files"] == {
        "model/MLmodel": b"flavors: {}",
        "within": b"flavors: {}",
    }
    assert report.of["artifacts"].skipped == 6


def test_a_run_folder_that_is_a_link_is_not_read(folder: Path, session: Session) -> None:
    outside = folder.parent / "outside"
    (folder / "0" / "aa11").rename(outside)
    (folder / "0" / "aa11").symlink_to(outside)
    assert bring(session, folder).of["runs"].new == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store of MLflow 1.0 in a folder."""
    root = tmp_path / "old" / "mlruns"
    run = root / "0" / "aa11"
    for name in ("metrics", "params", "tags", "artifacts"):
        (run / name).mkdir(parents=True)
    (root / "0" / "meta.yaml").write_text("experiment_id: 0\nname: Default\n")
    meta = (
        "run_uuid: aa11\nexperiment_id: 0\nname: ''\nstatus: 3\nstart_time: 1000\nend_time: 2000\n"
    )
    (run / "meta.yaml").write_text(meta + "user_id: ann\ntags: []\n")
    (run / "metrics" / "loss").write_text("1001 0.5\n1002 inf\n1003 na")
    (run / "params" / "lr").write_text("0.1\n")
    (run / "tags" / "mlflow.runName").write_text("old one")
    return root


def test_a_folder_of_mlflow_1_comes(folder: Path, session: Session) -> None:
    bring(session, folder.parent)
    run = here(session)["runs"]["aa11"]
    assert run["said"] == ("Default", "old one", "FINISHED", 1000, 2000, "ann")
    assert run["params"] == {"lr": "0.1"}
    big = "1.7976931348623157e+308"
    assert run["points"] == [("loss", 0, 1001, "0.5"), ("loss", 0, 1002, big)]


@pytest.mark.parametrize("text", ["!!python/object/apply:os.system ['x']", "a: [", "- 1", "x"])
def test_a_record_that_is_none_is_named(folder: Path, session: Session, text: str) -> None:
    (folder / "0" / "aa11" / "meta.yaml").write_text(text)
    with pytest.raises(InvalidInput, match=r"aa11/meta.yaml is (not YAML|no record)"):
        bring(session, folder)


def test_a_value_longer_than_any_may_be_is_cut_and_told(folder: Path, session: Session) -> None:
    (folder / "0" / "aa11" / "tags" / "history").write_text("x" * 100_000)
    report = bring(session, folder)
    assert here(session)["runs"]["aa11"]["tags"]["history"] == "x" * 8000
    assert report.words() == ["tags: 'history' of aa11: cut after 8000 characters"]
    assert new(bring(session, folder)) == {}


def test_a_line_that_is_no_point_is_named(folder: Path, session: Session) -> None:
    (folder / "0" / "aa11" / "metrics" / "loss").write_text("1001 0.5\nwhat is this\n")
    with pytest.raises(InvalidInput, match="metrics/loss has a line that is no point"):
        bring(session, folder)
    assert here(session)["runs"]["aa11"]["said"][2] == "RUNNING"


def test_names_that_cannot_be_are_told_and_the_rest_comes(old: Path, session: Session) -> None:
    with closing(sqlite3.connect(old)) as db, db:
        db.execute("INSERT INTO params VALUES ('../up', '1', 'aa11'), ('ok', '2', 'aa11')")
        db.execute("INSERT INTO tags VALUES ('a$b', '1', 'aa11')")
        db.execute("INSERT INTO metrics VALUES ('x//y', 1, 1, 'aa11')")
    report = bring(session, old)
    assert here(session)["runs"]["aa11"]["params"] == {"lr": "0.1", "ok": "2"}
    skipped = {kind: tally.skipped for kind, tally in report.of.items() if tally.skipped}
    assert skipped == {"params": 1, "tags": 1, "points": 1, "versions": 1}


def test_a_store_that_is_being_written_is_read_and_not_held(old: Path, session: Session) -> None:
    with closing(sqlite3.connect(old, timeout=0)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("INSERT INTO metrics VALUES ('open', 1, 1, 'aa11')")
        assert new(bring(session, old))["points"] == 2
        db.commit()
    assert new(bring(session, old)) == {"points": 1}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.db", None, "there is no file or folder"),
        ("notes.txt", b"hello", "is no store of MLflow: name one of sqlite"),
        ("torn.db", b"SQLite format 3\0" + b"\1" * 5000, "cannot be read as a SQLite file"),
    ],
)
def test_what_is_no_store_is_refused(
    tmp_path: Path, session: Session, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInput, match=message):
        bring(session, tmp_path / name)


def test_another_database_is_no_store(tmp_path: Path, session: Session) -> None:
    write(tmp_path / "x.db", "CREATE TABLE cats (name TEXT);")
    with pytest.raises(InvalidInput, match="it has no table 'experiments'"):
        bring(session, tmp_path / "x.db")


@pytest.mark.parametrize("uri", ["postgresql://u:secret@host/db", "databricks:", "sqlite://x"])
def test_another_kind_of_address_is_refused(session: Session, uri: str) -> None:
    with pytest.raises(InvalidInput, match="no kind of store that can be reached") as caught:
        bring(session, uri)
    assert "secret" not in str(caught.value)


def test_an_empty_folder_is_no_store(tmp_path: Path, session: Session) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match="no folder in it is an experiment's"):
        bring(session, tmp_path / "empty")


def test_a_server_that_is_away_is_named_without_secrets(session: Session) -> None:
    with pytest.raises(
        Unreachable, match=r"no answer from the MLflow server at http://127.0.0.1:1 "
    ):
        bring(session, "http://ann:hush@127.0.0.1:1")


def test_a_server_that_wants_a_name_is_told_so(session: Session, live: Any) -> None:
    with pytest.raises(Unauthenticated, match="set MLFLOW_TRACKING_TOKEN"):
        bring(session, live.http)


@pytest.mark.parametrize("path", ["", "/healthz"])
def test_what_is_no_mlflow_server_is_told_so(
    session: Session, live: Any, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", live.tokens.owner)
    with pytest.raises(LazuliteError) as caught:
        bring(session, f"{live.http}{path}/nope")
    assert "is no MLflow server" in str(caught.value)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("UPDATE metrics SET value = 'text'", "points that MLflow does not write"),
        ("UPDATE runs SET artifact_uri = x'ff'", "runs that MLflow does not write"),
        ("UPDATE runs SET start_time = 'noon'", "runs that MLflow does not write"),
        ("UPDATE runs SET name = x'ff'", "runs that MLflow does not write"),
        ("UPDATE params SET value = zeroblob(70000000)", "too big"),
        ("UPDATE model_versions SET source = x'ff'", "names that MLflow does not write"),
    ],
)
def test_values_of_other_types_are_told_in_a_sentence(
    old: Path, session: Session, script: str, told: str
) -> None:
    write(old, script)
    with pytest.raises(LazuliteError, match=told):
        bring(session, old)


def test_a_file_with_an_index_of_our_name_comes(old: Path, session: Session) -> None:
    write(old, "CREATE INDEX lz_metrics_run_uuid ON metrics (value)")
    assert new(bring(session, old))
