"""Which interpreter an environment gets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from lazulite.domain.errors import InvalidInput
from lazulite.environments.host import Host
from lazulite.environments.process import BuildLog
from lazulite.environments.pythons import Finder


class FakeUv:
    """A uv that has the interpreters of `here` and can fetch those of `there`."""

    def __init__(self, here: dict[str, Path], there: dict[str, Path]) -> None:
        self.here, self.there = here, there
        self.fetched: list[str] = []

    def __call__(self, arguments: Sequence[str], on_line: Callable[[str], None]) -> int:
        verb, wanted = arguments[1], arguments[-1].removeprefix("==").removesuffix(".*")
        if verb == "find" and wanted in self.here:
            on_line("warning: a broken interpreter was skipped")
            on_line(str(self.here[wanted]))
            return 0
        if verb == "install" and wanted in self.there:
            self.here[wanted] = self.there[wanted]
            self.fetched.append(wanted)
            return 0
        if verb == "list":
            on_line("warning: a broken interpreter was skipped")
            on_line(
                '[{"version": "3.10.2", "path": "/a"}, {"version": "3.9.1"}, {"version": "3.9.1"},'
                ' {"version": "7.3", "implementation": "pypy"}]'
            )
            return 0
        return 2


@pytest.fixture
def log(tmp_path: Path) -> Iterator[BuildLog]:
    with BuildLog(tmp_path / "log.txt") as out:
        yield out


@pytest.fixture
def interpreter(tmp_path: Path) -> Path:
    path = tmp_path / "python3"
    path.touch()
    return path


def finder(log: BuildLog, uv: FakeUv, **environ: str) -> Finder:
    host = Host(
        python=Path("/usr/bin/python3"), version="3.11.7", platform="linux", environ=environ
    )
    return Finder(host=host, uv=uv, log=log)


@pytest.mark.parametrize("python", ["==3.11.*", "==3.11.7", ">=3.8,<3.12"])
def test_the_interpreter_that_runs_lazulite_is_taken_where_it_fits(
    log: BuildLog, python: str
) -> None:
    assert finder(log, FakeUv({}, {})).find(python, "e") == Path("/usr/bin/python3")


def test_another_one_is_looked_for(log: BuildLog, interpreter: Path) -> None:
    uv = FakeUv({"3.9": interpreter}, {})
    assert finder(log, uv).find("==3.9.*", "e") == interpreter
    assert uv.fetched == []


def test_what_is_not_here_is_fetched(log: BuildLog, interpreter: Path) -> None:
    uv = FakeUv({}, {"3.9": interpreter})
    assert finder(log, uv).find("==3.9.*", "e") == interpreter
    assert uv.fetched == ["3.9"]
    assert "asking uv to fetch it" in log.tail[0]


def test_what_cannot_be_fetched_is_an_error_that_lists_what_is_here(log: BuildLog) -> None:
    with pytest.raises(InvalidInput, match=r"Python ==3\.9\.\* .*here: 3\.9\.1, 3\.10\.2\)"):
        finder(log, FakeUv({}, {})).find("==3.9.*", "e")


def test_a_stand_in_is_taken_only_on_request_and_the_log_says_so(log: BuildLog) -> None:
    relaxed = finder(log, FakeUv({}, {}), LAZULITE_RELAX_PYTHON="1")
    assert relaxed.find("==3.9.*", "e") == Path("/usr/bin/python3")
    assert "this environment has Python 3.11.7" in log.tail[-1]
