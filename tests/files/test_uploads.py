from __future__ import annotations

import base64
import hashlib
import io
import os
import threading
import time
from pathlib import Path

import pytest

from lazulite.domain.errors import InvalidInput
from lazulite.files.blobs import FolderBlobs
from lazulite.files.uploads import FolderUploads
from lazulite.ports.blobs import BlobName, BlobNotFound, DigestMismatch, InvalidBlocks, Upload
from lazulite.ports.uploads import Part, UploadName, UploadNotFound

NAME = UploadName(BlobName(1, "store", "d/model.bin"), "u1")


@pytest.fixture
def stores(tmp_path: Path) -> Path:
    return tmp_path / "stores"


@pytest.fixture
def blobs(stores: Path) -> FolderBlobs:
    blobs = FolderBlobs(stores)
    blobs.create(1, "store")
    return blobs


@pytest.fixture
def uploads(stores: Path, blobs: FolderBlobs) -> FolderUploads:
    return FolderUploads(stores, blobs)


def send(uploads: FolderUploads, *parts: bytes, name: UploadName = NAME) -> list[tuple[int, str]]:
    uploads.begin(name)
    found = [uploads.put(name, n, io.BytesIO(data), {}) for n, data in enumerate(parts, 1)]
    return [(part.number, part.etag) for part in found]


def read(blobs: FolderBlobs, name: UploadName = NAME) -> bytes:
    stream = blobs.open(name.blob)[1]
    with stream:
        return stream.read()


def sha256(data: bytes) -> dict[str, str]:
    return {"sha-256": base64.b64encode(hashlib.sha256(data).digest()).decode()}


def test_parts_become_the_file_in_the_order_of_their_numbers(
    uploads: FolderUploads, blobs: FolderBlobs
) -> None:
    uploads.begin(NAME)
    late = uploads.put(NAME, 2, io.BytesIO(b"world"), {})
    early = uploads.put(NAME, 1, io.BytesIO(b"hello "), {})
    said = [(late.number, late.etag), (early.number, early.etag.strip('"'))]
    made = uploads.complete(NAME, said, Upload())
    assert made is not None
    assert (made.size, read(blobs)) == (11, b"hello world")


def test_nothing_is_seen_before_it_is_complete(uploads: FolderUploads, blobs: FolderBlobs) -> None:
    send(uploads, b"a")
    with pytest.raises(BlobNotFound):
        blobs.head(NAME.blob)


def test_a_repeated_complete_changes_nothing(uploads: FolderUploads, blobs: FolderBlobs) -> None:
    parts = send(uploads, b"a", b"b")
    uploads.complete(NAME, parts, Upload())
    blobs.put(NAME.blob, io.BytesIO(b"newer"), Upload())
    assert uploads.complete(NAME, parts, Upload()) is None
    assert read(blobs) == b"newer"
    with pytest.raises(UploadNotFound, match="completed already"):
        uploads.complete(NAME, parts[:1], Upload())


def test_two_completes_at_once_make_one_file(
    uploads: FolderUploads, stores: Path, blobs: FolderBlobs
) -> None:
    parts = send(uploads, b"a" * 3_000_000, b"b" * 3_000_000)
    made: list[object] = []

    def complete() -> None:
        made.append(FolderUploads(stores, blobs).complete(NAME, parts, Upload()))

    threads = [threading.Thread(target=complete) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert sum(one is not None for one in made) == 1
    assert blobs.head(NAME.blob).size == 6_000_000


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda parts: [], "not none"),
        (lambda parts: parts[1:], "1, 2, 3"),
        (lambda parts: [*parts, parts[0]], "each once"),
        (lambda parts: [*parts, (3, "x")], "part 3 was not uploaded"),
        (lambda parts: [(1, "wrong"), parts[1]], "part 1 has ETag"),
    ],
)
def test_other_parts_than_those_that_came_are_refused(
    uploads: FolderUploads, blobs: FolderBlobs, change: object, told: str
) -> None:
    parts = send(uploads, b"a", b"b")
    with pytest.raises(InvalidBlocks, match=told):
        uploads.complete(NAME, change(parts), Upload())  # type: ignore[operator]
    uploads.complete(NAME, parts, Upload())  # and nothing was lost by it
    assert read(blobs) == b"ab"


