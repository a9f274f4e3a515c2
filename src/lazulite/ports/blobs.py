"""Blobs: the files of a local datastore as Azure Blob Storage's clients see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import BinaryIO, NamedTuple, Protocol, TypeAlias

import msgspec

from lazulite.domain.errors import Conflict, InvalidInput, NotFound


class ContainerNotFound(NotFound):
    """No such container."""

    code = "ContainerNotFound"


class ContainerExists(Conflict):
    """The container is there already."""

    code = "ContainerAlreadyExists"


class BlobNotFound(NotFound):
    """No such blob; a folder is none."""

    code = "BlobNotFound"


class InvalidBlocks(InvalidInput):
    """A block that is to become part of a blob was not uploaded."""

    code = "InvalidBlockList"


class DigestMismatch(InvalidInput):
    """The content has another digest than the caller said."""

    code = "Md5Mismatch"  # Azure's word


class Reader(Protocol):
    """Where uploaded bytes come from; `read` gives none only at the end."""

    def read(self, size: int = -1, /) -> bytes: ...


class BlobName(NamedTuple):
    """Which blob; `path` is '/'-separated and relative to the container."""

    workspace: int  # row id
    container: str
    path: str


class BlobHeaders(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the uploader said about a blob, given back as it came."""

    content_type: str = "application/octet-stream"
    encoding: str | None = None
    language: str | None = None
    disposition: str | None = None
    cache_control: str | None = None
    md5: str | None = None  # base64
    metadata: dict[str, str] = {}
    digests: dict[str, str] = {}  # of the whole, that were checked: sha-256, sha-512; base64


class Blob(msgspec.Struct, frozen=True, kw_only=True):
    """One blob."""

    path: str
    size: int  # bytes
    modified: datetime
    etag: str  # quoted; changes with content and headers
    headers: BlobHeaders


# Raises when the act must not be done on what is there now (None = no such blob).
Condition: TypeAlias = Callable[[Blob | None], None]


def always(_: Blob | None) -> None:
    """The condition of an act that has none."""


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """How a blob is written."""

    headers: BlobHeaders = BlobHeaders()
    condition: Condition = always
    digests: Mapping[str, str] = {}  # to be checked of the whole: md5, sha-256, sha-512; base64
    shared: bool = False  # nobody writes to it in place: equal ones may be one file


class BlobQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a container to list."""

    prefix: str = ""
    folders: bool = False  # give what lies below a folder as one name that ends in '/'
    after: str = ""  # the name that ended the page before
    limit: int = 5000


class BlobPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a listing, in the order of names; a `str` is a folder."""

    items: list[Blob | str]
    next: str | None  # the `after` of the next page; None = this was the last


class Blobs(Protocol):
    """Files of datastores as blobs.

    A blob appears whole or not at all. Conditions are checked at the moment of the change, so of
    two uploads that must not overwrite, one wins. Unsafe paths raise InvalidInput; what a symlink
    puts outside the container does not exist. `create` raises ContainerExists; acts on a container
    that is not there raise ContainerNotFound, on a blob BlobNotFound. Blocks that were uploaded are
    forgotten when their blob is committed, or after a week.
    """

    def has(self, workspace: int, container: str) -> bool: ...

    def create(self, workspace: int, container: str) -> None: ...

    def head(self, name: BlobName) -> Blob: ...

    def open(self, name: BlobName) -> tuple[Blob, BinaryIO]: ...

    def put(self, name: BlobName, stream: Reader, upload: Upload) -> Blob: ...

    def put_block(
        self, name: BlobName, block: str, stream: Reader, digests: Mapping[str, str]
    ) -> None: ...

    def commit(self, name: BlobName, blocks: list[str], upload: Upload) -> Blob: ...

    def describe(
        self, name: BlobName, change: Callable[[BlobHeaders], BlobHeaders], condition: Condition
    ) -> Blob: ...

    def delete(self, name: BlobName, condition: Condition) -> None: ...

    def page(self, workspace: int, container: str, query: BlobQuery) -> BlobPage: ...
