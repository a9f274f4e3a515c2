"""The examples run as their pages say: by the command line and by the official SDK."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.server import Server

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.xdist_group("examples")  # one server, one build of its environment
DIABETES = ROOT / "examples" / "diabetes" / "pipeline.yml"


def _reused(server: Server, name: str) -> dict[str, bool]:
    nodes = server.children(name)
    return {node: bool(job["reusedFrom"]) for node, job in nodes.items()}


def test_hello_prints_and_leaves_its_greeting(shared_server: Server, tmp_path: Path) -> None:
    job = str(ROOT / "examples" / "hello" / "job.yml")
    shared_server.cli("job", "create", "-f", job, "--name", "hello", "--set", "inputs.name=you")
    assert shared_server.wait("hello")["status"] == "Completed"
    assert "Hello, you!" in shared_server.cli("job", "stream", "-n", "hello").stdout
    shared_server.cli("job", "download", "-n", "hello", "-p", str(tmp_path), "--all")
    found = list(tmp_path.rglob("greeting.txt"))
    assert [path.read_text() for path in found] == ["Hello, you!\n"]


@pytest.mark.timeout(900)  # the environment is built from the registry
def test_diabetes_trains_compares_and_packages_and_runs_once(
    shared_server: Server, tmp_path: Path
) -> None:
    shared_server.cli("job", "create", "-f", str(DIABETES), "--name", "diabetes-1", "--stream")
    assert shared_server.job("diabetes-1")["status"] == "Completed"
    words = ["-n", "diabetes-1", "-p", str(tmp_path), "--output-name"]
    for output in ("metrics", "model"):
        shared_server.cli("job", "download", *words, output)
    folder = tmp_path / "named-outputs"
    metrics = json.loads((folder / "metrics" / "metrics.json").read_text())
    assert 0.4 < metrics["models"][metrics["best"]]["r2"] < 0.7
    packaged = {path.name for path in (folder / "model").iterdir()}
    assert packaged == {"metrics.json", "model.joblib", "model.json", "requirements.txt"}

    shared_server.cli("job", "create", "-f", str(DIABETES), "--name", "diabetes-2")
    assert shared_server.wait("diabetes-2")["status"] == "Completed"
    assert set(_reused(shared_server, "diabetes-2").values()) == {True}

    changed = ["--set", "jobs.train_boosting.inputs.depth=3"]
    shared_server.cli("job", "create", "-f", str(DIABETES), "--name", "diabetes-3", *changed)
    assert shared_server.wait("diabetes-3")["status"] == "Completed"
    assert _reused(shared_server, "diabetes-3") == {
        "prep": True,
        "train_ridge": True,
        "train_boosting": False,
        "evaluate": False,
        "package": False,
    }


@pytest.mark.timeout(900)
@pytest.mark.parametrize("way", ["connect", "plain"])
def test_the_sdk_script_runs_the_same_pipeline(
    way: str, shared_server: Server, tmp_path: Path
) -> None:
    environ = dict(shared_server.environ)
    script = str(ROOT / "examples" / "sdk" / "pipeline.py")
    words = [sys.executable, script, "--download", str(tmp_path)]
    if way == "plain":
        words.append("--plain")
        environ |= _exports(shared_server.cli("env").stdout)
    done = subprocess.run(
        words, env=environ, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "has completed" in done.stdout
    assert list(tmp_path.rglob("model.joblib"))


def _exports(text: str) -> dict[str, str]:
    """What `eval "$(lazulite env)"` would set."""
    words = [word for word in shlex.split(text, comments=True) if "=" in word]
    return {name: value.rstrip(";") for name, value in (word.split("=", 1) for word in words)}
