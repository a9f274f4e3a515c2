from __future__ import annotations

import base64
import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lazulite.domain.errors import Conflict, InvalidInput, NotFound
from lazulite.files.blobs import FolderBlobs
from lazulite.files.uploads import FolderUploads
from lazulite.ports.blobs import BlobName, BlobNotFound, DigestMismatch, InvalidBlocks, Upload
from lazulite.ports.uploads import Layout, Part, UploadName

NAME = UploadName(BlobName(1, "store", "d/model.bin"), "u1")
CONTENT = b"aaaabbbbcc"
PARTS = {1: b"aaaa", 2: b"bbbb", 3: b"cc"}


def sha256(data: bytes) -> dict[str, str]:
    return {"sha-256": base64.b64encode(hashlib.sha256(data).digest()).decode()}


LAYOUT = Layout(4, sha256(CONTENT))


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
    uploads = FolderUploads(stores, blobs)
    uploads.begin(NAME, LAYOUT)
    return uploads


@pytest.fixture
def folder(stores: Path, uploads: FolderUploads) -> Path:
    [folder] = (stores / "1/.blobs/store/uploads").iterdir()
    return folder


class Meanwhile(io.BytesIO):
    """A stream in the middle of which something else happens, once."""

    def __init__(self, data: bytes, act: Callable[[], object]) -> None:
        super().__init__(data)
        self._act: list[Callable[[], object]] = [act]

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() and self._act:
            self._act.pop()()
        return super().read(1)


def put(uploads: FolderUploads, number: int, data: bytes) -> Part:
    return uploads.put(NAME, number, io.BytesIO(data), {})


def send(uploads: FolderUploads, *numbers: int) -> list[tuple[int, str]]:
    return [(n, put(uploads, n, PARTS[n]).etag) for n in numbers]


def read(blobs: FolderBlobs) -> bytes:
    with blobs.open(NAME.blob)[1] as stream:
        return stream.read()


def test_parts_in_any_order_become_the_file_and_are_written_once(
    uploads: FolderUploads, blobs: FolderBlobs, stores: Path, folder: Path
) -> None:
    inode = (folder / "whole").stat().st_ino
    made = uploads.complete(NAME, send(uploads, 3, 1, 2), Upload())
    assert made is not None
    assert (made.size, read(blobs)) == (10, CONTENT)
    assert (stores / "1/store/d/model.bin").stat().st_ino == inode
    assert [one.name for one in folder.iterdir()] == ["done"]


def test_the_parts_that_are_there_are_known_with_their_sizes(uploads: FolderUploads) -> None:
    send(uploads, 2, 3)
    found = uploads.begin(NAME, LAYOUT)
    assert [(part.number, part.size) for part in found] == [(2, 4), (3, 2)]


def test_nothing_is_seen_before_it_is_complete(uploads: FolderUploads, blobs: FolderBlobs) -> None:
    send(uploads, 1, 2, 3)
    with pytest.raises(BlobNotFound):
        blobs.head(NAME.blob)


def test_the_content_must_be_what_was_said_at_the_beginning(
    uploads: FolderUploads, blobs: FolderBlobs
) -> None:
    parts = send(uploads, 1, 2)
    parts.append((3, put(uploads, 3, b"xx").etag))
    with pytest.raises(DigestMismatch):
        uploads.complete(NAME, parts, Upload())
    with pytest.raises(BlobNotFound):
        blobs.head(NAME.blob)
    uploads.complete(NAME, [*parts[:2], *send(uploads, 3)], Upload())
    assert read(blobs) == CONTENT


def test_a_part_that_is_larger_than_was_said_changes_no_other(
    uploads: FolderUploads, folder: Path
) -> None:
    send(uploads, 2)
    with pytest.raises(InvalidInput, match="larger than the 4 bytes"):
        put(uploads, 1, b"aaaaa")
    assert [part.number for part in uploads.parts(NAME)] == [2]
    assert (folder / "whole").read_bytes()[4:] == b"bbbb"


def test_a_part_in_the_middle_that_is_shorter_is_refused(uploads: FolderUploads) -> None:
    parts = [(1, put(uploads, 1, b"aaa").etag), *send(uploads, 2, 3)]
    with pytest.raises(InvalidBlocks, match="part 1 has 3 bytes"):
        uploads.complete(NAME, parts, Upload())


def test_a_part_with_another_digest_is_not_there(uploads: FolderUploads, folder: Path) -> None:
    with pytest.raises(DigestMismatch):
        uploads.put(NAME, 1, io.BytesIO(b"aaaa"), sha256(b"aaab"))
    assert uploads.parts(NAME) == []
    assert sorted(one.name for one in folder.iterdir()) == ["plan", "whole"]


def test_a_part_that_is_sent_again_stops_the_first_sender(
    uploads: FolderUploads, blobs: FolderBlobs
) -> None:
    again: list[tuple[int, str]] = []
    slow = Meanwhile(b"xxxx", lambda: again.extend(send(uploads, 1)))
    with pytest.raises(Conflict, match="another request"):
        uploads.put(NAME, 1, slow, {})
    uploads.complete(NAME, [*again, *send(uploads, 2, 3)], Upload())
    assert read(blobs) == CONTENT


def test_a_part_that_begins_to_come_again_is_not_there_until_it_did(
    uploads: FolderUploads,
) -> None:
    send(uploads, 1)
    seen: list[list[Part]] = []
    uploads.put(NAME, 1, Meanwhile(b"aaaa", lambda: seen.append(uploads.parts(NAME))), {})
    assert seen == [[]]
    assert [part.number for part in uploads.parts(NAME)] == [1]


def test_a_late_sender_cannot_change_the_file(uploads: FolderUploads, blobs: FolderBlobs) -> None:
    parts = send(uploads, 1, 2, 3)
    late = Meanwhile(b"xx", lambda: uploads.complete(NAME, parts, Upload()))
    with pytest.raises(Conflict):
        uploads.put(NAME, 4, late, {})
    assert read(blobs) == CONTENT


def test_who_sends_into_an_aborted_upload_is_told(uploads: FolderUploads) -> None:
    with pytest.raises(NotFound, match="no upload"):
        uploads.put(NAME, 1, Meanwhile(b"aaaa", lambda: uploads.abort(NAME)), {})


def test_parts_without_their_file_are_sent_again(uploads: FolderUploads, folder: Path) -> None:
    parts = send(uploads, 1, 2, 3)
    (folder / "whole").unlink()  # as after a crash between the file's move and the mark
    with pytest.raises(NotFound):
        uploads.complete(NAME, parts, Upload())
    assert uploads.begin(NAME, LAYOUT) == []


def test_equal_files_of_models_are_one(
    uploads: FolderUploads, blobs: FolderBlobs, stores: Path
) -> None:
    content = os.urandom(200_000)
    layout = Layout(150_000, sha256(content))
    places = []
    for name in (UploadName(BlobName(1, "store", path), "m") for path in ("m1", "m2")):
        uploads.begin(name, layout)
        pieces = (content[:150_000], content[150_000:])
        sent = [uploads.put(name, n, io.BytesIO(one), {}) for n, one in enumerate(pieces, 1)]
        uploads.complete(name, [(one.number, one.etag) for one in sent], Upload(shared=True))
        places.append((stores / "1/store" / name.blob.path).stat().st_ino)
    assert places[0] == places[1]
