"""Builds that meet each other, are canceled, or die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from tests.environments.packages import Slow, lonely_host

from lazulite.domain.errors import Conflict
from lazulite.environments.uv import UvEnvironments
from lazulite.ports.environments import BuildCanceled, EnvironmentSpec, Prefix

_SCRIPT = """
import sys, threading
from pathlib import Path
from lazulite.environments.uv import UvEnvironments
from tests.environments.packages import lonely_host, offline
folder = Path(sys.argv[1])
spec = offline("slow", folder / "slow-index", "slow")
environments = UvEnvironments(folder / "envs", lonely_host(folder, UV_NO_CACHE="1"))
print(environments.build(spec, folder / "other.txt", cancel=threading.Event()).bin)
"""
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def slow(tmp_path: Path) -> Slow:
    package = Slow(tmp_path)
    os.mkfifo(package.fifo)
    return package


@pytest.fixture
def environments(tmp_path: Path) -> UvEnvironments:
    return UvEnvironments(tmp_path / "envs", lonely_host(tmp_path, UV_NO_CACHE="1"))


def started(slow: Slow) -> psutil.Process:
    """Wait until the package's own build runs."""
    return psutil.Process(int(slow.fifo.read_text()))


def other_process(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def test_cancel_ends_uv_and_its_children_and_leaves_nothing(
    slow: Slow, environments: UvEnvironments, tmp_path: Path
) -> None:
    cancel = threading.Event()
    with ThreadPoolExecutor() as pool:
        build = pool.submit(environments.build, slow.spec, tmp_path / "log", cancel=cancel)
        backend = started(slow)
        cancel.set()
        with pytest.raises(BuildCanceled):
            build.result(timeout=20)
    psutil.wait_procs([backend], timeout=20)
    assert not backend.is_running()
    assert not (tmp_path / "envs" / environments.plan(slow.spec)).exists()


def test_two_processes_build_once(slow: Slow, environments: UvEnvironments, tmp_path: Path) -> None:
    waits = threading.Event()
    with other_process(tmp_path) as other, ThreadPoolExecutor() as pool:
        started(slow)
        mine: Future[Prefix] = pool.submit(
            environments.build,
            slow.spec,
            tmp_path / "log",
            cancel=threading.Event(),
            progress=lambda _: waits.set(),
        )
        assert waits.wait(20)
        slow.go.touch()
        theirs = other.communicate(timeout=30)[0].strip()
        assert str(mine.result(timeout=20).bin) == theirs
    assert slow.runs.read_text() == "x"
    assert "waiting for another job" in (tmp_path / "log").read_text()


def test_who_waits_for_a_build_can_be_canceled(
    slow: Slow, environments: UvEnvironments, tmp_path: Path
) -> None:
    cancel = threading.Event()
    with other_process(tmp_path) as other:
        started(slow)
        with pytest.raises(BuildCanceled):
            environments.build(
                slow.spec, tmp_path / "log", cancel=cancel, progress=lambda _: cancel.set()
            )
        slow.go.touch()
        other.communicate(timeout=30)
    assert environments.ready(environments.plan(slow.spec))


def test_what_is_being_built_cannot_be_removed(
    slow: Slow, environments: UvEnvironments, tmp_path: Path
) -> None:
    slow.go.touch()
    key = environments.build(slow.spec, tmp_path / "log", cancel=threading.Event()).key
    slow.go.unlink()
    (environments.ready(key).bin / "python").unlink()
    cancel = threading.Event()
    with ThreadPoolExecutor() as pool:
        build = pool.submit(environments.build, slow.spec, tmp_path / "log", cancel=cancel)
        started(slow)
        with pytest.raises(Conflict, match="is being built"):
            environments.remove(key)
        cancel.set()
        with pytest.raises(BuildCanceled):
            build.result(timeout=20)


def test_a_build_killed_with_its_server_is_invisible_and_the_next_one_cleans_up(
    slow: Slow, environments: UvEnvironments, tmp_path: Path
) -> None:
    with other_process(tmp_path) as other:
        orphan = started(slow)
        other.send_signal(signal.SIGKILL)
    folder = tmp_path / "envs" / environments.plan(slow.spec)
    [half_built] = folder.glob("p*")
    assert environments.ready(folder.name) is None
    assert environments.cached() == []
    with ThreadPoolExecutor() as pool:
        build = pool.submit(
            environments.build, slow.spec, tmp_path / "log", cancel=threading.Event()
        )
        started(slow)  # of the second build: it did not wait for the first one's children
        psutil.wait_procs([orphan], timeout=20)
        assert not orphan.is_running()
        slow.go.touch()
        prefix = build.result(timeout=30)
    assert not half_built.exists()
    assert sorted(path.name for path in folder.glob("p*")) == [prefix.bin.parent.name]


def test_what_a_dead_server_left_of_another_environment_goes_with_the_next_build(
    slow: Slow, environments: UvEnvironments, tmp_path: Path
) -> None:
    with other_process(tmp_path) as other:
        orphan = started(slow)
        other.send_signal(signal.SIGKILL)
    environments.build(EnvironmentSpec(name="bare"), tmp_path / "log", cancel=threading.Event())
    psutil.wait_procs([orphan], timeout=20)
    assert not orphan.is_running()
    assert not (tmp_path / "envs" / environments.plan(slow.spec)).exists()


def test_what_another_process_builds_is_left_alone(
    slow: Slow, environments: UvEnvironments, tmp_path: Path
) -> None:
    with other_process(tmp_path) as other:
        started(slow)
        environments.build(EnvironmentSpec(name="bare"), tmp_path / "log", cancel=threading.Event())
        slow.go.touch()
        theirs = other.communicate(timeout=30)[0].strip()
    assert str(environments.ready(environments.plan(slow.spec)).bin) == theirs
