"""Running a program with its output to a log."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import psutil
import pytest

from lazulite.environments.process import BuildLog, Runner
from lazulite.ports.environments import BuildCanceled


def run(code: str, folder: Path, cancel: threading.Event | None = None) -> tuple[int, list[str]]:
    lines: list[str] = []
    runner = Runner(env={}, cwd=folder, cancel=cancel or threading.Event())
    return runner.run([sys.executable, "-c", code], lines.append), lines


def test_lines_come_whole_whatever_their_bytes(tmp_path: Path) -> None:
    code = (
        "import sys; w = sys.stdout.buffer.write\n"
        "w('é'.encode() * 50000 + b'\\n\\xff\\r\\n\\nlast'); sys.stdout.flush(); sys.exit(3)"
    )
    status, lines = run(code, tmp_path)
    assert status == 3
    assert lines == ["é" * 50000, "\ufffd", "", "last"]


def test_what_outlives_the_program_and_holds_its_output_is_not_waited_for(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)"
    )
    status, lines = run(code, tmp_path)
    assert status == 0
    psutil.Process(int(lines[0])).kill()


def test_a_canceled_run_does_not_begin(tmp_path: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(BuildCanceled):
        run("open('ran', 'w')", tmp_path, cancel)


def test_the_log_is_appended_live_and_masked(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "build.txt"
    told: list[str] = []
    with BuildLog(path, told.append) as log:
        log.write("from https://me:pw@host/simple")
        log.say("https://me:pw@host")
        assert path.read_text() == "from https://***@host/simple\n"
    with BuildLog(path) as log:
        log.write("more")
    assert path.read_text().endswith("simple\nmore\n")
    assert told == ["https://***@host"]
