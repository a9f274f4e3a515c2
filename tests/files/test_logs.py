from __future__ import annotations

import os
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazulite.files.logs import follow, last_lines, tail


def test_the_tail_is_the_last_lines(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("1\n2\n3\n4\n")
    assert tail(tmp_path / "log", 2) == "3\n4"


@pytest.mark.parametrize("name", ["none", "log/none"])
def test_there_is_no_tail_without_a_log(tmp_path: Path, name: str) -> None:
    (tmp_path / "log").write_text("")
    assert tail(tmp_path / name) == ""


def test_a_long_log_is_read_from_its_end_and_loses_its_cut_line(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("first line is long\nsecond\n")
    assert tail(tmp_path / "log", 20, max_bytes=12) == "second"


def test_of_one_huge_line_the_end_is_shown(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a" * 1_000_000 + "end")
    assert tail(tmp_path / "log", 20, max_bytes=5) == "aaend"


def test_bytes_that_are_not_utf8_are_shown_as_such() -> None:
    assert last_lines(b"ok\nbad \xff byte", 20, cut=False) == "ok\nbad \ufffd byte"


def test_a_character_that_was_cut_is_left_out() -> None:
    assert last_lines("äb".encode()[1:], 20, cut=True) == "b"


def test_of_a_redrawn_line_the_last_drawing_is_shown() -> None:
    assert last_lines(b"start\r\n 10%\r 50%\r100%\r\nend\r\n", 20, cut=False) == "start\n100%\nend"


@given(st.binary(), st.integers(1, 5))
def test_a_tail_never_has_more_lines_than_asked(data: bytes, lines: int) -> None:
    assert last_lines(data, lines, cut=False).count("\n") < lines


async def collect(path: Path, offset: int, states: list[bool], grow: bytes = b"") -> bytes:
    async def is_done() -> bool:
        done = states.pop(0)
        if done and grow:
            with path.open("ab") as stream:
                stream.write(grow)
        return done

    with anyio.fail_after(10):
        return b"".join([part async for part in follow(path, offset, is_done)])


def test_a_finished_log_is_read_from_the_offset(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"0123456789")
    assert anyio.run(collect, tmp_path / "log", 4, [True]) == b"456789"


def test_what_was_written_last_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"first ")
    assert anyio.run(collect, tmp_path / "log", 0, [False, True], b"last") == b"first last"


def test_a_log_that_does_not_exist_yet_is_waited_for(tmp_path: Path) -> None:
    assert anyio.run(collect, tmp_path / "log", 0, [False, True], b"came") == b"came"


def test_a_pipe_in_the_place_of_a_log_is_empty_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    assert anyio.run(collect, tmp_path / "log", 0, [False, True]) == b""
    assert tail(tmp_path / "log") == ""


@pytest.mark.parametrize("offset", [11, 2**63 - 1, 10**30])
def test_past_the_end_of_a_finished_log_there_is_nothing(tmp_path: Path, offset: int) -> None:
    (tmp_path / "log").write_bytes(b"0123456789")
    assert anyio.run(collect, tmp_path / "log", offset, [True]) == b""


def test_a_large_log_comes_in_parts(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x" * 1_000_000)
    assert len(anyio.run(collect, tmp_path / "log", 0, [True])) == 1_000_000
