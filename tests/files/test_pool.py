"""Equal files of logged models are one file on the disk."""

from __future__ import annotations

import errno
import io
import os
import stat
import threading
import time
from pathlib import Path

import pytest
from blake3 import blake3

from lazulite.files import leftovers, pool
from lazulite.files.blobs import FolderBlobs
from lazulite.ports.blobs import BlobName, Upload, always

MODEL = bytes(range(256)) * 1024  # 256 KiB


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    blobs = FolderBlobs(tmp_path / "stores")
    blobs.create(1, "store")
    return blobs


@pytest.fixture
def root(tmp_path: Path, blobs: FolderBlobs) -> Path:
    return tmp_path / "stores" / "1" / "store"


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return tmp_path / "stores" / "1" / ".blobs" / "store" / "pool"


def log(blobs: FolderBlobs, path: str, data: bytes = MODEL) -> None:
    blobs.put(BlobName(1, "store", path), io.BytesIO(data), Upload(shared=True))


def links(path: Path) -> int:
    return path.stat().st_nlink


def test_a_model_that_is_logged_often_is_stored_once(blobs: FolderBlobs, root: Path) -> None:
    for number in range(20):
        log(blobs, f"m-{number}/model.pkl")
    files = [root / f"m-{number}" / "model.pkl" for number in range(20)]
    assert len({file.stat().st_ino for file in files}) == 1
    assert {file.read_bytes() for file in files} == {MODEL}
    assert links(files[0]) == 21


def test_another_content_is_another_file(blobs: FolderBlobs, root: Path) -> None:
    log(blobs, "a")
    log(blobs, "b", MODEL[::-1])
    assert (root / "a").stat().st_ino != (root / "b").stat().st_ino


def test_nobody_writes_to_a_shared_file_in_place(blobs: FolderBlobs, root: Path) -> None:
    log(blobs, "a")
    assert stat.S_IMODE((root / "a").stat().st_mode) == 0o400
    log(blobs, "b")
    log(blobs, "b", b"new" * 100_000)
    assert (root / "a").read_bytes() == MODEL


def test_small_files_and_those_of_runs_are_their_own(
    blobs: FolderBlobs, root: Path, shelf: Path
) -> None:
    log(blobs, "small", b"x" * 1000)
    blobs.put(BlobName(1, "store", "run"), io.BytesIO(MODEL), Upload())
    assert (links(root / "small"), links(root / "run"), shelf.exists()) == (1, 1, False)


def test_an_object_that_was_changed_in_place_is_not_shared_any_more(
    blobs: FolderBlobs, root: Path
) -> None:
    log(blobs, "a")
    (root / "a").chmod(0o600)
    (root / "a").write_bytes(MODEL[::-1])
    log(blobs, "b")
    log(blobs, "c")
    assert (root / "b").read_bytes() == (root / "c").read_bytes() == MODEL
    assert (root / "b").stat().st_ino == (root / "c").stat().st_ino


def test_the_link_count_says_what_is_unused(blobs: FolderBlobs, shelf: Path) -> None:
    log(blobs, "a")
    log(blobs, "b")
    [found] = pool.objects(str(shelf))
    assert not pool.is_unused(found)
    for name in ("a", "b"):
        blobs.delete(BlobName(1, "store", name), always)
    [found] = pool.objects(str(shelf))
    assert pool.is_unused(found)


def test_equal_uploads_at_once_all_come_whole(blobs: FolderBlobs, root: Path) -> None:
    start = threading.Barrier(8)

    def one(number: int) -> None:
        start.wait(10)
        log(blobs, str(number))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {(root / str(number)).read_bytes() for number in range(8)} == {MODEL}
    log(blobs, "after")
    assert links(root / "after") > 1


@pytest.mark.parametrize("reason", [errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP])
def test_where_linking_fails_the_file_is_kept_by_itself(
    blobs: FolderBlobs, root: Path, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    def refuse(source: str, target: str) -> None:
        raise OSError(reason, os.strerror(reason), source)

    monkeypatch.setattr(os, "link", refuse)
    log(blobs, "a")
    log(blobs, "b")
    assert (root / "a").read_bytes() == (root / "b").read_bytes() == MODEL


def test_a_full_object_makes_room_for_a_new_one(
    blobs: FolderBlobs, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(blobs, "a")
    real, refusals = os.link, [True]

    def full_once(source: str, target: str) -> None:
        if refusals:
            refusals.clear()
            raise OSError(errno.EMLINK, os.strerror(errno.EMLINK), source)
        real(source, target)

    monkeypatch.setattr(os, "link", full_once)
    log(blobs, "b")
    log(blobs, "c")
    assert (root / "b").stat().st_ino == (root / "c").stat().st_ino != (root / "a").stat().st_ino


def test_a_crash_before_the_file_is_placed_leaves_what_can_be_swept(tmp_path: Path) -> None:
    staged = tmp_path / "staged"
    staged.write_bytes(MODEL)
    digest = blake3(MODEL).hexdigest()
    assert pool.share(str(tmp_path / "pool"), str(staged), digest) is False
    [found] = pool.objects(str(tmp_path / "pool"))
    assert not pool.is_unused(found)
    staged.unlink()  # as a sweep of what is staged does
    [found] = pool.objects(str(tmp_path / "pool"))
    assert pool.is_unused(found)


def test_an_object_is_on_the_disk_before_others_can_link_to_it(
    blobs: FolderBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    acts: list[str] = []
    for name in ("fsync", "link"):
        act = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, n=name, f=act: (acts.append(n), f(*a))[1])
    log(blobs, "a")
    # one link is tried to an object that is not there, then one is made that is
    assert acts[:3] == ["link", "fsync", "link"]


def test_a_name_that_a_kill_left_in_the_pool_is_unused_after_a_day(
    blobs: FolderBlobs, shelf: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(blobs, "a")
    [found] = pool.objects(str(shelf))
    left = Path(found.path).with_name(".lazulite-tmp-0")
    os.link(root / "a", left)
    assert not [one for one in pool.objects(str(shelf)) if pool.is_unused(one)]
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 2 * 24 * 3600)
    assert [one.path for one in pool.objects(str(shelf)) if pool.is_unused(one)] == [str(left)]


def test_a_file_that_takes_an_old_object_for_its_own_is_not_left_over(
    blobs: FolderBlobs, root: Path, tmp_path: Path
) -> None:
    log(blobs, "a")
    year = time.time() - 365 * 24 * 3600
    os.utime(root / "a", (year, year))
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    os.link(root / "a", incoming / "staged")
    assert list(leftovers.leftovers(str(incoming))) == []
