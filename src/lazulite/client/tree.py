"""A local folder as a list of files and digests: what to leave out, and what did not change.

Digests are remembered by size, time and inode, so that an unchanged folder costs one walk.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lazulite.client import cache
from lazulite.domain.errors import InvalidInput

ALWAYS_OUT = frozenset({".git", "__pycache__", ".ipynb_checkpoints", ".DS_Store"})
_FRESH = 100_000_000  # ns; a file changed this recently may change again within its timestamp
_FEW = 16  # files up to which threads take longer to start than to help
_LARGE = 8 * 1024 * 1024  # bytes from which one file is hashed by several threads

Ignore = Callable[[str], bool]  # path relative to the folder, `/` at the end of a folder's


class File(NamedTuple):
    """One file to send."""

    path: str  # in the tree, '/'-separated
    local: str  # where it is
    size: int  # bytes
    modified: int  # ns
    inode: int
    executable: bool


class Digested(NamedTuple):
    """One file with its content's identity."""

    file: File
    digest: str  # BLAKE3, hex

    @property
    def entry(self) -> list[object]:
        """The file as the server's route wants it."""
        return [self.file.path, self.digest, self.file.size, self.file.executable]


def code_files(path: Path, includes: tuple[Path, ...]) -> list[File]:
    """Return the files of a snapshot: a folder without what it ignores, or one file.

    Args:
        path: the folder or file.
        includes: further files and folders, put at the root under their own names.

    Raises:
        InvalidInput: a symlink leads out of the folder, or an include has a name that is taken.
    """
    found = _rooted(path, as_root=True)
    taken = {file.path.split("/", 1)[0] for file in found}
    for include in includes:
        if include.name in taken:
            raise InvalidInput(
                f"additional_includes: '{include.name}' is in the code folder {path} already",
                path="additional_includes",
            )
        taken.add(include.name)
        found += _rooted(include, as_root=False)
    return sorted(found)


def data_files(path: Path) -> list[File]:
    """Return every file of a folder, or the one file; nothing is left out."""
    return sorted([_one(path)] if path.is_file() else list(walk(path, None)))


def _rooted(path: Path, *, as_root: bool) -> list[File]:
    if path.is_file():
        return [_one(path)]
    files = walk(path, read_ignore(path))
    if as_root:
        return list(files)
    return [file._replace(path=f"{path.name}/{file.path}") for file in files]


def _one(path: Path) -> File:
    return _file(path.name, str(path), path.stat())


def walk(folder: Path, ignore: Ignore | None) -> Iterator[File]:
    """Yield the files below `folder`; `ignore` = None leaves nothing out.

    Raises:
        InvalidInput: a symlink leads out of the folder, in a circle, or a name is not text.
    """
    root = os.path.realpath(folder)
    yield from _walk(root, root, "", ignore, (root,))


def _walk(
    root: str, place: str, prefix: str, ignore: Ignore | None, above: tuple[str, ...]
) -> Iterator[File]:
    with os.scandir(place) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        path = prefix + entry.name
        if ignore is not None and _is_out(entry, path, ignore):
            continue
        real = _inside(root, path, entry.path) if entry.is_symlink() else entry.path
        if entry.is_dir():
            if real in above:
                raise InvalidInput(f"the symlink {entry.path} leads in a circle; remove it")
            yield from _walk(root, real, f"{path}/", ignore, (*above, real))
        elif entry.is_file():
            yield _file(_text(path), entry.path, entry.stat())


def _is_out(entry: os.DirEntry[str], path: str, ignore: Ignore) -> bool:
    if entry.name in ALWAYS_OUT or entry.name.endswith(".pyc"):
        return True
    return ignore(f"{path}/" if entry.is_dir() else path)


def _inside(root: str, path: str, link: str) -> str:
    real = os.path.realpath(link)
    if real != root and not real.startswith(root.rstrip("/") + "/"):
        raise InvalidInput(
            f"the symlink {link} leads out of the folder, to {real}: copy what it names, or list "
            "it in .amlignore",
            path=path,
        )
    return real


def _text(path: str) -> str:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"the file name {path!r} is not UTF-8; rename the file") from None
    return path


def _file(path: str, local: str, status: os.stat_result) -> File:
    executable = bool(status.st_mode & stat.S_IXUSR)
    return File(path, local, status.st_size, status.st_mtime_ns, status.st_ino, executable)


def read_ignore(folder: Path) -> Ignore:
    """Return what .amlignore says, or .gitignore where there is no .amlignore."""
    for name in (".amlignore", ".gitignore"):
        file = folder / name
        if file.is_file():
            from pathspec import GitIgnoreSpec

            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            return GitIgnoreSpec.from_lines(lines).match_file
    return lambda _: False


@dataclass(frozen=True, slots=True)
class DigestCache:
    """Digests of files by path, size, time and inode; one small file per folder."""

    folder: Path  # of the cache; made when needed

    def digest(self, root: Path, files: list[File]) -> list[Digested]:
        """Return the files with their digests, reading only those that changed."""
        store = cache.place(self.folder, str(root))
        known = cache.load(store)
        keys = {file.local: [file.size, file.modified, file.inode] for file in files}
        stale = [f for f in files if known.get(f.local, [])[:3] != keys[f.local]]
        fresh = dict(zip((f.local for f in stale), _hash_all(stale), strict=True))
        done = [Digested(f, fresh.get(f.local) or str(known[f.local][3])) for f in files]
        if fresh or len(known) != len(files):
            _save(store, {d.file.local: [*keys[d.file.local], d.digest] for d in done})
        return done


def _hash_all(files: list[File]) -> list[str]:
    if len(files) <= _FEW:
        return [_hash(file) for file in files]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(_hash, files, chunksize=64))


def _hash(file: File) -> str:
    from blake3 import blake3

    if file.size >= _LARGE:
        whole = blake3(max_threads=blake3.AUTO)
        whole.update_mmap(file.local)
        return str(whole.hexdigest())
    return str(blake3(Path(file.local).read_bytes()).hexdigest())


def _save(store: Path, digests: dict[str, list[object]]) -> None:
    """Keep digests, without those of files that changed too recently to be trusted."""
    limit = time.time_ns() - _FRESH
    kept = {local: of for local, of in digests.items() if int(str(of[1])) < limit}
    cache.save(store, kept)
