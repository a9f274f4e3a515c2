from __future__ import annotations

import io
import os
import socket
import threading
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from lazulite.domain.errors import Conflict, InvalidInput, NotFound, Unavailable
from lazulite.files.clone import LINK_ABOVE
from lazulite.files.digests import Digests, tree_digest
from lazulite.files.snapshots import FolderSnapshots
from lazulite.ports.files import Entry


def digest(data: bytes) -> str:
    return blake3(data).hexdigest()


def put(snapshots: FolderSnapshots, data: bytes) -> str:
    snapshots.put(digest(data), len(data), io.BytesIO(data))
    return digest(data)


def tree_of(snapshots: FolderSnapshots, **files: bytes) -> str:
    return snapshots.save([Entry(p, put(snapshots, d), len(d)) for p, d in files.items()])


def files_below(folder: Path) -> dict[str, bytes]:
    found = (p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found}


@pytest.fixture
def snapshots(tmp_path: Path) -> FolderSnapshots:
    return FolderSnapshots(tmp_path / "files")


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    (folder / "lib").mkdir(parents=True)
    (folder / "main.py").write_text("print(1)")
    (folder / "lib" / "größe.py").write_text("x = 2")
    (folder / "run.sh").write_text("#!/bin/sh")
    (folder / "run.sh").chmod(0o755)
    return folder


def test_an_ingested_folder_comes_back_as_it_was(
    snapshots: FolderSnapshots, code: Path, tmp_path: Path
) -> None:
    snapshots.materialise(snapshots.ingest(code), tmp_path / "out")
    assert files_below(tmp_path / "out") == files_below(code)


def test_the_executable_bit_comes_back(
    snapshots: FolderSnapshots, code: Path, tmp_path: Path
) -> None:
    snapshots.materialise(snapshots.ingest(code), tmp_path / "out")
    assert os.access(tmp_path / "out" / "run.sh", os.X_OK)
    assert not (tmp_path / "out" / "main.py").stat().st_mode & 0o111


def test_equal_folders_have_equal_digests_wherever_they_are(tmp_path: Path, code: Path) -> None:
    here = FolderSnapshots(tmp_path / "a").ingest(code)
    assert here == FolderSnapshots(tmp_path / "b").ingest(code)


def test_the_order_of_entries_does_not_change_the_digest(snapshots: FolderSnapshots) -> None:
    assert tree_of(snapshots, a=b"1", b=b"2") == tree_of(snapshots, b=b"2", a=b"1")


@pytest.mark.parametrize(
    "other",
    [
        Entry("a", digest(b"x"), 1, executable=True),
        Entry("b", digest(b"x"), 1),
        Entry("a", digest(b"y"), 1),
    ],
)
def test_path_content_and_executable_bit_are_the_identity_of_a_tree(other: Entry) -> None:
    assert tree_digest([other]) != tree_digest([Entry("a", digest(b"x"), 1)])


def test_the_identity_of_a_tree_is_as_documented() -> None:
    assert tree_digest([]) == digest(b"lazulite tree 1\n\x90")


def test_missing_names_what_was_not_put(snapshots: FolderSnapshots) -> None:
    have = put(snapshots, b"have")
    assert snapshots.missing([have, digest(b"not")]) == {digest(b"not")}


def test_saving_twice_is_the_same_tree(snapshots: FolderSnapshots) -> None:
    assert tree_of(snapshots, a=b"1") == tree_of(snapshots, a=b"1")


def test_entries_are_those_that_were_saved(snapshots: FolderSnapshots) -> None:
    assert snapshots.entries(tree_of(snapshots, a=b"1")) == [Entry("a", digest(b"1"), 1)]


def test_an_unknown_tree_is_not_found(snapshots: FolderSnapshots) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        snapshots.entries("0" * 64)


def test_saving_with_a_missing_object_names_the_file(snapshots: FolderSnapshots) -> None:
    with pytest.raises(InvalidInput, match=r"train\.py"):
        snapshots.save([Entry("train.py", "0" * 64, 1)])


@pytest.mark.parametrize(
    ("claimed", "size"), [("0" * 64, 3), (digest(b"abc"), 4), (digest(b"ab"), 3)]
)
def test_content_that_is_not_its_digest_is_refused_and_leaves_nothing(
    snapshots: FolderSnapshots, tmp_path: Path, claimed: str, size: int
) -> None:
    with pytest.raises(InvalidInput, match="send it again"):
        snapshots.put(claimed, size, io.BytesIO(b"abc"))
    assert files_below(tmp_path) == {}


