"""Find the interpreter that an environment asks for: here, or fetched by uv. It builds nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lazulite.domain.errors import InvalidInput
from lazulite.environments.failure import CODE
from lazulite.environments.host import RELAX, Host
from lazulite.environments.process import BuildLog

Uv = Callable[[Sequence[str], Callable[[str], None]], int]  # arguments, on_line -> exit status


class _Installed(msgspec.Struct):
    version: str
    implementation: str = "cpython"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finder:
    """Looks for interpreters by means of uv."""

    host: Host
    uv: Uv
    log: BuildLog

    def find(self, python: str, name: str) -> Path:
        """Return an interpreter that the specifier `python` allows, fetching one if there is none.

        Args:
            python: version specifier, ==3.11.*.
            name: the environment, for messages.

        Raises:
            InvalidInput: none is here, none can be fetched, and the user allows no other.
        """
        if self.host.satisfies(python):
            return self.host.python
        found = self._here(python) or self._fetched(python)
        if found:
            return found
        if self.host.relaxed:
            self.log.write(
                f"warning: Python {python} is not here; {RELAX}=1 allows another, "
                f"so this environment has Python {self.host.version}"
            )
            return self.host.python
        here = ", ".join(self._versions()) or self.host.version
        raise InvalidInput(
            f"environment {name}: Python {python} is not on this machine and could not be "
            f"downloaded (here: {here}): loosen the pin, install it with `uv python install`, "
            f"or set {RELAX}=1 in the server's environment to build with {self.host.version}",
            path="conda_file.dependencies",
            code=CODE,
            log_tail="\n".join(self.log.tail),
        )

    def _here(self, python: str) -> Path | None:
        lines: list[str] = []
        arguments = ["python", "find", "--system", "--no-python-downloads", python]
        if self.uv(arguments, lines.append) != 0:
            return None
        paths = [Path(line.strip()) for line in lines if line.startswith("/")]
        return next((path for path in reversed(paths) if path.is_file()), None)

    def _fetched(self, python: str) -> Path | None:
        self.log.say(f"fetching Python {python}")
        self.log.write(f"Python {python} is not here: asking uv to fetch it")
        if self.uv(["python", "install", _shortest(python)], self.log.write) != 0:
            return None
        return self._here(python)

    def _versions(self) -> list[str]:
        lines: list[str] = []
        self.uv(["python", "list", "--only-installed", "--output-format", "json"], lines.append)
        text = next((line for line in lines if line.startswith("[")), "[]")
        try:
            found = msgspec.json.decode(text, type=list[_Installed])
        except msgspec.DecodeError:
            return []
        versions = {one.version for one in found if one.implementation == "cpython"}
        return sorted(versions, key=_order)


def _shortest(python: str) -> str:
    """Spell ==3.11.* as 3.11, which every uv understands."""
    plain = python.removeprefix("==").removesuffix(".*")
    return plain if plain.replace(".", "").isdigit() else python


def _order(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]
