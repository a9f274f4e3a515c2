"""Where the code of a job comes from, as Azure ML's tools ask git: repository, branch, commit.

git works while the code is uploaded. Outside a repository, none is started.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from lazulite.domain.source import (
    BRANCH,
    BUILD_ID,
    BUILD_URI,
    COMMIT,
    DIRTY,
    REPOSITORY,
    without_credentials,
)

_GIVEN = {  # what Azure ML's tools take from the environment instead
    REPOSITORY: "AZUREML_GIT_REPOSITORY_URI",
    BRANCH: "AZUREML_GIT_BRANCH",
    COMMIT: "AZUREML_GIT_COMMIT",
    DIRTY: "AZUREML_GIT_DIRTY",
    BUILD_ID: "AZUREML_GIT_BUILD_ID",
    BUILD_URI: "AZUREML_GIT_BUILD_URI",
}
# a repository's own settings must neither start a monitor nor make git write or ask; filters that
# it names for its files run, as with any `git status`, or changes could not be told
_SAFE = ("-c", "core.fsmonitor=false", "--no-optional-locks")
_STATUS = ("status", "--porcelain=v2", "--branch", "--")
_REMOTE = ("ls-remote", "--get-url")


class _Question:
    """One process of git, started without `subprocess`, whose import takes as long as git does."""

    def __init__(self, command: tuple[str, ...], env: Mapping[str, str]) -> None:
        """Start it; OSError if that cannot be."""
        self._out, write = os.pipe()
        null = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
        quiet = (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)
        actions = [null, (os.POSIX_SPAWN_DUP2, write, 1), quiet]
        try:
            self._pid = os.posix_spawn(command[0], command, env, file_actions=actions)
        except OSError:
            os.close(self._out)
            raise
        finally:
            os.close(write)
        self.text = b""
        self.code: int | None = None  # exit code; None = it runs

    def ends(self, wait: float) -> bool:
        """Read what it says until it ends; False if that takes more than `wait` seconds."""
        give_up = time.monotonic() + wait
        while self.code is None:
            left = max(0.0, give_up - time.monotonic())
            if not select.select([self._out], [], [], left)[0]:
                return False
            data = os.read(self._out, 1 << 16)
            self.text += data
            if not data:
                self._reap()
        return True

    def end(self) -> None:
        """Kill it if it runs."""
        if self.code is None:
            os.kill(self._pid, signal.SIGKILL)
            self._reap()

    def _reap(self) -> None:
        os.close(self._out)
        self.code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])


class Asked(AbstractContextManager["Asked"]):
    """A question to git that may not be answered yet. Leaving it ends what still runs."""

    def __init__(self, given: dict[str, str], asked: Sequence[_Question]) -> None:
        """`asked`: status, then address of the remote; none outside a repository."""
        self._given = given
        self._asked = asked

    def __exit__(self, *_: object) -> None:
        """End what still runs."""
        for question in self._asked:
            question.end()

    def answer(self, wait: float) -> dict[str, str] | None:
        """Return the properties of a job, at most `wait` seconds from now; None = not yet."""
        if not all(question.ends(wait) for question in self._asked):
            return None
        if not self._asked or self._asked[0].code:
            return self._given  # not a repository, or not one of this user
        found = _read(*(question.text.decode("utf-8", "replace") for question in self._asked))
        return without_credentials(found | self._given)


def ask(places: Iterable[Path], environ: Mapping[str, str] | None = None) -> Asked:
    """Ask git about the code of a job.

    Args:
        places: files and folders that are its code; the first decides which repository.
        environ: variables that say it instead; None = of this process.
    """
    env = os.environ if environ is None else environ
    given = {name: env[variable] for name, variable in _GIVEN.items() if env.get(variable)}
    known = [place.resolve() for place in places]
    root = _repository(known[0]) if known else None
    if root is None:
        return Asked(given, ())
    inside = [str(place) for place in known if place.is_relative_to(root)]
    return Asked(given, _start(root, inside, env))


def _repository(place: Path) -> Path | None:
    return next((folder for folder in (place, *place.parents) if (folder / ".git").exists()), None)


def _start(root: Path, places: list[str], env: Mapping[str, str]) -> list[_Question]:
    git = next((path for path in _candidates(env) if os.access(path, os.X_OK)), None)
    if git is None:
        return []
    quiet = {**env, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}
    started: list[_Question] = []
    try:
        started.extend(
            _Question((git, "-C", str(root), *_SAFE, *words), quiet)
            for words in ((*_STATUS, *places), _REMOTE)
        )
    except OSError:
        Asked({}, started).__exit__()
        return []
    return started


def _candidates(env: Mapping[str, str]) -> list[str]:
    return [f"{folder}/git" for folder in os.get_exec_path(env)]


def _read(status: str, remote: str) -> dict[str, str]:
    lines = status.splitlines()
    heads = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# branch."))
    found = {
        REPOSITORY: remote.strip() if "/" in remote or ":" in remote else "",  # a bare name: none
        BRANCH: heads.get("branch.head", ""),
        COMMIT: heads.get("branch.oid", ""),
    }
    known = {key: value for key, value in found.items() if value and not value.startswith("(")}
    is_dirty = any(not line.startswith("#") for line in lines)
    return known | ({DIRTY: str(is_dirty)} if heads else {})
