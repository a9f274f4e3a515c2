"""What git says of the code of a job."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lazulite.client import git
from lazulite.domain.source import BRANCH, BUILD_ID, COMMIT, DIRTY, REPOSITORY

ENV = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
PATIENCE = 10.0


def run(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false")
    command = ["git", *who, *words]
    done = subprocess.run(command, cwd=folder, env=ENV, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "train.py").write_text("print()")
    run(folder, "init", "-q", "-b", "trunk")
    run(folder, "add", ".")
    run(folder, "commit", "-q", "-m", "first")
    return folder


def answer(*places: Path, **variables: str) -> dict[str, str] | None:
    with git.ask(places, ENV | variables) as asked:
        return asked.answer(PATIENCE)


def test_a_clean_repository_says_commit_and_branch(repository: Path) -> None:
    commit = run(repository, "rev-parse", "HEAD")
    assert answer(repository / "src") == {COMMIT: commit, BRANCH: "trunk", DIRTY: "False"}


def test_only_changes_of_the_code_itself_make_it_dirty(repository: Path) -> None:
    (repository / "notes.txt").write_text("not code")
    assert (answer(repository / "src") or {})[DIRTY] == "False"
    (repository / "src" / "new.py").write_text("")
    assert (answer(repository / "src") or {})[DIRTY] == "True"
    assert (answer(repository / "src" / "train.py") or {})[DIRTY] == "False"


def test_no_credentials_of_the_remote_are_told(repository: Path) -> None:
    run(repository, "remote", "add", "origin", "https://ann:secret@example.org/x.git?token=t")
    found = answer(repository / "src") or {}
    assert found[REPOSITORY] == "https://example.org/x.git"


def test_a_detached_head_has_no_branch_and_a_new_repository_no_commit(repository: Path) -> None:
    run(repository, "checkout", "-q", "--detach")
    assert set(answer(repository) or {}) == {COMMIT, DIRTY}
    empty = repository.parent / "empty"
    empty.mkdir()
    run(empty, "init", "-q", "-b", "trunk")
    assert answer(empty) == {BRANCH: "trunk", DIRTY: "False"}


def test_outside_a_repository_nothing_is_said(tmp_path: Path) -> None:
    assert answer(tmp_path) == {}
    assert answer() == {}
    (tmp_path / ".git").mkdir()  # of that name, and nothing else
    assert answer(tmp_path) == {}


def test_without_git_nothing_is_said(repository: Path) -> None:
    assert answer(repository, PATH=str(repository)) == {}


def test_variables_say_it_in_the_place_of_git(repository: Path, tmp_path: Path) -> None:
    given = {"AZUREML_GIT_COMMIT": "c0ffee", "AZUREML_GIT_BUILD_ID": "7"}
    assert answer(tmp_path, **given) == {COMMIT: "c0ffee", BUILD_ID: "7"}
    assert (answer(repository, **given) or {})[COMMIT] == "c0ffee"


def test_a_slow_git_is_asked_again_or_ended(repository: Path) -> None:
    slow = repository.parent / "bin"
    slow.mkdir()
    os.mkfifo(slow / "go")
    (slow / "git").write_text(f'#!/bin/sh\nread x <{slow}/go\nexec {shutil.which("git")} "$@"\n')
    (slow / "git").chmod(0o700)
    path = f"{slow}:{ENV['PATH']}"
    with git.ask([repository], ENV | {"PATH": path}) as asked:
        assert asked.answer(0.01) is None  # leaving ends it


def test_a_repository_cannot_make_git_run_a_program(repository: Path) -> None:
    program = repository.parent / "evil"
    program.write_text(f"#!/bin/sh\ntouch {repository.parent}/owned\n")
    program.chmod(0o700)
    run(repository, "config", "core.fsmonitor", str(program))
    assert answer(repository)
    assert not (repository.parent / "owned").exists()
