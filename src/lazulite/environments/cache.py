"""Where built environments lie: folders, locks and manifests. It builds nothing.

home/envs/KEY/MANIFEST names the prefix beside it; a prefix that no manifest names does not exist
for anyone, and the next build under that key removes it. home/envs/.locks/KEY is locked (flock)
while somebody builds or removes KEY; lock files stay, so that nobody locks a deleted one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psutil

from lazulite.domain.errors import Conflict, NotFound
from lazulite.environments.process import kill_group
from lazulite.environments.recipe import KEY_LENGTH
from lazulite.ports.environments import BuildCanceled, Cached, Prefix

MANIFEST = "environment.json"
LOCK_FILE = "requirements.lock"  # what is installed, exactly
_BUILDER = "builder.json"
_USED = "used"  # its modification time is when the environment was last asked for
_KEY = re.compile(rf"[0-9a-f]{{{KEY_LENGTH}}}")
_TOUCH_EVERY = 60.0  # seconds
_SAME_START = 1.0  # seconds; a process that began at another time is another process
_ORPHAN_WAIT = 5.0  # seconds for a killed orphan to be gone
_LOCK_TICK = 0.1  # seconds between tries for a lock that somebody holds


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The record of one built environment, beside its prefix."""

    key: str
    name: str  # the specification that built it first
    prefix: str  # folder beside the manifest
    home: str  # where that folder was built: scripts inside hold its path
    python: str  # version
    image: str | None
    curated: str | None
    requirements: tuple[str, ...]  # asked for, credentials masked
    notes: tuple[str, ...]
    variables: dict[str, str]
    created: datetime
    size: int  # bytes
    uv: str


class _Builder(msgspec.Struct, frozen=True):
    """The process group that works in a folder, so that a crash of ours leaves no orphan."""

    group: int
    started: float  # seconds since the epoch


@dataclass(slots=True)
class _Known:
    """A manifest in memory, with what says that it is still true."""

    stamp: tuple[int, int]  # inode and modification time of the manifest
    prefix: Prefix
    python: Path  # a link to the interpreter
    touched: float  # monotonic seconds


