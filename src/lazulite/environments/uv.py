"""The `Environments` port by uv: a virtual environment per key, built once, kept by content."""

from __future__ import annotations

import contextlib
import errno
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import msgspec

from lazulite.domain.errors import LazuliteError, Unavailable
from lazulite.environments import failure
from lazulite.environments.cache import (
    LOCK_FILE,
    Cache,
    Manifest,
    new_prefix,
    note_builder,
    size_of,
)
from lazulite.environments.host import Host, config_arguments, this_host, uv_environment
from lazulite.environments.pip_shim import install_shim
from lazulite.environments.process import BuildLog, Runner
from lazulite.environments.pythons import Finder
from lazulite.environments.recipe import Recipe, key_of, read_spec
from lazulite.environments.secrets import mask
from lazulite.ports.environments import BuildCanceled, Cached, EnvironmentSpec, Prefix

_MEMORY = 256  # specifications whose recipe is remembered
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_CLOSED = frozenset({errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR})


class UvEnvironments:
    """Builds environments with uv under one folder. Safe between threads and processes."""

    def __init__(self, home_envs: Path, host: Host | None = None) -> None:
        """Keep environments in `home_envs`, made at the first build.

        Args:
            home_envs: the folder; absolute.
            host: the machine; None = this one.
        """
        self._cache = Cache(home_envs)
        self._host = host or this_host()
        self._recipes: dict[bytes, tuple[Recipe, str]] = {}

    def plan(self, spec: EnvironmentSpec) -> str:
        """Return the key of what `spec` asks for; nothing is touched and nothing fetched."""
        return self._recipe(spec)[1]

    def ready(self, key: str) -> Prefix | None:
        """Return the built prefix of `key`, None if it must be built."""
        return self._cache.ready(key)

    def build(
        self,
        spec: EnvironmentSpec,
        log: Path,
        *,
        cancel: threading.Event,
        progress: Callable[[str], None] | None = None,
    ) -> Prefix:
        """Build what `spec` asks for, or wait for who builds it, or return what is there.

        Raises:
            InvalidInput: it cannot be built; facts are code, requirement and log_tail.
            Unavailable: the disk is full or closed, or the package index cannot be reached.
            BuildCanceled: `cancel` was set; nothing is left of the build.
        """
        recipe, key = self._recipe(spec)
        if found := self._cache.ready(key):
            return found
        with _disk_trouble(spec.name), BuildLog(log, progress) as out:

            def wait() -> None:
                out.write(f"waiting for another job that builds environment {spec.name}")
                out.say("waiting for another build of this environment")

            with self._cache.building(key, cancel, wait) as folder:
                if found := self._cache.ready(key):
                    return found
                return self._build(_Build(spec, recipe, key, folder, out, self._host, cancel))

    def cached(self) -> list[Cached]:
        """Every built environment, the one used last first."""
        return self._cache.cached()

    def remove(self, key: str) -> int:
        """Delete a built environment and return the bytes freed."""
        return self._cache.remove(key)

    def _recipe(self, spec: EnvironmentSpec) -> tuple[Recipe, str]:
        identity = msgspec.json.encode(msgspec.structs.replace(spec, name=""))
        found = self._recipes.get(identity)
        if found is None:
            recipe = read_spec(spec, self._host)
            if len(self._recipes) >= _MEMORY:
                self._recipes.clear()
            found = self._recipes[identity] = (recipe, key_of(recipe, self._host))
        return found

    def _build(self, build: _Build) -> Prefix:
        if build.cancel.is_set():
            raise BuildCanceled
        return self._cache.publish(build.folder, build.run())


