from __future__ import annotations

import base64
import hashlib
import io
import os
import threading
import time
from pathlib import Path

import pytest

from lazulite.domain.errors import Conflict, InvalidInput
from lazulite.files.blobs import FolderBlobs
from lazulite.files.disk import TEMPORARY
from lazulite.ports.blobs import (
    Blob,
    BlobHeaders,
    BlobName,
    BlobNotFound,
    BlobQuery,
    ContainerExists,
    ContainerNotFound,
    DigestMismatch,
    InvalidBlocks,
    Upload,
    always,
)


def name(path: str) -> BlobName:
    return BlobName(1, "store", path)


def put(blobs: FolderBlobs, path: str, data: bytes = b"x", **upload: object) -> Blob:
    return blobs.put(name(path), io.BytesIO(data), Upload(**upload))  # type: ignore[arg-type]


def read(blobs: FolderBlobs, path: str) -> bytes:
    stream = blobs.open(name(path))[1]
    with stream:
        return stream.read()


def names(blobs: FolderBlobs, **query: object) -> list[str]:
    page = blobs.page(1, "store", BlobQuery(**query))  # type: ignore[arg-type]
    return [item if isinstance(item, str) else item.path for item in page.items]


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    blobs = FolderBlobs(tmp_path / "stores")
    blobs.create(1, "store")
    return blobs


@pytest.fixture
def root(tmp_path: Path, blobs: FolderBlobs) -> Path:
    return tmp_path / "stores" / "1" / "store"


def test_a_blob_is_a_plain_file(blobs: FolderBlobs, root: Path) -> None:
    put(blobs, "a/b.txt", b"hello")
    assert (root / "a" / "b.txt").read_bytes() == b"hello"
    assert sorted(p.name for p in root.rglob("*")) == ["a", "b.txt"]


def test_a_plain_file_is_a_blob(blobs: FolderBlobs, root: Path) -> None:
    (root / "f").write_bytes(b"hello")
    assert (blobs.head(name("f")).size, read(blobs, "f")) == (5, b"hello")


@pytest.mark.parametrize("path", ["none", "none/x", "file/x", "folder"])
def test_what_is_no_file_is_no_blob(blobs: FolderBlobs, root: Path, path: str) -> None:
    put(blobs, "file")
    (root / "folder").mkdir()
    for act in (blobs.head, blobs.open, lambda n: blobs.delete(n, always)):
        with pytest.raises(BlobNotFound):
            act(name(path))


def test_a_pipe_is_no_blob_and_nobody_waits_for_it(blobs: FolderBlobs, root: Path) -> None:
    os.mkfifo(root / "pipe")
    for act in (blobs.head, blobs.open):
        with pytest.raises(BlobNotFound):
            act(name("pipe"))


def test_a_container_is_made_once(blobs: FolderBlobs) -> None:
    assert blobs.has(1, "store")
    assert not blobs.has(2, "store")
    with pytest.raises(ContainerExists):
        blobs.create(1, "store")


def test_there_are_no_blobs_without_a_container(blobs: FolderBlobs) -> None:
    with pytest.raises(ContainerNotFound):
        blobs.put(BlobName(2, "store", "x"), io.BytesIO(), Upload())


def test_headers_come_back(blobs: FolderBlobs) -> None:
    headers = BlobHeaders(content_type="text/csv", metadata={"name": "x"})
    put(blobs, "f", headers=headers)
    assert blobs.head(name("f")).headers == headers


def test_headers_are_forgotten_when_something_else_writes_the_file(
    blobs: FolderBlobs, root: Path
) -> None:
    put(blobs, "f", headers=BlobHeaders(metadata={"done": "yes"}))
    (root / "f").write_bytes(b"other content")
    assert blobs.head(name("f")).headers == BlobHeaders()


def test_an_upload_replaces_headers(blobs: FolderBlobs) -> None:
    put(blobs, "f", headers=BlobHeaders(metadata={"done": "yes"}))
    put(blobs, "f")
    assert blobs.head(name("f")).headers.metadata == {}


def test_describing_changes_the_headers_and_the_tag(blobs: FolderBlobs) -> None:
    before = put(blobs, "f")
    after = blobs.describe(name("f"), lambda _: BlobHeaders(metadata={"a": "b"}), always)
    assert after == blobs.head(name("f"))
    assert after.headers.metadata == {"a": "b"}
    assert after.etag != before.etag


