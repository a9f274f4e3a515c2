"""`lazulite run import` and `export`, as a user sees them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lazulite.cli.program import run
from tests.client.transfer.conftest import session_of
from tests.client.transfer.test_import import here, there
from tests.client.transfer.test_stores import OLD, write
from tests.wire.live import Live, live_server

Lazulite = Callable[..., tuple[int, str, str]]
MANY = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000)
INSERT INTO metrics SELECT 'many', i * 0.5, i, 'aa11' FROM n;
"""


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the commands find in the environment; filled by `live`."""
    monkeypatch.chdir(tmp_path)
    return {"LAZULITE_HOME": str(tmp_path / "client")}


@pytest.fixture
def live(
    tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Live]:
    """A server that the commands talk to."""
    with live_server(tmp_path / "home") as server:
        environ |= {"LAZULITE_URL": server.http, "LAZULITE_TOKEN": server.tokens.owner}
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def lazulite(live: Live, capsys: pytest.CaptureFixture[str]) -> Lazulite:
    """Run a command in this process."""

    def call(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(list(words))
        return code, *capsys.readouterr()

    return call


def test_import_shows_what_is_new_and_what_was_left(lazulite: Lazulite, tmp_path: Path) -> None:
    write(tmp_path / "mlflow.db", OLD)
    code, out, err = lazulite("run", "import", "mlflow.db", "-o", "table")
    assert code == 0
    lines = [line.split("  ") for line in out.splitlines()]
    table = {line[0]: [cell.strip() for cell in line[1:] if cell.strip()] for line in lines}
    assert table["runs"] == ["1", "0", "0"]
    assert table["points"] == ["2", "0", "0"]
    assert table["versions"] == ["1", "0", "1"]
    assert err.splitlines() == [
        (
            f"warning: artifacts: aa11: there is no folder {tmp_path / 'mlruns'}: it was moved, or "
            "is on another machine"
        ),
        "warning: versions: old model/5: its files are elsewhere: s3://bucket/elsewhere",
    ]


def test_import_tells_a_script_everything(lazulite: Lazulite, tmp_path: Path) -> None:
    write(tmp_path / "mlflow.db", OLD)
    code, out, _ = lazulite("run", "import", "sqlite:///mlflow.db", "--dry-run", "-o", "json")
    rows = {row["what"]: row for row in json.loads(out)}
    assert code == 0
    assert (rows["runs"]["new"], rows["artifacts"]["skipped"]) == (1, 1)
    assert "there is no folder" in rows["artifacts"]["reasons"][0]


@pytest.mark.parametrize(
    ("uri", "code", "message"),
    [
        ("nothing.db", 1, "error: there is no file or folder nothing.db\n"),
        ("ftp://x", 1, "error: ftp: is no kind of store that can be reached: name one of "),
        ("http://127.0.0.1:1", 6, "error: no answer from the MLflow server at http://127.0.0.1:1 "),
    ],
)
def test_what_is_no_store_is_one_sentence(
    lazulite: Lazulite, uri: str, code: int, message: str
) -> None:
    found, out, err = lazulite("run", "import", uri)
    assert (found, out) == (code, "")
    assert err.startswith(message)
    assert len(err.splitlines()) == 1


def test_export_writes_a_folder_that_import_reads(lazulite: Lazulite, tmp_path: Path) -> None:
    write(tmp_path / "mlflow.db", OLD)
    lazulite("run", "import", "mlflow.db")
    code, out, _ = lazulite("run", "export", "out", "aa11", "-o", "json")
    assert code == 0
    assert {row["what"]: row["new"] for row in json.loads(out)}["points"] == 2
    assert list(there(tmp_path / "out")["runs"]) == ["aa11"]


@pytest.mark.slow
def test_a_killed_import_is_completed_by_the_next(
    live: Live, environ: dict[str, str], lazulite: Lazulite, tmp_path: Path
) -> None:
    store = write(tmp_path / "mlflow.db", OLD + MANY)
    command = [sys.executable, "-m", "lazulite.cli", "run", "import", "mlflow.db"]
    killed = subprocess.Popen(
        command, env=os.environ | environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    session = session_of(live)
    until = time.monotonic() + 30
    while not (begun := here(session)["runs"]) and time.monotonic() < until:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait(20) == -signal.SIGKILL
    assert begun["aa11"]["said"][2] == "RUNNING"
    assert lazulite("run", "import", "mlflow.db")[0] == 0
    assert here(session)["runs"]["aa11"]["points"] == there(store)["runs"]["aa11"]["points"]
    assert here(session)["runs"]["aa11"]["said"][2] == "FINISHED"
    session.close()