@dataclass(frozen=True)
class _Build:
    """One build, under the lock of its key."""

    spec: EnvironmentSpec
    recipe: Recipe
    key: str
    folder: Path
    log: BuildLog
    host: Host
    cancel: threading.Event

    def run(self) -> Manifest:
        """Make the prefix and say what it is.

        Raises:
            InvalidInput: something that was asked for cannot be installed.
        """
        begin = time.monotonic()
        self._introduce()
        finder = Finder(host=self.host, uv=self._uv, log=self.log)
        python = finder.find(self.recipe.python, self.spec.name)
        root = new_prefix(self.folder)
        version = self._make(python, root)
        if self.recipe.installs:
            self._install(root, version)
        install_shim(root / "bin")
        self.log.write(f"built in {time.monotonic() - begin:.1f} s: {root}")
        return self._manifest(root, version)

    @cached_property
    def _runner(self) -> Runner:
        return Runner(
            env=uv_environment(self.host.environ),
            cwd=self.folder,
            cancel=self.cancel,
            started=lambda group: note_builder(self.folder, group),
        )

    @cached_property
    def _command(self) -> list[str]:
        import uv

        return [uv.find_uv_bin(), *config_arguments(self.host.environ)]

    def _uv(self, arguments: Sequence[str], on_line: Callable[[str], None]) -> int:
        return self._runner.run([*self._command, *arguments], on_line)

    def _uv_aloud(self, arguments: Sequence[str]) -> int:
        self.log.write(f"$ uv {subprocess.list2cmdline(arguments)}")
        return self._uv(arguments, self._on_line)

    def _on_line(self, line: str) -> None:
        self.log.write(line)
        if words := failure.progress_of(line):
            self.log.say(words)

    def _introduce(self) -> None:
        self.log.write(f"building environment {self.spec.name}, key {self.key}")
        for note in self.recipe.notes:
            self.log.write(f"note: {note}")

    def _make(self, python: Path, root: Path) -> str:
        """Make an empty virtual environment and return its Python version."""
        arguments = ["venv", "--quiet", "--no-project", "--python", str(python), str(root)]
        if self._uv_aloud(arguments) != 0:
            raise self._failed(self.recipe.python)
        return _version_of(root) or self.host.version

    def _install(self, root: Path, version: str) -> None:
        text = self.recipe.requirements_file()
        count = sum(not line.startswith((" ", "-", "#")) for line in text.splitlines())
        self.log.say(f"resolving {count} package{'' if count == 1 else 's'}")
        requirements = self.folder / "requirements.txt"
        requirements.touch(mode=0o600)  # an index URL may hold a password
        requirements.write_text(text, "utf-8")
        interpreter = str(root / "bin" / "python")
        arguments = ["pip", "install", "--python", interpreter, "--compile-bytecode"]
        arguments += [*self.recipe.flags, "-r", str(requirements)]
        if self._uv_aloud(arguments) != 0:
            raise self._failed(version)
        frozen: list[str] = []
        if self._uv(["pip", "freeze", "--python", interpreter], frozen.append) != 0:
            raise self._failed(version)
        pinned = [mask(line) for line in frozen if "==" in line or " @ " in line]
        (self.folder / LOCK_FILE).write_text("\n".join([*pinned, ""]), "utf-8")

    def _failed(self, version: str) -> LazuliteError:
        return failure.explain(
            failure.Failed(
                name=self.spec.name,
                requirements=self.recipe.requirements,
                python=version,
                tail=list(self.log.tail),
            )
        )

    def _manifest(self, root: Path, version: str) -> Manifest:
        import uv

        return Manifest(
            key=self.key,
            name=self.spec.name,
            prefix=root.name,
            home=str(self.folder),
            python=version,
            image=self.spec.image,
            curated=self.recipe.curated,
            requirements=tuple(mask(line) for line in self.recipe.requirements),
            notes=self.recipe.notes,
            variables=dict(self.recipe.variables),
            created=datetime.now(UTC),
            size=size_of(root),
            uv=getattr(uv, "__version__", ""),
        )


def _version_of(root: Path) -> str | None:
    for line in (root / "pyvenv.cfg").read_text("utf-8").splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "version_info":
            return value.strip()
    return None


@contextlib.contextmanager
def _disk_trouble(name: str) -> Iterator[None]:
    """Say in plain words that the home cannot be written."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise failure.disk_full(name) from error
        if error.errno in _CLOSED:
            raise Unavailable(
                f"environment {name}: {error.filename} cannot be written ({error.strerror}): "
                "give the server's user the right to, or move LAZULITE_HOME",
                code=failure.CODE,
            ) from error
        raise
