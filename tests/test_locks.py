"""The locked versions are those that pyproject.toml asks for, with hashes and without addresses."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def _asked(*groups: str) -> list[Requirement]:
    lines = [*PROJECT["project"]["dependencies"]]
    lines += PROJECT["project"]["optional-dependencies"]["postgres"]
    for group in groups:
        lines += [line for line in PROJECT["dependency-groups"][group] if isinstance(line, str)]
    return [Requirement(line) for line in lines]


def _locked(name: str) -> dict[str, list[str]]:
    """Versions by name: one that depends on the system stands there once per system."""
    found: dict[str, list[str]] = {}
    text = (ROOT / "requirements" / name).read_text()
    for line in re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==([^\s;\\]+)", text, re.MULTILINE):
        found.setdefault(canonicalize_name(line[0]), []).append(line[1])
    return found


@pytest.mark.parametrize(
    ("lock", "groups"), [("run.lock", ()), ("dev.lock", ("test", "lint", "docs"))]
)
def test_a_lock_satisfies_the_ranges(lock: str, groups: tuple[str, ...]) -> None:
    locked = _locked(lock)
    for asked in _asked(*groups):
        versions = locked.get(canonicalize_name(asked.name))
        assert versions, f"{asked.name} is not in {lock}: run `just lock`"
        assert all(asked.specifier.contains(version) for version in versions), (
            f"{asked}: {versions}"
        )


@pytest.mark.parametrize("lock", ["run.lock", "dev.lock"])
def test_a_lock_has_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text()
    assert "://" not in text
    entries = re.split(r"\n(?=\S)", text.split("just lock\n")[1])
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
