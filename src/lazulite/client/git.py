"""Where the code of a job comes from, as Azure ML's tools ask git: repository, branch, commit.

git works while the code is uploaded. Outside a repository, none is started.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from lazulite.domain.source import (
    BRANCH,
    BUILD_ID,
    BUILD_URI,
    COMMIT,
    DIRTY,
    REPOSITORY,
    without_credentials,
)

if TYPE_CHECKING:
    from subprocess import Popen

_GIVEN = {  # what Azure ML's tools take from the environment instead
    REPOSITORY: "AZUREML_GIT_REPOSITORY_URI",
    BRANCH: "AZUREML_GIT_BRANCH",
    COMMIT: "AZUREML_GIT_COMMIT",
    DIRTY: "AZUREML_GIT_DIRTY",
    BUILD_ID: "AZUREML_GIT_BUILD_ID",
    BUILD_URI: "AZUREML_GIT_BUILD_URI",
}
# a repository's own settings must neither run a program nor make git write or ask
_GIT = ("git", "-c", "core.fsmonitor=false", "--no-optional-locks")
_STATUS = (*_GIT, "status", "--porcelain=v2", "--branch", "--")
_REMOTE = (*_GIT, "ls-remote", "--get-url")


class Asked(AbstractContextManager["Asked"]):
    """A question to git that may not be answered yet. Leaving it ends what still runs."""

    def __init__(self, given: dict[str, str], asked: Iterable[Popen[bytes]]) -> None:
        """`asked`: status, then address of the remote; none outside a repository."""
        self._given = given
        self._asked = tuple(asked)
        self._told: list[bytes] = []

    def __exit__(self, *_: object) -> None:
        """End what still runs."""
        for process in self._asked[len(self._told) :]:
            process.kill()
            process.communicate()

    def answer(self, wait: float) -> dict[str, str] | None:
        """Return the properties of a job, at most `wait` seconds from now; None = not yet."""
        if not self._asked:
            return self._given
        from subprocess import TimeoutExpired

        try:
            for process in self._asked[len(self._told) :]:
                self._told.append(process.communicate(timeout=wait)[0])
        except TimeoutExpired:
            return None
        if self._asked[0].returncode:
            return self._given  # not a repository after all, or not of this user
        found = _read(*(text.decode("utf-8", "replace") for text in self._told))
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


def _start(root: Path, places: list[str], env: Mapping[str, str]) -> list[Popen[bytes]]:
    from subprocess import DEVNULL, PIPE, Popen

    quiet = {**env, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}
    try:
        return [
            Popen(command, cwd=root, env=quiet, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL)  # noqa: S603 - git, and paths after `--`
            for command in ((*_STATUS, *places), _REMOTE)
        ]
    except OSError:  # there is no git here
        return []


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