def test_an_upload_that_breaks_leaves_the_old_blob(blobs: FolderBlobs, tmp_path: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(1) or self.fail()

        def fail(self) -> bytes:
            raise RuntimeError

    put(blobs, "f", b"old")
    with pytest.raises(RuntimeError):
        blobs.put(name("f"), Broken(b"new"), Upload())
    assert read(blobs, "f") == b"old"
    assert [p for p in tmp_path.rglob("*") if p.name.startswith(TEMPORARY)] == []


def test_content_is_checked_by_its_md5(blobs: FolderBlobs) -> None:
    good = base64.b64encode(hashlib.md5(b"x").digest()).decode()
    put(blobs, "f", b"x", digests={"md5": good})
    with pytest.raises(DigestMismatch):
        put(blobs, "f", b"y", digests={"md5": good})
    assert read(blobs, "f") == b"x"


def test_of_two_uploads_that_must_not_overwrite_one_wins(blobs: FolderBlobs) -> None:
    def absent(blob: Blob | None) -> None:
        if blob:
            raise Conflict("there")

    start, won = threading.Barrier(4), []

    def upload(number: int) -> None:
        start.wait()
        try:
            put(blobs, "f", b"%d" % number * 100_000, condition=absent)
        except Conflict:
            return
        won.append(number)

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert read(blobs, "f") == b"%d" % won[0] * 100_000


def test_blocks_become_a_blob_in_the_order_of_the_list(blobs: FolderBlobs, root: Path) -> None:
    for block, data in {"b": b"2" * 2_000_000, "a": b"1"}.items():
        blobs.put_block(name("d/f"), block, io.BytesIO(data), {})
    assert list(root.rglob("*")) == []
    blobs.commit(name("d/f"), ["a", "b"], Upload())
    assert read(blobs, "d/f") == b"1" + b"2" * 2_000_000


def test_blocks_are_gone_when_their_blob_is_made(blobs: FolderBlobs) -> None:
    blobs.put_block(name("f"), "a", io.BytesIO(b"1"), {})
    blobs.commit(name("f"), ["a"], Upload())
    with pytest.raises(InvalidBlocks):
        blobs.commit(name("f"), ["a"], Upload())


def test_a_blob_of_no_blocks_is_empty(blobs: FolderBlobs) -> None:
    assert blobs.commit(name("f"), [], Upload()).size == 0


def test_a_block_that_came_again_counts_once(blobs: FolderBlobs) -> None:
    for data in (b"first", b"second"):
        blobs.put_block(name("f"), "a", io.BytesIO(data), {})
    blobs.commit(name("f"), ["a"], Upload())
    assert read(blobs, "f") == b"second"


def test_blocks_of_an_upload_that_nobody_finished_go_after_a_week(
    blobs: FolderBlobs, tmp_path: Path
) -> None:
    blobs.put_block(name("old"), "a", io.BytesIO(b"1"), {})
    (folder,) = (tmp_path / "stores" / "1" / ".blobs" / "store" / "blocks").iterdir()
    os.utime(folder, (time.time() - 8 * 24 * 3600,) * 2)
    blobs.put_block(name("new"), "a", io.BytesIO(b"1"), {})
    assert not folder.exists()


@pytest.mark.parametrize("path", ["f/below", "folder"])
def test_a_file_cannot_be_a_folder_too(blobs: FolderBlobs, path: str) -> None:
    put(blobs, "f")
    put(blobs, "folder/x")
    with pytest.raises(Conflict, match="a file and a folder"):
        put(blobs, path)


@pytest.mark.parametrize(
    "path", ["", "..", "../x", "a/../../x", "/x", "a//x", "a/./x", "a/", "x\0", "x" * 256]
)
def test_an_unsafe_path_is_refused_everywhere(
    blobs: FolderBlobs, tmp_path: Path, path: str
) -> None:
    (tmp_path / "stores" / "1" / "x").write_text("canary")
    for act in (
        lambda: put(blobs, path),
        lambda: blobs.put_block(name(path), "a", io.BytesIO(b"1"), {}),
        lambda: blobs.commit(name(path), [], Upload()),
        lambda: blobs.head(name(path)),
        lambda: blobs.open(name(path)),
        lambda: blobs.delete(name(path), always),
        lambda: blobs.describe(name(path), lambda h: h, always),
    ):
        with pytest.raises(InvalidInput):
            act()
    assert (tmp_path / "stores" / "1" / "x").read_text() == "canary"


@pytest.mark.parametrize("path", ["out/canary", "canary"])
def test_a_symlink_out_of_the_container_leads_nowhere(
    blobs: FolderBlobs, root: Path, tmp_path: Path, path: str
) -> None:
    (tmp_path / "canary").write_text("alive")
    (root / "out").symlink_to(tmp_path)
    (root / "canary").symlink_to(tmp_path / "canary")
    for act in (
        blobs.head,
        blobs.open,
        lambda n: blobs.delete(n, always),
        lambda n: blobs.describe(n, lambda h: h, always),
    ):
        with pytest.raises(BlobNotFound):
            act(name(path))
    assert names(blobs) == names(blobs, prefix="out/") == []
    assert (tmp_path / "canary").read_text() == "alive"


def test_nothing_is_written_through_a_symlink(
    blobs: FolderBlobs, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "canary").write_text("alive")
    (root / "out").symlink_to(tmp_path)
    (root / "canary").symlink_to(tmp_path / "canary")
    with pytest.raises(InvalidInput, match="through a symlink"):
        put(blobs, "out/canary")
    put(blobs, "canary", b"new")
    assert (tmp_path / "canary").read_text() == "alive"
    assert read(blobs, "canary") == b"new"


def test_a_symlink_that_stays_is_followed(blobs: FolderBlobs, root: Path) -> None:
    put(blobs, "real/f", b"1")
    (root / "alias").symlink_to("real")
    assert read(blobs, "alias/f") == b"1"
    assert names(blobs) == ["alias/f", "real/f"]


TREE = ["a", "a-b", "a.txt", "a/x", "a/y/z", "aa", "b/c d", "b/ü", "z"]


@pytest.fixture
def tree(blobs: FolderBlobs, root: Path) -> FolderBlobs:
    for path in TREE:
        put(blobs, path.replace("a/", "a_/"), b"")
    (root / "empty" / "deep").mkdir(parents=True)
    return blobs


SORTED = sorted(path.replace("a/", "a_/") for path in TREE)


def test_a_container_lists_every_file_by_whole_name(tree: FolderBlobs) -> None:
    assert names(tree) == SORTED


def test_names_are_ordered_as_wholes_where_files_and_folders_mix(blobs: FolderBlobs) -> None:
    for path in ("a/x", "a-b", "a.b", "a0"):
        put(blobs, path)
    assert names(blobs) == ["a-b", "a.b", "a/x", "a0"]


@pytest.mark.parametrize(
    "prefix", ["a", "a_", "a_/", "a_/y", "a_/y/z", "b/ü", "none", "none/x", "a/"]
)
def test_a_prefix_is_of_the_whole_name(tree: FolderBlobs, prefix: str) -> None:
    assert names(tree, prefix=prefix) == [path for path in SORTED if path.startswith(prefix)]


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("", ["a", "a-b", "a.txt", "a_/", "aa", "b/", "z"]),
        ("a_", ["a_/"]),
        ("a_/", ["a_/x", "a_/y/"]),
        ("b/", ["b/c d", "b/ü"]),
        ("empty", []),
        ("a", ["a", "a-b", "a.txt", "a_/", "aa"]),
    ],
)
def test_folders_are_named_once_unless_they_hold_no_file(
    tree: FolderBlobs, prefix: str, expected: list[str]
) -> None:
    assert names(tree, prefix=prefix, folders=True) == expected


