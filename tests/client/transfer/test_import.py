"""Stores of MLflow's own making come whole, once, and however often."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lazulite.client import runs
from lazulite.client.session import Session
from lazulite.client.transfer.ends import import_from, open_source
from lazulite.client.transfer.foreign import own_api
from lazulite.client.transfer.move import Move, Wanted
from lazulite.client.transfer.report import Report
from lazulite.client.transfer.server import ServerSource
from lazulite.client.transfer.workspace import WorkspaceTarget
from lazulite.domain.errors import NotFound
from lazulite.domain.ids import DEFAULT_WORKSPACE
from lazulite.domain.job import Job, JobKind, JobStatus, Timeline
from lazulite.formats.mlflow.transfer import other_id
from tests.client.transfer.content import content
from tests.wire.live import Live

pytestmark = pytest.mark.slow  # MLflow takes seconds to make a store


def bring(session: Session, uri: object, **wanted: Any) -> Report:
    return import_from(session, str(uri), None, Wanted(**wanted), lambda _: None)


def here(session: Session) -> dict[str, Any]:
    with closing(ServerSource(own_api(session))) as source:
        return content(source)


def there(uri: object) -> dict[str, Any]:
    with closing(open_source(str(uri), None, {})) as source:
        return content(source)


def new(report: Report) -> dict[str, int]:
    return {kind: tally.new for kind, tally in report.of.items() if tally.new}


@pytest.fixture(params=["sqlite", "folder"])
def store(request: pytest.FixtureRequest) -> Path:
    made: Path = request.getfixturevalue(f"{request.param}_store")
    return made / ("mlflow.db" if request.param == "sqlite" else "mlruns")


@pytest.mark.timeout(180)
def test_everything_comes(store: Path, session: Session) -> None:
    report = bring(session, store)
    assert report.words() == []
    assert here(session) == there(store)


@pytest.mark.timeout(180)
def test_a_repeat_brings_nothing(store: Path, session: Session) -> None:
    first = bring(session, store)
    before = here(session)
    report = bring(session, store)
    assert new(report) == {}
    assert report.words() == []
    assert report.of["runs"].there == first.of["runs"].new
    assert report.of["artifacts"].there == first.of["artifacts"].new
    assert here(session) == before


@pytest.mark.timeout(180)
def test_a_repeat_brings_only_what_is_new(own_sqlite: Path, session: Session) -> None:
    bring(session, own_sqlite)
    with closing(sqlite3.connect(own_sqlite)) as db, db:
        run, place = _running(db)
        for step in range(2, 7):
            values = ("m", step / 2, 1000 + step, run, step)
            db.execute("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, 0)", values)
        db.execute("INSERT INTO params VALUES ('late', '1', ?)", (run,))
        db.execute("UPDATE runs SET status = 'FAILED', end_time = 99 WHERE run_uuid = ?", (run,))
    Path(place).mkdir(parents=True)
    (Path(place) / "late.txt").write_text("late")
    assert new(bring(session, own_sqlite)) == {
        "points": 5,
        "params": 1,
        "artifacts": 1,
        "bytes": 4,
    }
    assert here(session) == there(own_sqlite)
    assert new(bring(session, own_sqlite)) == {}


def test_only_the_named_experiment_comes(sqlite_store: Path, session: Session) -> None:
    report = bring(session, sqlite_store / "mlflow.db", experiments=("deleted exp",))
    assert new(report) == {"experiments": 1, "runs": 1}
    assert {run["said"][1] for run in here(session)["runs"].values()} == {"in the bin's experiment"}


def test_an_experiment_that_is_not_there_is_an_error(sqlite_store: Path, session: Session) -> None:
    with pytest.raises(NotFound, match="has no experiment 'nope'"):
        bring(session, sqlite_store / "mlflow.db", experiments=("nope",))


def test_a_dry_run_tells_the_same_and_writes_nothing(sqlite_store: Path, session: Session) -> None:
    told = bring(session, sqlite_store / "mlflow.db", dry=True)
    assert here(session)["runs"] == {}
    done = bring(session, sqlite_store / "mlflow.db")
    without_default = slice(1, None)  # `here` made that experiment
    counts = [[row["new"] for row in report.rows()][without_default] for report in (told, done)]
    assert counts[0] == counts[1]


def test_files_stay_where_they_are_if_that_is_wanted(sqlite_store: Path, session: Session) -> None:
    report = bring(session, sqlite_store / "mlflow.db", artifacts=False)
    assert report.of["artifacts"].new == 0
    assert all(run["files"] == {} for run in here(session)["runs"].values())


@pytest.mark.timeout(180)
def test_a_taken_id_is_replaced_by_one_that_is_found_again(
    own_sqlite: Path, session: Session, live: Live
) -> None:
    source = there(own_sqlite)
    run = next(key for key, one in source["runs"].items() if one["said"][1] == "child")
    start = source["runs"][run]["said"][3]
    taken(live, run)
    bring(session, own_sqlite)
    moved = here(session)
    other = other_id(run, start)
    assert moved["runs"][run]["said"][1] == "somebody's"
    assert moved["runs"][other]["said"] == source["runs"][run]["said"]
    assert moved["runs"][other]["points"] == source["runs"][run]["points"]
    assert moved["runs"][other]["tags"]["lazulite.import.run_id"] == run
    grandchild = next(one for one in moved["runs"].values() if one["said"][1] == "grandchild")
    assert grandchild["tags"]["mlflow.parentRunId"] == other
    assert new(bring(session, own_sqlite)) == {}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("calls", [1, 3, 5, 7, 9, 11, 12])
def test_what_broke_off_is_completed_by_the_next(
    own_sqlite: Path, session: Session, calls: int
) -> None:
    with (
        closing(open_source(str(own_sqlite), None, {})) as source,
        closing(WorkspaceTarget(session, "test", dry=False)) as target,
        pytest.raises(Broken),
    ):
        Move(source, Breaking(target, calls), Wanted(), lambda _: None).carry_out()
    wanted = there(own_sqlite)
    for key, run in here(session)["runs"].items():
        whole = run["points"] == wanted["runs"][key]["points"]
        files = run["files"] == wanted["runs"][key]["files"]
        assert run["said"][4] is None or (whole and files), "it looks whole, and is not"
    bring(session, own_sqlite)
    assert here(session) == wanted
    assert new(bring(session, own_sqlite)) == {}


def test_what_is_in_the_bin_here_stays_there(own_sqlite: Path, session: Session) -> None:
    bring(session, own_sqlite)
    with closing(sqlite3.connect(own_sqlite)) as db, db:
        run, _ = _running(db)
        db.execute("INSERT INTO metrics VALUES ('m', 5, 5, ?, 5, 0)", (run,))
    runs.set_deleted(session, run, deleted=True)
    assert new(bring(session, own_sqlite)) == {}
    assert here(session)["runs"][run]["deleted"]


def test_two_addresses_of_one_store_are_one_store(
    sqlite_store: Path, own_sqlite: Path, session: Session
) -> None:
    bring(session, f"sqlite:///{sqlite_store}/mlflow.db")
    assert new(bring(session, own_sqlite)) == {}


class Broken(Exception):
    """The network, say."""


class Breaking:
    """A target that breaks at its n-th call."""

    def __init__(self, target: WorkspaceTarget, calls: int) -> None:
        self._target = target
        self._left = calls

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found):
            return found

        def call(*args: Any) -> Any:
            self._left -= 1
            if self._left < 0:
                raise Broken
            return found(*args)

        return call


def taken(live: Live, run: str) -> None:
    """Let somebody's run have an id."""
    when = datetime(2020, 1, 1, tzinfo=UTC)
    job = Job(
        workspace=live.services.store.read(lambda tx: tx.workspaces.get(DEFAULT_WORKSPACE)).id,
        name=run,
        kind=JobKind.RUN,
        experiment="theirs",
        display_name="somebody's",
        status=JobStatus.RUNNING,
        timeline=Timeline(created=when),
        created_by="me",
        modified_at=when,
    )
    live.services.store.write(lambda tx: tx.runs.start(job, None))


def _running(db: sqlite3.Connection) -> tuple[str, str]:
    found = db.execute("SELECT run_uuid, artifact_uri FROM runs WHERE name = 'runs still'")
    run, place = found.fetchone()
    return str(run), str(place)