def test_a_stream_is_read_no_further_than_its_size(snapshots: FolderSnapshots) -> None:
    stream = io.BytesIO(b"abcdef")
    snapshots.put(digest(b"abc"), 3, stream)
    assert stream.read() == b"def"


def test_a_stream_that_breaks_leaves_nothing(snapshots: FolderSnapshots, tmp_path: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise ConnectionResetError

    with pytest.raises(Unavailable):
        snapshots.put(digest(b"abc"), 3, Broken())
    assert files_below(tmp_path) == {}


@pytest.mark.parametrize("bad", ["../" * 20 + "x", "A" * 64, "", "0" * 63, "0" * 64 + "\n"])
def test_a_digest_that_is_none_is_refused(snapshots: FolderSnapshots, bad: str) -> None:
    with pytest.raises(InvalidInput, match="not a BLAKE3 digest"):
        snapshots.missing([bad])


@pytest.mark.parametrize(
    "path",
    ["", "/etc/x", "../x", "a/../x", "a//b", "a/", ".", "a/./b", "a\0b", "x" * 256, "\ud800"],
)
def test_an_unsafe_path_is_refused(snapshots: FolderSnapshots, path: str) -> None:
    with pytest.raises(InvalidInput, match="rename it"):
        snapshots.save([Entry(path, put(snapshots, b"1"), 1)])


@pytest.mark.parametrize(
    "path", ["..x", "x..", "a b+c%41#?.py", "\uff0e\uff0e/x", "ü" * 127, "a\\b"]
)
def test_an_odd_path_is_kept_inside(snapshots: FolderSnapshots, tmp_path: Path, path: str) -> None:
    tree = snapshots.save([Entry(path, put(snapshots, b"1"), 1)])
    snapshots.materialise(tree, tmp_path / "out")
    assert files_below(tmp_path / "out") == {path: b"1"}


@pytest.mark.parametrize("paths", [("a", "a"), ("a", "a/b"), ("a/b/c", "a/b"), ("a/b/c", "a")])
def test_paths_that_cannot_be_together_are_refused(
    snapshots: FolderSnapshots, paths: tuple[str, str]
) -> None:
    one = put(snapshots, b"1")
    with pytest.raises(InvalidInput):
        snapshots.save([Entry(path, one, 1) for path in paths])


def test_a_target_that_exists_is_refused(snapshots: FolderSnapshots, tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="exists already"):
        snapshots.materialise(tree_of(snapshots, a=b"1"), tmp_path)


def test_the_target_of_a_failed_materialise_is_not_there(
    snapshots: FolderSnapshots, tmp_path: Path
) -> None:
    tree = tree_of(snapshots, a=b"1", b=b"2")
    lost = digest(b"2")
    (tmp_path / "files" / "objects" / lost[:2] / lost[2:]).unlink()
    with pytest.raises(Unavailable, match="'b'"):
        snapshots.materialise(tree, tmp_path / "deep" / "out")
    assert list((tmp_path / "deep").iterdir()) == []


def test_a_large_file_costs_no_space_and_is_read_only(
    snapshots: FolderSnapshots, tmp_path: Path
) -> None:
    data = bytes(LINK_ABOVE + 1)
    snapshots.materialise(tree_of(snapshots, big=data), tmp_path / "out")
    big = tmp_path / "out" / "big"
    assert big.read_bytes() == data
    assert big.stat().st_nlink == 1 or not big.stat().st_mode & 0o222


def test_a_small_file_can_be_written_without_touching_the_snapshot(
    snapshots: FolderSnapshots, tmp_path: Path
) -> None:
    tree = tree_of(snapshots, a=b"1")
    snapshots.materialise(tree, tmp_path / "x")
    (tmp_path / "x" / "a").write_bytes(b"changed")
    snapshots.materialise(tree, tmp_path / "y")
    assert (tmp_path / "y" / "a").read_bytes() == b"1"


def test_an_object_that_somebody_changed_is_never_used(
    snapshots: FolderSnapshots, tmp_path: Path
) -> None:
    tree = tree_of(snapshots, a=b"right")
    stored = tmp_path / "files" / "objects" / digest(b"right")[:2] / digest(b"right")[2:]
    stored.chmod(0o600)
    stored.write_bytes(b"wrong")
    with pytest.raises(Unavailable, match="damaged"):
        snapshots.materialise(tree, tmp_path / "out")
    assert tree_of(snapshots, a=b"right") == tree
    snapshots.materialise(tree, tmp_path / "out")
    assert (tmp_path / "out" / "a").read_bytes() == b"right"


def test_an_object_with_another_date_but_the_right_content_is_used(
    snapshots: FolderSnapshots, tmp_path: Path
) -> None:
    tree = tree_of(snapshots, a=b"right")
    os.utime(tmp_path / "files" / "objects" / digest(b"right")[:2] / digest(b"right")[2:])
    snapshots.materialise(tree, tmp_path / "out")
    assert (tmp_path / "out" / "a").read_bytes() == b"right"


def test_objects_are_private(snapshots: FolderSnapshots, tmp_path: Path) -> None:
    put(snapshots, b"secret")
    modes = {p.stat().st_mode & 0o077 for p in (tmp_path / "files").rglob("*")}
    assert modes == {0}


def test_a_symlink_inside_is_stored_by_its_content(snapshots: FolderSnapshots, code: Path) -> None:
    (code / "alias.py").symlink_to("lib/größe.py")
    (code / "library").symlink_to("lib")
    paths = {e.path for e in snapshots.entries(snapshots.ingest(code))}
    assert {"alias.py", "library/größe.py"} <= paths


@pytest.mark.parametrize("name", ["passwd", "etc"])
def test_a_symlink_that_leaves_is_refused_by_name(
    snapshots: FolderSnapshots, code: Path, name: str
) -> None:
    (code / "lib" / name).symlink_to(Path("/etc/passwd") if name == "passwd" else Path("/etc"))
    with pytest.raises(InvalidInput, match=f"symlink 'lib/{name}' points out"):
        snapshots.ingest(code)


def test_a_neighbour_whose_name_begins_alike_is_outside(
    snapshots: FolderSnapshots, code: Path, tmp_path: Path
) -> None:
    (tmp_path / "code-secret").write_text("x")
    (code / "link").symlink_to(tmp_path / "code-secret")
    with pytest.raises(InvalidInput, match="points out"):
        snapshots.ingest(code)


def test_a_cycle_of_symlinks_is_refused(snapshots: FolderSnapshots, code: Path) -> None:
    (code / "lib" / "up").symlink_to("..")
    with pytest.raises(InvalidInput, match="folder that holds it"):
        snapshots.ingest(code)


def test_what_has_no_content_is_left_out(
    snapshots: FolderSnapshots, code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshots.ingest(code)
    os.mkfifo(code / "pipe")
    (code / "self").symlink_to("self")
    (code / ".#lock").symlink_to("user@host")
    monkeypatch.chdir(code)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("sock")
        assert snapshots.ingest(code) == before


def test_a_changed_file_makes_another_snapshot(snapshots: FolderSnapshots, code: Path) -> None:
    before = snapshots.ingest(code)
    (code / "main.py").write_text("print(2)")
    assert snapshots.ingest(code) != before


def test_a_folder_that_is_not_there_is_not_found(
    snapshots: FolderSnapshots, tmp_path: Path
) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        snapshots.ingest(tmp_path / "nowhere")


def test_a_name_that_is_not_unicode_is_refused(snapshots: FolderSnapshots, code: Path) -> None:
    try:
        (code / os.fsdecode(b"caf\xe9")).write_text("x")
    except OSError:
        pytest.skip("this disk allows Unicode only")
    with pytest.raises(InvalidInput, match="UTF-8"):
        snapshots.ingest(code)


def test_a_file_that_changes_while_it_is_ingested_is_read_again(
    snapshots: FolderSnapshots, tmp_path: Path
) -> None:
    digests = Digests(tmp_path / "digests")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_bytes(b"old")
    os.utime(tmp_path / "d" / "f", (1, 1))
    digests.of(tmp_path / "d")
    (tmp_path / "d" / "f").write_bytes(b"new")
    os.utime(tmp_path / "d" / "f", (1, 1))  # as if it changed after it was hashed
    tree = FolderSnapshots(tmp_path / "files", digests).ingest(tmp_path / "d")
    assert snapshots.entries(tree) == [Entry("f", digest(b"new"), 3)]


def test_putting_the_same_object_from_many_threads_keeps_one(
    snapshots: FolderSnapshots, tmp_path: Path
) -> None:
    data = bytes(100_000)
    threads = [threading.Thread(target=put, args=(snapshots, data)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(files_below(tmp_path).values()) == [data]


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-c]{1,2}(/[a-c]{1,2}){0,2}", fullmatch=True), st.binary()))
def test_any_tree_comes_back_whole_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    snapshots = FolderSnapshots(folder / "files")
    try:
        tree = tree_of(snapshots, **files)
    except InvalidInput:
        assert any(a != b and a.startswith(f"{b}/") for a in files for b in files)
        return
    snapshots.materialise(tree, folder / "out")
    assert files_below(folder / "out") == files
