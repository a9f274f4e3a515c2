"""Real builds by uv, from packages made on the spot: no network."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.contract.environments import EnvironmentsSuite
from tests.environments.packages import lonely_host, offline, write_wheel

from lazulite.domain.errors import InvalidInput, Unavailable
from lazulite.environments.uv import UvEnvironments
from lazulite.ports.environments import Environments, EnvironmentSpec, Prefix

BARE = EnvironmentSpec(name="bare")


def make(folder: Path, **environ: str) -> UvEnvironments:
    return UvEnvironments(folder / "envs", lonely_host(folder, **environ))


def build(environments: Environments, spec: EnvironmentSpec, folder: Path) -> Prefix:
    return environments.build(spec, folder / "log.txt", cancel=threading.Event())


def python(prefix: Prefix, code: str) -> str:
    ran = subprocess.run(
        [prefix.bin / "python", "-c", code], capture_output=True, text=True, check=True
    )
    return ran.stdout.strip()


class TestUvEnvironments(EnvironmentsSuite):
    def make(self, folder: Path) -> Environments:
        return UvEnvironments(folder, lonely_host(folder.parent))

    def good(self, folder: Path) -> EnvironmentSpec:
        write_wheel(folder / "index", "pebble")
        return offline("good", folder / "index", "pebble")

    def broken(self, folder: Path) -> EnvironmentSpec:
        write_wheel(folder / "index", "pebble")
        return offline("broken", folder / "index", "pebble==9")


def test_a_bare_environment_is_built_offline_in_a_blink(tmp_path: Path) -> None:
    environments = make(tmp_path)
    begin = time.perf_counter()
    prefix = build(environments, BARE, tmp_path)
    assert time.perf_counter() - begin < 3  # 0.03 s alone; the machine may be busy
    assert python(prefix, "import sys; print(sys.prefix)") == str(prefix.bin.parent)


def test_a_bare_environment_has_the_python_that_runs_lazulite(tmp_path: Path) -> None:
    prefix = build(make(tmp_path), BARE, tmp_path)
    running = "{}.{}.{}".format(*sys.version_info[:3])
    assert python(prefix, "import platform; print(platform.python_version())") == running


def test_an_image_of_this_python_is_the_bare_environment(tmp_path: Path) -> None:
    image = "python:{}.{}-slim".format(*sys.version_info[:2])
    environments = make(tmp_path)
    assert environments.plan(EnvironmentSpec(name="i", image=image)) == environments.plan(BARE)


def test_what_is_installed_is_importable_byte_compiled_and_recorded(tmp_path: Path) -> None:
    write_wheel(tmp_path / "index", "pebble", "1.5")
    spec = offline("stones", tmp_path / "index", "pebble>=1")
    prefix = build(make(tmp_path, PYTHONDONTWRITEBYTECODE="1"), spec, tmp_path)
    assert python(prefix, "import pebble; print(pebble.VERSION)") == "1.5"
    assert list(prefix.bin.parent.rglob("pebble.*.pyc"))
    folder = prefix.bin.parent.parent
    assert (folder / "requirements.lock").read_text() == "pebble==1.5\n"
    manifest = json.loads((folder / "environment.json").read_text())
    assert (manifest["name"], manifest["requirements"]) == ("stones", ["pebble>=1"])
    assert manifest["size"] > 0


def test_the_manifest_is_for_the_owner_alone(tmp_path: Path) -> None:
    prefix = build(make(tmp_path), BARE, tmp_path)
    manifest = prefix.bin.parent.parent / "environment.json"
    assert stat.S_IMODE(manifest.stat().st_mode) == 0o600


def test_progress_is_told_in_short_lines(tmp_path: Path) -> None:
    write_wheel(tmp_path / "index", "pebble")
    told: list[str] = []
    make(tmp_path).build(
        offline("p", tmp_path / "index", "pebble"),
        tmp_path / "log.txt",
        cancel=threading.Event(),
        progress=told.append,
    )
    assert told[0] == "resolving 1 package"
    assert any(line.startswith("installed 1 package in") for line in told)


def test_a_failed_build_names_the_requirement_and_leaves_no_prefix(tmp_path: Path) -> None:
    write_wheel(tmp_path / "index", "pebble")
    environments = make(tmp_path)
    spec = offline("stones", tmp_path / "index", "pebble==9")
    with pytest.raises(InvalidInput, match=r"stones: pebble==9 cannot be installed") as caught:
        build(environments, spec, tmp_path)
    assert caught.value.facts["requirement"] == "pebble==9"
    assert "pebble==9" in str(caught.value.facts["log_tail"])
    assert not (tmp_path / "envs" / environments.plan(spec)).exists()


def test_a_failed_build_is_tried_again_and_can_succeed(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    environments = make(tmp_path)
    spec = offline("stones", tmp_path / "index", "pebble")
    with pytest.raises(InvalidInput, match="pebble"):
        build(environments, spec, tmp_path)
    write_wheel(tmp_path / "index", "pebble")
    assert python(build(environments, spec, tmp_path), "import pebble; print(1)") == "1"


def test_the_error_shows_no_password_of_an_index(tmp_path: Path) -> None:
    conda = """
    dependencies:
    - pip:
      - --index-url http://me:hunter2@127.0.0.1:9/simple?token=hunter2
      - pebble @ http://me:hunter2@127.0.0.1:9/pebble-1.0-py3-none-any.whl
    """
    environments = make(tmp_path, UV_HTTP_RETRIES="0")
    with pytest.raises((InvalidInput, Unavailable)) as caught:
        build(environments, EnvironmentSpec(name="x", conda=conda), tmp_path)
    assert "hunter2" not in repr(caught.value.facts) + caught.value.message
    assert "hunter2" not in (tmp_path / "log.txt").read_text()


def test_an_index_that_does_not_answer_is_no_fault_of_the_environment(tmp_path: Path) -> None:
    conda = "dependencies: [{pip: ['--index-url http://127.0.0.1:9/simple', pebble]}]"
    host = lonely_host(tmp_path, UV_HTTP_RETRIES="0")
    online = {name: value for name, value in host.environ.items() if name != "UV_OFFLINE"}
    environments = UvEnvironments(
        tmp_path / "envs",
        type(host)(
            python=host.python, version=host.version, platform=host.platform, environ=online
        ),
    )
    with pytest.raises(Unavailable, match="cannot be reached"):
        build(environments, EnvironmentSpec(name="x", conda=conda), tmp_path)


def test_a_python_that_is_not_here_is_an_error_that_says_what_is(tmp_path: Path) -> None:
    spec = EnvironmentSpec(name="old", conda="dependencies: [python=3.99]")
    with pytest.raises(InvalidInput, match=r"old: Python ==3\.99\.\* is not on .*here: .*3\.\d+"):
        build(make(tmp_path), spec, tmp_path)


def test_another_python_stands_in_only_if_the_user_says_so(tmp_path: Path) -> None:
    spec = EnvironmentSpec(name="old", conda="dependencies: [python=3.99]")
    relaxed = make(tmp_path, LAZULITE_RELAX_PYTHON="1")
    prefix = build(relaxed, spec, tmp_path)
    assert python(prefix, "print(1)") == "1"
    assert "LAZULITE_RELAX_PYTHON=1 allows another" in (tmp_path / "log.txt").read_text()
    assert make(tmp_path).ready(make(tmp_path).plan(spec)) is None


def test_pip_of_the_environment_changes_nothing(tmp_path: Path) -> None:
    prefix = build(make(tmp_path), BARE, tmp_path)
    ran = subprocess.run(
        ["pip", "install", "pebble"],
        env={"PATH": f"{prefix.bin}:/usr/bin:/bin"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 1
    assert "put the packages into its conda_file" in ran.stderr


def test_an_environment_whose_interpreter_is_gone_is_built_anew(tmp_path: Path) -> None:
    environments = make(tmp_path)
    first = build(environments, BARE, tmp_path)
    (first.bin / "python").unlink()
    assert environments.ready(first.key) is None
    second = build(environments, BARE, tmp_path)
    assert second.bin != first.bin
    assert python(second, "print(1)") == "1"
    assert not first.bin.exists()


def test_a_moved_home_builds_anew(tmp_path: Path) -> None:
    first = build(make(tmp_path), BARE, tmp_path)
    (tmp_path / "envs").rename(tmp_path / "elsewhere")
    moved = UvEnvironments(tmp_path / "elsewhere", lonely_host(tmp_path))
    assert moved.ready(first.key) is None
    assert python(build(moved, BARE, tmp_path), "print(1)") == "1"


def test_an_environment_built_by_another_process_is_seen(tmp_path: Path) -> None:
    mine, theirs = make(tmp_path), make(tmp_path)
    assert mine.ready(mine.plan(BARE)) is None
    prefix = build(theirs, BARE, tmp_path)
    assert mine.ready(prefix.key) == prefix
    theirs.remove(prefix.key)
    assert mine.ready(prefix.key) is None


def test_asking_marks_the_environment_as_used_at_most_once_a_minute(tmp_path: Path) -> None:
    environments = make(tmp_path)
    prefix = build(environments, BARE, tmp_path)
    environments.ready(prefix.key)
    used = tmp_path / "envs" / prefix.key / "used"
    os.utime(used, (0, 0))
    environments.ready(prefix.key)
    assert environments.cached()[0].used.year == 1970
    make(tmp_path).ready(prefix.key)
    assert environments.cached()[0].used.year > 1970


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_said_so(tmp_path: Path) -> None:
    environments = make(tmp_path)
    with pytest.raises(Unavailable, match="the disk is full"):
        environments.build(BARE, Path("/dev/full"), cancel=threading.Event())
    assert environments.cached() == []


def test_a_home_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "envs").write_text("a file")
    with pytest.raises(Unavailable, match="cannot be written"):
        build(make(tmp_path), BARE, tmp_path)