@pytest.mark.parametrize("folders", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_join_to_the_whole(tree: FolderBlobs, limit: int, folders: bool) -> None:
    seen, after = [], ""
    while after is not None:
        page = tree.page(1, "store", BlobQuery(limit=limit, folders=folders, after=after))
        assert len(page.items) <= limit
        seen += [item if isinstance(item, str) else item.path for item in page.items]
        after = page.next
    assert seen == names(tree, folders=folders)


@pytest.mark.parametrize("prefix", ["../", "../other/", "a/../../", "x\0/"])
def test_a_prefix_that_leaves_is_refused(blobs: FolderBlobs, prefix: str) -> None:
    with pytest.raises(InvalidInput):
        names(blobs, prefix=prefix)


@pytest.mark.parametrize("prefix", ["..", "."])
def test_a_prefix_of_dots_is_the_beginning_of_a_name(blobs: FolderBlobs, prefix: str) -> None:
    put(blobs, "..x")
    assert names(blobs, prefix=prefix) == ["..x"]


def test_half_made_and_nameless_files_are_not_listed(blobs: FolderBlobs, root: Path) -> None:
    (root / f"{TEMPORARY}1").write_text("x")
    os.mkfifo(root / "pipe")
    (root / "cycle").symlink_to(".")
    (root / "back\\slash").write_text("x")
    assert names(blobs) == ["back\\slash"]


def test_a_datastore_may_be_on_another_disk(
    blobs: FolderBlobs, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, refused = os.replace, []

    def replace(source: str, target: str) -> None:
        if not refused:
            refused.append(source)
            raise OSError(18, "Invalid cross-device link")
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    put(blobs, "f", b"hello")
    assert (refused != [], (root / "f").read_bytes()) == (True, b"hello")
