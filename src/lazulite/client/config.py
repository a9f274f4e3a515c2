"""Which workspace is meant: options, variables, Azure's config.json, defaults, in this order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lazulite.domain.errors import InvalidInput
from lazulite.domain.ids import DEFAULT_WORKSPACE, WorkspaceId, check_name

FIELDS = ("subscription", "group", "workspace")
_IN_FILE = {"subscription": "subscription_id", "group": "resource_group",
            "workspace": "workspace_name"}  # fmt: skip
_VARIABLES = {
    "subscription": ("LAZULITE_SUBSCRIPTION", "AZUREML_ARM_SUBSCRIPTION"),
    "group": ("LAZULITE_RESOURCE_GROUP", "AZUREML_ARM_RESOURCEGROUP"),
    "workspace": ("LAZULITE_WORKSPACE", "AZUREML_ARM_WORKSPACE_NAME"),
}


class Choice(NamedTuple):
    """The workspace, and where each of its three names came from."""

    workspace: WorkspaceId
    origins: Mapping[str, str]


def choose(
    options: Mapping[str, str | None],
    environ: Mapping[str, str],
    folder: Path,
    home: Path,
) -> Choice:
    """Decide which workspace is meant; each of its three names on its own.

    An option beats a variable (`LAZULITE_*` before `AZUREML_ARM_*`), which beats the nearest
    config.json from `folder` upward, which beats `lazulite configure --defaults`, which beats the
    default workspace.

    Args:
        options: `FIELDS` to what was given on the command line.
        environ: the variables.
        folder: where to begin to look for config.json.
        home: of Lazulite, which holds the defaults.

    Raises:
        InvalidInput: a file is not what it should be, or a name is not valid.
    """
    found, origins = {}, {}
    sources = [("the command line", options), *_variables(environ)]
    file = config_file(folder)
    if file is not None:
        sources.append((str(file), read_config(file)))
    sources.append((str(defaults_file(home)), read_defaults(home)))
    standard = dict(zip(FIELDS, DEFAULT_WORKSPACE, strict=True))
    sources.append(("the default workspace", standard))
    for field in FIELDS:
        origin, value = next((name, given[field]) for name, given in sources if given.get(field))
        found[field], origins[field] = check_name(str(value), field, path=origin), origin
    ids = WorkspaceId(found["subscription"], found["group"], found["workspace"])
    return Choice(workspace=ids, origins=origins)


def _variables(environ: Mapping[str, str]) -> Iterator[tuple[str, dict[str, str | None]]]:
    for place in (0, 1):
        names = {field: _VARIABLES[field][place] for field in FIELDS}
        for field, name in names.items():
            yield f"the variable {name}", {field: environ.get(name)}


def config_file(folder: Path) -> Path | None:
    """Return the nearest config.json (or .azureml/config.json) that names a workspace."""
    for place in (folder, *folder.parents):
        for name in ("config.json", ".azureml/config.json"):
            file = place / name
            if file.is_file() and "workspace_name" in _text(file):
                return file  # config.json is a common name: others are not ours
    return None


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError):
        return ""


def read_config(file: Path) -> dict[str, str | None]:
    """Read Azure's config.json.

    Raises:
        InvalidInput: it is not a JSON object of texts.
    """
    found = _json(file)
    return {field: _name(file, found, key) for field, key in _IN_FILE.items()}


def _name(file: Path, found: Mapping[str, Any], key: str) -> str | None:
    value = found.get(key)
    if value is not None and not isinstance(value, str):
        raise InvalidInput(f"{file}: '{key}' must be text, not {value!r}", path=key)
    return value


def defaults_file(home: Path) -> Path:
    """Return where `lazulite configure` keeps its defaults."""
    return home / "defaults.json"


def read_defaults(home: Path) -> dict[str, str | None]:
    """Return the defaults set by `lazulite configure`; empty if there are none."""
    file = defaults_file(home)
    if not file.is_file():
        return {}
    found = _json(file)
    return {key: str(value) for key, value in found.items()}


def write_defaults(home: Path, changes: Mapping[str, str]) -> dict[str, str | None]:
    """Set or, with an empty text, forget defaults; return what is set now."""
    merged = {**read_defaults(home), **changes}
    kept: dict[str, str | None] = {key: value for key, value in merged.items() if value}
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = defaults_file(home)
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps(kept, indent=2) + "\n")
    fresh.replace(file)
    return kept


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{file}: cannot be read as JSON: {error}", path=str(file)) from None
    if not isinstance(found, dict):
        raise InvalidInput(f"{file}: must be a JSON object", path=str(file))
    return found
