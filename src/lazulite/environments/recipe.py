"""From an environment's specification to what is built, and the key it is kept under. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from blake3 import blake3
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from lazulite.domain import curated
from lazulite.domain.errors import InvalidInput, LazuliteError, Unsupported
from lazulite.environments.conda import WHERE, CondaFile, read_conda
from lazulite.environments.curated import lock_text
from lazulite.environments.host import Host
from lazulite.environments.images import Base, read_image
from lazulite.ports.environments import EnvironmentSpec

LAYOUT = 1  # of a built prefix; another number makes every environment be built anew
KEY_LENGTH = 32  # hexadecimal digits

# pip looks for a package on all indexes; uv stops at the first that has it, unless told so.
_LIKE_PIP = "--index-strategy=unsafe-best-match"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that decides the result of a build."""

    python: str  # version specifier
    requirements: tuple[str, ...] = ()  # normalised, sorted
    options: tuple[str, ...] = ()  # lines of the requirements file
    flags: tuple[str, ...] = ()  # arguments of uv pip install
    curated: str | None = None  # its lock is the requirements file; `requirements` is then empty
    variables: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()  # what was not taken as written; decides nothing

    @property
    def installs(self) -> bool:
        """There is something to install beside Python."""
        return bool(self.requirements) or self.curated is not None

    def requirements_file(self) -> str:
        """The text that uv installs from."""
        if self.curated:
            return lock_text(self.curated)
        return "".join(f"{line}\n" for line in (*self.options, *self.requirements))


def read_spec(spec: EnvironmentSpec, host: Host) -> Recipe:
    """Work out what `spec` asks for.

    Raises:
        InvalidInput: a part of it is wrong; the message begins with the environment's name.
        Unsupported: it asks for what a machine without containers cannot give.
    """
    try:
        return _read(spec, host)
    except LazuliteError as error:
        message = f"environment {spec.name}: {error.message}"
        raise type(error)(message, path=error.path, **error.facts) from None


def key_of(recipe: Recipe, host: Host) -> str:
    """Return the name under which the result of `recipe` on `host` is kept."""
    stand_in = host.relaxed and not host.satisfies(recipe.python)
    parts = (
        LAYOUT,
        host.platform,
        recipe.python,
        host.default_python if stand_in else None,
        sorted(recipe.requirements),
        recipe.options,
        sorted(recipe.flags),
        lock_text(recipe.curated) if recipe.curated else None,
        sorted(recipe.variables),
        host.resolution if recipe.installs else None,
    )
    return str(blake3(msgspec.json.encode(parts)).hexdigest(KEY_LENGTH // 2))


def _read(spec: EnvironmentSpec, host: Host) -> Recipe:
    if spec.build:
        raise Unsupported(
            "a Docker build context cannot be built: Lazulite runs no containers; "
            "name the Python packages in a conda_file, with an image such as python:3.11-slim",
            path="build",
        )
    base = read_image(spec.image) if spec.image else Base()
    name = spec.curated or base.curated
    known = curated.find(name) if name else None
    conda = read_conda(spec.conda) if spec.conda else CondaFile()
    python = conda.python or (f"=={known.python}.*" if known else base.python)
    variables = tuple(sorted((conda.variables | spec.variables).items()))
    if known and not spec.conda:
        return Recipe(python=f"=={known.python}.*", curated=known.name, variables=variables)
    notes = [f"curated {known.name}: only its Python counts beside a conda file"] if known else []
    return Recipe(
        python=_specifier(python or host.default_python),
        requirements=tuple(sorted(set(conda.pip.requirements))),
        options=tuple(conda.pip.options),
        flags=_flags(conda, host),
        variables=variables,
        notes=(*notes, *conda.notes, *conda.pip.notes),
    )


def _specifier(python: str) -> str:
    try:
        return str(SpecifierSet(python))
    except InvalidSpecifier:
        raise InvalidInput(
            f"Python version {python!r} is not understood: write python=3.11",
            path=f"{WHERE}.dependencies",
        ) from None


def _flags(conda: CondaFile, host: Host) -> tuple[str, ...]:
    flags = set(conda.pip.flags)
    extra = any(option.startswith("--extra-index-url") for option in conda.pip.options)
    if extra and not host.environ.get("UV_INDEX_STRATEGY"):
        flags.add(_LIKE_PIP)
    return tuple(sorted(flags))
