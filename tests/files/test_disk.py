from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import pytest

from lazulite.domain.errors import InvalidInput, LazuliteError, Unavailable
from lazulite.files.blobs import FolderBlobs
from lazulite.files.clone import Cloner
from lazulite.files.disk import explained, make_private, write_all
from lazulite.files.snapshots import FolderSnapshots
from lazulite.ports.blobs import BlobName, Upload
from lazulite.ports.files import Entry

EMPTY = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"  # BLAKE3 of nothing


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "full"), (errno.EDQUOT, "full"), (errno.EROFS, "read-only")],
)
def test_a_disk_that_takes_no_more_is_named_and_nothing_half_written_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    blobs = FolderBlobs(tmp_path / "stores")
    blobs.create(1, "store")
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(Unavailable, match=words):
        blobs.put(BlobName(1, "store", "f"), io.BytesIO(b"1"), Upload())
    assert files_below(tmp_path) == []


def test_a_tree_is_not_saved_before_its_objects_are_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    snapshots = FolderSnapshots(tmp_path / "files")
    snapshots.put(EMPTY, 0, io.BytesIO())
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(Unavailable, match="full"):
        snapshots.save([Entry("a", EMPTY, 0)])
    assert not (tmp_path / "files" / "trees").exists()
    monkeypatch.undo()
    assert snapshots.save([Entry("a", EMPTY, 0)])


def test_an_object_of_no_saved_tree_is_sent_again_after_a_restart(tmp_path: Path) -> None:
    before = FolderSnapshots(tmp_path / "files")
    before.put(EMPTY, 0, io.BytesIO())
    assert before.missing([EMPTY]) == set()
    after = FolderSnapshots(tmp_path / "files")
    assert after.missing([EMPTY]) == {EMPTY}
    after.put(EMPTY, 0, io.BytesIO())
    after.save([Entry("a", EMPTY, 0)])
    assert FolderSnapshots(tmp_path / "files").missing([EMPTY]) == set()


def test_a_manifest_that_cannot_be_written_is_no_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots = FolderSnapshots(tmp_path / "files")
    snapshots.put(EMPTY, 0, io.BytesIO())
    (tmp_path / "files" / "trees").write_text("a file, where the folder would be")
    with pytest.raises(LazuliteError, match="snapshot"):
        snapshots.save([Entry("a", EMPTY, 0)])


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.EACCES, InvalidInput), (errno.EIO, Unavailable)]
)
def test_what_the_system_refuses_is_explained(number: int, kind: type[LazuliteError]) -> None:
    with pytest.raises(kind, match=r"reading x: .*\(/a/b\)"), explained("reading x"):
        raise OSError(number, os.strerror(number), "/a/b")


def test_a_file_in_the_way_of_a_folder_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    with pytest.raises(FileExistsError):
        make_private(str(tmp_path / "f"))


def test_writes_that_the_system_cuts_short_are_continued() -> None:
    class Slow(io.BytesIO):
        def write(self, data: object) -> int:
            return super().write(bytes(data)[:3])  # type: ignore[call-overload]

    slow = Slow()
    write_all(slow, b"0123456789")
    assert slow.getvalue() == b"0123456789"


@pytest.mark.parametrize("mode", [0o644, 0o755])
@pytest.mark.parametrize("size", [0, 10, (1 << 20) + 1])
def test_a_clone_has_the_content_and_may_be_executable(
    tmp_path: Path, size: int, mode: int
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(size))
    source.chmod(0o400)
    Cloner().clone(str(source), str(target), source.stat(), mode)
    assert target.read_bytes() == source.read_bytes()
    assert os.access(target, os.X_OK) == bool(mode & 0o100)


def test_a_file_that_cannot_be_linked_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "another disk")

    monkeypatch.setattr(os, "link", refuse)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(bytes((1 << 20) + 1))
    Cloner().clone(str(source), str(target), source.stat(), 0o644)
    assert target.read_bytes() == source.read_bytes()
