"""What this machine gives to every build: an interpreter, a platform, the user's settings of uv."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import SpecifierSet

RELAX = "LAZULITE_RELAX_PYTHON"  # 1 = another Python may stand in for a pinned one that is not here

# Settings of uv that decide which versions are chosen; they are part of an environment's key.
RESOLUTION = (
    "UV_BUILD_CONSTRAINT",
    "UV_CONSTRAINT",
    "UV_EXCLUDE_NEWER",
    "UV_FORK_STRATEGY",
    "UV_INDEX_STRATEGY",
    "UV_NO_BINARY",
    "UV_NO_BUILD",
    "UV_OVERRIDE",
    "UV_PRERELEASE",
    "UV_RESOLUTION",
    "UV_TORCH_BACKEND",
)
# What would make a build depend on the shell it was started from, or leak into a package's build.
_DROPPED = frozenset(
    {
        "CONDA_PREFIX",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONHOME",
        "PYTHONPATH",
        "UV_NO_CONFIG",
        "UV_PROJECT",
        "UV_PROJECT_ENVIRONMENT",
        "UV_PYTHON",
        "UV_SYSTEM_PYTHON",
        "UV_VENV_CLEAR",
        "UV_VENV_RELOCATABLE",
        "UV_VENV_SEED",
        "UV_WORKING_DIR",
        "VIRTUAL_ENV",
    }
)
_DROPPED_PREFIXES = ("LAZULITE_", "AZUREML_", "MLFLOW_")
# uv's name -> pip's or another tool's names for the same, the first that is set counts.
_TRANSLATED = {
    "UV_DEFAULT_INDEX": ("PIP_INDEX_URL",),
    "UV_INDEX": ("PIP_EXTRA_INDEX_URL",),
    "UV_FIND_LINKS": ("PIP_FIND_LINKS",),
    "UV_INSECURE_HOST": ("PIP_TRUSTED_HOST",),
    "SSL_CERT_FILE": ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
}
_OLDER = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """This machine, as far as it decides what is built."""

    python: Path  # interpreter for environments that pin none; never a virtual environment's
    version: str  # of `python`: 3.11.7
    platform: str  # linux-x86_64
    environ: Mapping[str, str]

    @property
    def default_python(self) -> str:
        """The specifier of an environment that pins no Python."""
        major, minor = self.version.split(".")[:2]
        return f"=={major}.{minor}.*"

    @property
    def relaxed(self) -> bool:
        """The user allows another Python than the pinned one."""
        return self.environ.get(RELAX, "") not in ("", "0")

    @property
    def resolution(self) -> list[tuple[str, str]]:
        """The user's settings that decide which versions uv chooses."""
        return [(name, self.environ[name]) for name in RESOLUTION if self.environ.get(name)]

    def satisfies(self, python: str) -> bool:
        """The interpreter running Lazulite is one that the specifier `python` allows."""
        return SpecifierSet(python).contains(self.version, prereleases=True)


def this_host(environ: Mapping[str, str] | None = None) -> Host:
    """Describe the machine and interpreter that run this process."""
    return Host(
        python=Path(getattr(sys, "_base_executable", "") or sys.executable),
        version=platform.python_version(),
        platform=sysconfig.get_platform(),
        environ=dict(os.environ if environ is None else environ),
    )


def uv_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for a child uv: the user's indexes and certificates, no shell state.

    Pip's variables count where uv's own are not set. Interpreters that pyenv keeps are put on PATH.
    """
    child = {
        name: value
        for name, value in environ.items()
        if name not in _DROPPED and not name.startswith(_DROPPED_PREFIXES)
    }
    for name, others in _TRANSLATED.items():
        if child.get(name) or child.get(_OLDER.get(name, "")):
            continue
        value = next((child[other] for other in others if child.get(other)), None)
        if value:
            child[name] = ",".join(value.split()) if name == "UV_FIND_LINKS" else value
    child["PATH"] = os.pathsep.join([child.get("PATH", os.defpath), *_pyenv(environ)])
    return child | {"NO_COLOR": "1", "UV_NO_PROGRESS": "1", "UV_PYTHON_INSTALL_BIN": "0"}


def config_arguments(environ: Mapping[str, str]) -> list[str]:
    """Return the arguments that give uv the user's settings, and no project's around the home."""
    if environ.get("UV_CONFIG_FILE"):
        return []
    home = Path(environ.get("HOME") or "/nonexistent")
    folders = [
        Path(environ.get("XDG_CONFIG_HOME") or home / ".config"),
        Path("/etc/xdg"),
        Path("/etc"),
    ]
    for folder in folders:
        settings = folder / "uv" / "uv.toml"
        if settings.is_file():
            return ["--config-file", str(settings)]
    return ["--no-config"]


def _pyenv(environ: Mapping[str, str]) -> list[str]:
    root = environ.get("PYENV_ROOT") or Path(environ.get("HOME") or "/nonexistent") / ".pyenv"
    return sorted(map(str, Path(root).glob("versions/3.*/bin")), reverse=True)
