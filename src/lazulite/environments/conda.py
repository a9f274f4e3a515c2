"""Read a conda file: the Python it pins and what to install. Pure; it solves nothing.

Conda packages become requirements of the Python package index, under the name they have there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from lazulite.domain.errors import InvalidInput, Unsupported
from lazulite.environments.conda_names import BROUGHT_ALONG, PROGRAMS, PYPI_NAMES
from lazulite.environments.pip_lines import PipList

MAX_CHARACTERS = 256 * 1024
WHERE = "conda_file"
_KNOWN_KEYS = frozenset({"name", "channels", "dependencies", "prefix", "variables"})
_SPEC = re.compile(
    r"(?:(?P<channel>[^\s:\[\]]+)::)?(?P<name>[A-Za-z0-9_][A-Za-z0-9_.\-]*)"
    r"(?P<rest>\s*[=<>!~\s].*)?(?P<bracket>\[.*\])?"
)
_BRACKET_VERSION = re.compile(r"version\s*=\s*['\"]?(?P<version>[^'\",\]]+(?:,[^'\"\]]+)?)")
_CLAUSE = re.compile(r"(?P<operator>===|==|~=|!=|>=|<=|=|<|>)?\s*(?P<version>[A-Za-z0-9_.+!*\-]+)")


@dataclass(slots=True, kw_only=True)
class CondaFile:
    """What a conda file asks for."""

    python: str | None = None  # version specifier; None = any
    pip: PipList = field(default_factory=PipList)
    variables: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)  # what was not taken as written, for the log


def read_conda(text: str) -> CondaFile:
    """Read the text of a conda file.

    Raises:
        InvalidInput: it is not one, or an entry cannot be understood; `path` names the entry.
        Unsupported: an entry is something that no Python package index has.
    """
    document = _load(text)
    result = CondaFile(variables=_variables(document.get("variables")))
    for key in sorted(set(map(str, document)) - _KNOWN_KEYS):
        result.notes.append(f"{key}: not a key of a conda file; ignored")
    if document.get("channels"):
        result.notes.append("channels: ignored; packages come from the Python package index")
    entries = document.get("dependencies") or []
    if not isinstance(entries, list):
        raise InvalidInput("dependencies is not a list", path=f"{WHERE}.dependencies")
    for number, entry in enumerate(entries):
        _add_entry(result, entry, f"{WHERE}.dependencies.{number}")
    result.pip.finish()
    return result


def _load(text: str) -> dict[str, Any]:
    if len(text) > MAX_CHARACTERS:
        raise InvalidInput(
            f"the conda file has {len(text)} characters: at most {MAX_CHARACTERS} are read",
            path=WHERE,
        )
    try:
        document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        cause = " ".join(str(error).split())[:300] or type(error).__name__
        raise InvalidInput(f"the conda file is not YAML: {cause}", path=WHERE) from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise InvalidInput(
            "the conda file is not a mapping with `dependencies`: is it a requirements.txt? "
            "Write its lines as dependencies: [python=3.11, pip: [...]]",
            path=WHERE,
        )
    return document


def _variables(found: object) -> dict[str, str]:
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise InvalidInput("variables is not a mapping", path=f"{WHERE}.variables")
    for name, value in found.items():
        if isinstance(value, list | dict):
            raise InvalidInput(f"{name} is not a text", path=f"{WHERE}.variables.{name}")
    return {str(name): str(value) for name, value in found.items()}


def _add_entry(result: CondaFile, entry: object, path: str) -> None:
    if isinstance(entry, str):
        _add_package(result, entry, path)
    elif isinstance(entry, dict) and set(entry) == {"pip"}:
        lines = entry["pip"] or []
        if not isinstance(lines, list):
            raise InvalidInput("pip is not a list of requirements", path=f"{path}.pip")
        for number, line in enumerate(lines):
            if not isinstance(line, str):
                raise InvalidInput(
                    f"{_show(line)} is not a requirement: put it in quotes",
                    path=f"{path}.pip.{number}",
                )
            result.pip.add(line, f"{path}.pip.{number}")
    else:
        raise InvalidInput(f"{_show(entry)} is neither a package nor a pip list", path=path)


def _show(value: object) -> str:
    """Spell a value in short; a collection not at all: YAML can nest one without end."""
    return f"a {type(value).__name__}" if isinstance(value, list | dict) else repr(value)[:200]


def _add_package(result: CondaFile, text: str, path: str) -> None:
    found = _SPEC.fullmatch(text.strip())
    if not found:
        raise InvalidInput(f"{text[:200]!r} is not a conda package: write name=version", path=path)
    name = found["name"].lower()
    if name in BROUGHT_ALONG:
        result.notes.append(f"{text}: dropped; Python and its wheels bring this library along")
        return
    if _add_torch_backend(result, name, found["rest"] or ""):
        return
    if name in PROGRAMS or name.startswith("r-"):
        raise Unsupported(
            f"conda package {name!r} is a program, which no Python package index has: "
            "install it on this machine and take it out of the conda file",
            path=path,
        )
    versions = _versions(result, found["rest"] or "", found["bracket"] or "", path)
    if name == "python":
        result.python = _whole_minor(result, versions)
        return
    result.pip.add_requirement(f"{PYPI_NAMES.get(name, name)}{versions}", path)


def _whole_minor(result: CondaFile, python: str) -> str | None:
    """Take `python==3.8` for any 3.8, as people mean it; the note says so."""
    if not re.fullmatch(r"==\d+\.\d+", python):
        return python or None
    result.notes.append(f"python{python}: any {python[2:]}.x is taken")
    return f"{python}.*"


def _add_torch_backend(result: CondaFile, name: str, rest: str) -> bool:
    """Take `cpuonly` and `pytorch-cuda=12.1`, which choose the build of PyTorch."""
    if name == "cpuonly":
        result.pip.flags.append("--torch-backend=cpu")
        return True
    if name == "pytorch-cuda":
        if found := re.search(r"(\d+)\.(\d+)", rest):
            result.pip.flags.append(f"--torch-backend=cu{found[1]}{found[2]}")
        return True
    return False


def _versions(result: CondaFile, rest: str, bracket: str, path: str) -> str:
    """Return the version part of a conda package as a PEP 440 specifier, `` if it has none."""
    text = rest.strip()
    if bracket and (found := _BRACKET_VERSION.search(bracket)):
        text = found["version"].strip()
    if "build" in bracket:
        result.notes.append(f"{bracket}: the build is ignored")
    if "|" in text:
        raise Unsupported(
            f"{text[:200]!r} means one version or another, which pip cannot say: choose one",
            path=path,
        )
    text = _without_build(result, text)
    if text in ("", "*", "=*", "==*"):
        return ""
    return ",".join(_clause(part.strip(), path) for part in text.split(","))


def _without_build(result: CondaFile, text: str) -> str:
    """Drop a build string: `=1.2=py38_0`, `==1.2=py38_0` or ` 1.2 py38_0`."""
    found = re.fullmatch(r"(?P<version>={1,2}[^=<>!~,\s]+)(?:=|\s+)(?P<build>[^=,<>]+)", text)
    found = found or re.fullmatch(r"(?P<version>[^=<>!~,\s]+)(?:\s+|=)(?P<build>[^=,<>\s]+)", text)
    if not found:
        return text
    result.notes.append(f"build {found['build']!r} of version {found['version']!r}: ignored")
    return found["version"]


def _clause(text: str, path: str) -> str:
    """Turn one clause into PEP 440: `=1.2` and `1.2*` mean 1.2 and what begins with it."""
    found = _CLAUSE.fullmatch(text)
    if not found:
        raise InvalidInput(f"version {text[:100]!r} is not understood: write =1.2", path=path)
    operator, version = found["operator"] or "==", found["version"]
    stem = version.rstrip("*").rstrip(".")
    starred = version.endswith("*")
    if operator == "=" or (operator == "==" and starred):
        return f"=={stem}.*"
    if operator == "!=" and starred:
        return f"!={stem}.*"
    return f"{operator}{stem}"
