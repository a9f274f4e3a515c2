"""Kill the client, then the server, in the middle of a large file: only the rest travels again."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.server import LAZULITE, Server
from tests.e2e.test_tracking_kill import API, call

SIZE = 200 << 20  # bytes


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large.bin"
    block = os.urandom(1 << 20)
    with path.open("wb") as stream:
        for number in range(SIZE >> 20):
            stream.write(number.to_bytes(8, "big") + block[8:])
    return path


@pytest.fixture
def run(server: Server) -> str:
    made = call(server, "POST", f"{API}/runs/create", {"experiment_id": "0"})
    return str(made["run"]["info"]["run_id"])


def begin(server: Server, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [LAZULITE, "run", *words],
        env=server.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def wait_for(enough: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not enough():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def parts(server: Server) -> list[Path]:
    folder = server.home / "files/stores/1/.blobs/workspaceartifactstore/uploads"
    return [one for one in folder.glob("*/*") if one.name.isdecimal()]


def digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def test_only_the_rest_travels_after_a_kill(
    server: Server, run: str, large: Path, tmp_path: Path
) -> None:
    client = begin(server, "upload", run, str(large))
    wait_for(lambda: len(parts(server)) >= 3)
    client.kill()
    client.wait()
    before = len(parts(server))

    client = begin(server, "upload", run, str(large))
    wait_for(lambda: len(parts(server)) >= before + 3)
    server.kill()
    assert client.wait(60) == 6
    server.start()
    there = len(parts(server))
    assert not call(server, "GET", f"{API}/artifacts/list?run_id={run}").get("files")

    done = json.loads(server.cli("run", "upload", run, str(large), "-o", "json").stdout)
    assert done["size"] == SIZE
    assert 0 < done["sent"] <= SIZE - (there - 1) * (8 << 20)
    stored = server.home / f"files/stores/1/workspaceartifactstore/ExperimentRun/dcid.{run}"
    assert digest(stored / "large.bin") == digest(large)
    assert parts(server) == []

    target = tmp_path / "to"
    client = begin(server, "download", run, "-p", str(target))
    wait_for(lambda: sum(one.stat().st_size for one in target.glob(".*.part")) > 10 << 20)
    client.kill()
    client.wait()
    words = ("run", "download", run, "-p", str(target), "-o", "json")
    done = json.loads(server.cli(*words).stdout)
    assert 0 < done["received"] < SIZE - (10 << 20)
    assert digest(target / "large.bin") == digest(large)
    assert json.loads(server.cli(*words).stdout)["received"] == 0
