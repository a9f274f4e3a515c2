from __future__ import annotations

import os
from pathlib import Path

import anyio
import pytest
from blake3 import blake3

from lazulite.domain.errors import InvalidInput, NotFound
from lazulite.files.data import LocalFiles
from lazulite.files.digests import Digests
from lazulite.files.snapshots import FolderSnapshots


@pytest.fixture
def files(tmp_path: Path) -> LocalFiles:
    return LocalFiles(tmp_path / "stores", Digests(tmp_path / "digests"))


def age(*paths: Path) -> None:
    """Make files older than what may still change unseen."""
    for path in paths:
        os.utime(path, (1_000_000_000, 1_000_000_000))


def test_a_root_is_a_private_folder_of_workspace_and_datastore(
    files: LocalFiles, tmp_path: Path
) -> None:
    root = files.root(7, "workspaceblobstore")
    assert root == tmp_path / "stores" / "7" / "workspaceblobstore"
    assert root.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["..", "a/b", "", ".blobs", "x" * 300])
def test_a_datastore_name_is_one_safe_segment(files: LocalFiles, name: str) -> None:
    with pytest.raises(InvalidInput):
        files.root(7, name)


@pytest.mark.parametrize("path", ["a/b.csv", "/a/b.csv", "a//b.csv", "./a/b.csv"])
def test_a_path_is_located_below_the_root(files: LocalFiles, path: str) -> None:
    assert files.locate(7, "store", path) == files.root(7, "store").resolve() / "a" / "b.csv"


def test_the_empty_path_is_the_root(files: LocalFiles) -> None:
    assert files.locate(7, "store", "") == files.root(7, "store").resolve()


@pytest.mark.parametrize("path", ["../x", "a/../../x", "a\0", "a\\..\\x", "x" * 256])
def test_a_path_that_leaves_is_refused(files: LocalFiles, path: str) -> None:
    with pytest.raises(InvalidInput):
        files.locate(7, "store", path)


@pytest.mark.parametrize("path", ["out", "out/x", "out/new/x"])
def test_a_symlink_that_leaves_is_refused(files: LocalFiles, tmp_path: Path, path: str) -> None:
    (tmp_path / "outside").mkdir()
    (files.root(7, "store") / "out").symlink_to(tmp_path / "outside")
    with pytest.raises(InvalidInput, match="through a symlink"):
        files.locate(7, "store", path)


def test_a_symlink_that_stays_is_followed(files: LocalFiles) -> None:
    root = files.root(7, "store")
    (root / "real").mkdir()
    (root / "alias").symlink_to("real")
    assert files.locate(7, "store", "alias/x") == root.resolve() / "real" / "x"


def test_a_store_below_a_symlinked_home_works(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "home").symlink_to("real")
    files = LocalFiles(tmp_path / "home", Digests(tmp_path / "digests"))
    assert files.locate(1, "store", "x") == tmp_path.resolve() / "real" / "1" / "store" / "x"


def test_the_digest_of_a_file_is_the_blake3_of_its_bytes(files: LocalFiles, tmp_path: Path) -> None:
    for size in (0, 1, 128 << 10, (128 << 10) + 1, 9_000_000):
        (tmp_path / "f").write_bytes(b"x" * size)
        assert files.digest(tmp_path / "f") == blake3(b"x" * size).hexdigest()


def test_the_digest_of_a_folder_is_that_of_its_snapshot(files: LocalFiles, tmp_path: Path) -> None:
    (tmp_path / "d" / "e").mkdir(parents=True)
    for number in range(5):
        (tmp_path / "d" / "e" / f"{number}").write_bytes(bytes([number]) * 200_000)
    tree = FolderSnapshots(tmp_path / "snapshots").ingest(tmp_path / "d")
    assert files.digest(tmp_path / "d") == tree


def test_an_empty_folder_has_a_digest(files: LocalFiles, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    assert len(files.digest(tmp_path / "d")) == 64


def test_what_is_not_there_has_none(files: LocalFiles, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        files.digest(tmp_path / "nothing")


def unreadable_but_known(folder: Path, digests: Digests) -> str:
    """Hash a folder, then change the bytes of its file behind its size, time and inode."""
    path = folder / "f"
    path.write_bytes(b"a" * 2_000_000)
    age(path)
    before = digests.of(folder)
    path.write_bytes(b"b" * 2_000_000)
    age(path)
    return before


def test_an_unchanged_file_is_not_read_again(tmp_path: Path) -> None:
    digests = Digests(tmp_path / "digests")
    (tmp_path / "d").mkdir()
    assert unreadable_but_known(tmp_path / "d", digests) == digests.of(tmp_path / "d")


def test_what_was_hashed_is_known_after_a_restart(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    before = unreadable_but_known(tmp_path / "d", Digests(tmp_path / "digests"))
    assert Digests(tmp_path / "digests").of(tmp_path / "d") == before


def test_a_broken_memory_is_forgotten(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    before = unreadable_but_known(tmp_path / "d", Digests(tmp_path / "digests"))
    for path in (p for p in (tmp_path / "digests").rglob("*") if p.is_file()):
        path.write_bytes(b"\xc1")
    assert Digests(tmp_path / "digests").of(tmp_path / "d") != before


@pytest.mark.parametrize("change", ["size", "time", "inode", "mode", "added", "removed", "renamed"])
def test_a_change_makes_another_digest(tmp_path: Path, change: str) -> None:
    digests = Digests(tmp_path / "digests")
    folder = tmp_path / "d"
    folder.mkdir()
    one, two = folder / "one", folder / "two"
    one.write_bytes(b"1111")
    two.write_bytes(b"2222")
    age(one, two)
    before = digests.of(folder)
    if change == "size":
        one.write_bytes(b"11111")
        age(one)
    elif change == "time":
        one.write_bytes(b"3333")
    elif change == "inode":
        (tmp_path / "new").write_bytes(b"3333")
        age(tmp_path / "new")
        (tmp_path / "new").replace(one)
    elif change == "mode":
        one.chmod(0o755)
    elif change == "added":
        (folder / "three").write_bytes(b"3")
    elif change == "removed":
        two.unlink()
    else:
        two.rename(folder / "three")
    assert digests.of(folder) != before


def test_a_file_that_was_written_just_now_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lazulite.files.digests._RACY", 10**12)  # ns: a disk of coarse clock
    digests = Digests(tmp_path / "digests")
    path = tmp_path / "f"
    path.write_bytes(b"a")
    now = path.stat().st_mtime_ns
    before = digests.of(path)
    path.write_bytes(b"b")
    os.utime(path, ns=(now, now))
    assert digests.of(path) != before


def test_a_memory_that_cannot_be_written_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "digests").write_text("a file, where the folder would be")
    (tmp_path / "f").write_bytes(b"a" * 2_000_000)
    assert Digests(tmp_path / "digests").of(tmp_path / "f")


def test_the_port_reads_logs(files: LocalFiles, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("1\n2\n3\n")

    async def is_done() -> bool:
        return True

    async def collect() -> bytes:
        return b"".join([part async for part in files.follow(tmp_path / "log", 2, is_done)])

    assert files.tail(tmp_path / "log", 2) == "2\n3"
    assert anyio.run(collect) == b"2\n3\n"
