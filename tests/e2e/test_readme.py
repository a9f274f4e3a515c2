"""The README's command works for somebody who has nothing but a clone."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.docs_pages import blocks
from tests.e2e.server import Server

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(1200)  # two environments from the registry
def test_the_first_command_runs_the_pipeline_in_a_fresh_clone(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    command = next(blocks(clone / "README.md")).text.strip()
    home = Server(tmp_path / "home")  # only for its environment and its cleaning up
    environ = home.environ | {"HOME": str(tmp_path), "TERM": "dumb"}
    environ["PATH"] = os.pathsep.join(
        part for part in os.environ["PATH"].split(os.pathsep) if not _is_virtual(Path(part))
    )
    try:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=clone, env=environ, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        listed = subprocess.run(
            [".venv/bin/lazulite", "job", "list", "--query", "[].status", "-o", "tsv"],
            cwd=clone, env=environ, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert listed.stdout.split() == ["Completed"]
    finally:
        home.clean_up()


def _is_virtual(folder: Path) -> bool:
    return (folder.parent / "pyvenv.cfg").exists()
