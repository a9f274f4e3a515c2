"""Uploads in parts: what came of a file that is not whole yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from lazulite.domain.errors import NotFound
from lazulite.ports.blobs import Blob, BlobName, Reader, Upload

MAX_PARTS = 10_000  # of one upload; S3's limit


class UploadNotFound(NotFound):
    """No such upload: it was completed, aborted, or forgotten."""

    code = "UploadNotFound"


class UploadName(NamedTuple):
    """Which upload; several of one blob do not know of each other."""

    blob: BlobName
    id: str


class Layout(NamedTuple):
    """How the parts lie in the file, where their sender says it before."""

    size: int  # bytes of each part but the last
    digests: dict[str, str]  # of the whole, base64, by the names of RFC 9530


class Part(NamedTuple):
    """A part that came whole."""

    number: int  # from 1 to MAX_PARTS; their order is that of the file
    size: int  # bytes
    etag: str  # quoted; another when the part was sent again


class Uploads(Protocol):
    """Uploads in parts, each forgotten a week after its last part.

    `begin` opens one, or goes on with it: it gives the parts that are there. With a layout they are
    written once, to their place in the file; without, to files that `complete` puts together. `put`
    replaces a part; of two that send the same at once with a layout, the first gets a Conflict.
    `complete` makes the blob of exactly these (number, etag), in the order of numbers; the same
    again changes nothing and gives None. It raises InvalidBlocks when a part is missing or was sent
    again since. `abort` frees the parts. All but `begin` raise UploadNotFound.
    """

    def begin(self, name: UploadName, layout: Layout | None = None) -> list[Part]: ...

    def put(
        self, name: UploadName, number: int, stream: Reader, digests: Mapping[str, str]
    ) -> Part: ...

    def parts(self, name: UploadName) -> list[Part]: ...

    def complete(
        self, name: UploadName, parts: Sequence[tuple[int, str]], upload: Upload
    ) -> Blob | None: ...

    def abort(self, name: UploadName) -> None: ...