def test_a_part_that_came_again_has_another_etag(uploads: FolderUploads) -> None:
    [first] = send(uploads, b"a")
    [second] = send(uploads, b"a")
    assert first != second
    with pytest.raises(InvalidBlocks, match="sent again"):
        uploads.complete(NAME, [first], Upload())


def test_an_aborted_upload_frees_its_parts(uploads: FolderUploads, stores: Path) -> None:
    parts = send(uploads, b"a")
    uploads.abort(NAME)
    assert list((stores / "1" / ".blobs" / "store" / "uploads").iterdir()) == []
    for act in (
        lambda: uploads.put(NAME, 1, io.BytesIO(b"a"), {}),
        lambda: uploads.complete(NAME, parts, Upload()),
        lambda: uploads.parts(NAME),
        lambda: uploads.abort(NAME),
    ):
        with pytest.raises(UploadNotFound, match="no upload 'u1'"):
            act()


def test_a_complete_upload_can_neither_be_aborted_nor_added_to(uploads: FolderUploads) -> None:
    uploads.complete(NAME, send(uploads, b"a"), Upload())
    with pytest.raises(UploadNotFound, match="delete the artifact"):
        uploads.abort(NAME)
    with pytest.raises(UploadNotFound):
        uploads.put(NAME, 2, io.BytesIO(b"b"), {})


def test_uploads_of_one_file_do_not_know_of_each_other(
    uploads: FolderUploads, blobs: FolderBlobs
) -> None:
    other = UploadName(NAME.blob, "u2")
    mine, theirs = send(uploads, b"mine"), send(uploads, b"theirs", name=other)
    uploads.complete(NAME, mine, Upload())
    uploads.complete(other, theirs, Upload())
    assert read(blobs) == b"theirs"
    elsewhere = UploadName(BlobName(1, "store", "d/else"), "u1")
    with pytest.raises(UploadNotFound):
        uploads.put(elsewhere, 1, io.BytesIO(b"x"), {})


def test_an_upload_goes_on_where_it_stopped(uploads: FolderUploads) -> None:
    [(_, etag)] = send(uploads, b"abc")
    assert uploads.begin(NAME) == uploads.parts(NAME) == [Part(1, 3, etag)]


def test_digests_of_parts_and_of_the_whole_are_checked(
    uploads: FolderUploads, blobs: FolderBlobs
) -> None:
    uploads.begin(NAME)
    with pytest.raises(DigestMismatch, match="sha-256"):
        uploads.put(NAME, 1, io.BytesIO(b"x"), sha256(b"y"))
    assert uploads.parts(NAME) == []
    parts = send(uploads, b"a", b"b")
    with pytest.raises(DigestMismatch):
        uploads.complete(NAME, parts, Upload(digests=sha256(b"ac")))
    with pytest.raises(BlobNotFound):
        blobs.head(NAME.blob)
    uploads.complete(NAME, parts, Upload(digests=sha256(b"ab")))


@pytest.mark.parametrize("number", [0, -1, 10_001])
def test_a_part_has_a_number_that_can_be(uploads: FolderUploads, number: int) -> None:
    uploads.begin(NAME)
    with pytest.raises(InvalidInput, match="1 to 10000"):
        uploads.put(NAME, number, io.BytesIO(b"x"), {})


@pytest.mark.parametrize("path", ["../x", "/x", "a\0", "a/./b", "out/x"])
def test_no_upload_begins_outside_its_container(
    uploads: FolderUploads, stores: Path, tmp_path: Path, path: str
) -> None:
    (stores / "1" / "store" / "out").symlink_to(tmp_path)
    with pytest.raises(InvalidInput):
        uploads.begin(UploadName(BlobName(1, "store", path), "u"))


def test_what_was_abandoned_a_week_ago_is_forgotten(uploads: FolderUploads, stores: Path) -> None:
    send(uploads, b"a")
    [folder] = (stores / "1" / ".blobs" / "store" / "uploads").iterdir()
    old = time.time() - 8 * 24 * 3600
    os.utime(folder, (old, old))
    uploads.begin(UploadName(NAME.blob, "new"))
    with pytest.raises(UploadNotFound):
        uploads.parts(NAME)