class Cache:
    """The environments under one folder. Safe to share between threads and processes."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`; it is made by the first build."""
        self._folder = folder.absolute()
        self._known: dict[str, _Known] = {}

    def ready(self, key: str) -> Prefix | None:
        """Return the prefix of `key` if it is built and its interpreter is still there."""
        if not _KEY.fullmatch(key):
            return None
        folder = self._folder / key
        try:
            found = (folder / MANIFEST).stat()
            stamp = (found.st_ino, found.st_mtime_ns)
            known = self._known.get(key)
            if known is None or known.stamp != stamp:
                known = self._known[key] = _know(folder, stamp)
            known.python.stat()
        except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
            self._known.pop(key, None)
            return None
        _touch(folder, known)
        return known.prefix

    @contextlib.contextmanager
    def building(
        self, key: str, cancel: threading.Event, waiting: Callable[[], None]
    ) -> Iterator[Path]:
        """Hold the lock of `key` and give its folder, cleared of what no manifest names.

        Args:
            key: the environment to build.
            cancel: stops waiting for the lock.
            waiting: called once if somebody else holds it.

        Raises:
            BuildCanceled: `cancel` was set while waiting.
        """
        folder = self._folder / key
        with self._lock(key) as handle:
            held = _try_lock(handle)
            if not held:
                waiting()
            while not held:
                if cancel.wait(_LOCK_TICK):
                    raise BuildCanceled
                held = _try_lock(handle)
            if self.ready(key) is None:
                (folder / MANIFEST).unlink(missing_ok=True)
            _sweep(folder)
            self._sweep_others()
            folder.mkdir(exist_ok=True)  # in the folder that holds the locks, so it is there
            try:
                yield folder
            finally:
                _sweep(folder)

    def publish(self, folder: Path, manifest: Manifest) -> Prefix:
        """Make a finished prefix visible, in one step, and return it."""
        draft = folder / f".{MANIFEST}"
        draft.touch(mode=0o600)  # variables may be secrets
        with draft.open("wb") as file:
            file.write(msgspec.json.encode(manifest))
            file.flush()
            os.fsync(file.fileno())
        (folder / _USED).touch()
        draft.replace(folder / MANIFEST)
        return _prefix(folder, manifest)

    def cached(self) -> list[Cached]:
        """Every built environment, the one used last first."""
        found = []
        for path in self._folder.glob(f"*/{MANIFEST}"):
            with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
                found.append(_describe(path))
        return sorted(found, key=lambda entry: entry.used, reverse=True)

    def remove(self, key: str) -> int:
        """Delete an environment and return the bytes that this freed.

        Files that uv shares with its own cache by hard links stay there and do not count.

        Raises:
            NotFound: there is none of this key.
            Conflict: it is being built.
        """
        folder = self._folder / key
        if not _KEY.fullmatch(key) or not folder.is_dir():
            raise NotFound(f"environment {key[:64]!r} is not in the cache", path="key")
        with self._lock(key) as handle:
            if not _try_lock(handle):
                raise Conflict(
                    f"environment {key} is being built: cancel the jobs that wait for it, "
                    "or remove it later",
                    path="key",
                )
            _end_orphan(folder)
            (folder / MANIFEST).unlink(missing_ok=True)
            self._known.pop(key, None)
            freed = size_of(folder, shared=False)
            shutil.rmtree(folder, ignore_errors=True)
        return freed

    def _sweep_others(self) -> None:
        """Remove what builds of other keys left when they died: nobody may ask for those again."""
        for folder in self._folder.iterdir():
            if _KEY.fullmatch(folder.name) and not (folder / MANIFEST).exists():
                with self._lock(folder.name) as handle:
                    if _try_lock(handle):
                        _sweep(folder)

    @contextlib.contextmanager
    def _lock(self, key: str) -> Iterator[int]:
        locks = self._folder / ".locks"
        locks.mkdir(parents=True, exist_ok=True)
        handle = os.open(locks / key, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield handle
        finally:
            os.close(handle)


def new_prefix(folder: Path) -> Path:
    """Return the path of a prefix that nobody has used: an orphan of a crash cannot reach it."""
    return folder / f"p{secrets.token_hex(4)}"


def note_builder(folder: Path, group: int) -> None:
    """Remember which process group works in `folder`."""
    with contextlib.suppress(psutil.NoSuchProcess):
        builder = _Builder(group, psutil.Process(group).create_time())
        (folder / _BUILDER).write_bytes(msgspec.json.encode(builder))


def size_of(folder: Path, *, shared: bool = True) -> int:
    """Return the bytes on disk under `folder`, each file once.

    Args:
        folder: what to measure.
        shared: count files that have another name elsewhere, too.
    """
    total = 0
    seen: dict[int, int] = {}  # inode -> names not met yet
    for path, _, names in os.walk(folder):
        for name in names:
            found = os.lstat(f"{path}/{name}")
            left = seen.get(found.st_ino, found.st_nlink) - 1
            first, seen[found.st_ino] = found.st_ino not in seen, left
            if first if shared else left == 0:
                total += found.st_blocks * 512
    return total


def _know(folder: Path, stamp: tuple[int, int]) -> _Known:
    manifest = _read(folder / MANIFEST)
    if manifest.home != str(folder):
        raise FileNotFoundError(folder)  # the home was moved: the scripts point elsewhere
    prefix = _prefix(folder, manifest)
    return _Known(stamp, prefix, prefix.bin / "python", -_TOUCH_EVERY)


def _prefix(folder: Path, manifest: Manifest) -> Prefix:
    root = folder / manifest.prefix
    variables = {"VIRTUAL_ENV": str(root), **manifest.variables}
    return Prefix(key=manifest.key, bin=root / "bin", variables=variables, python=manifest.python)


def _read(path: Path) -> Manifest:
    return msgspec.json.decode(path.read_bytes(), type=Manifest)


def _touch(folder: Path, known: _Known) -> None:
    now = time.monotonic()
    if now - known.touched >= _TOUCH_EVERY:
        known.touched = now
        with contextlib.suppress(OSError):  # a read-only home still runs what it has
            os.utime(folder / _USED)


def _describe(path: Path) -> Cached:
    manifest = _read(path)
    used = (path.parent / _USED).stat().st_mtime
    return Cached(
        key=manifest.key,
        name=manifest.name,
        size=manifest.size,
        created=manifest.created,
        used=datetime.fromtimestamp(used, UTC),
        python=manifest.python,
    )


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sweep(folder: Path) -> None:
    """Remove what a build left that was not published; the lock is held."""
    if not folder.is_dir():
        return
    _end_orphan(folder)
    keep = set()
    with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
        keep = {MANIFEST, LOCK_FILE, _USED, _read(folder / MANIFEST).prefix}
    for path in folder.iterdir():
        if path.name in keep:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()  # only if nothing was published


def _end_orphan(folder: Path) -> None:
    path = folder / _BUILDER
    with contextlib.suppress(FileNotFoundError, msgspec.DecodeError, psutil.Error):
        builder = msgspec.json.decode(path.read_bytes(), type=_Builder)
        leader = psutil.Process(builder.group)
        if abs(leader.create_time() - builder.started) < _SAME_START:
            kill_group(builder.group)
            leader.wait(_ORPHAN_WAIT)
    path.unlink(missing_ok=True)
