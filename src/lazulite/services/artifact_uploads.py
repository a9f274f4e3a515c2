"""Use cases of artifacts that come in parts."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lazulite.domain.access import Principal
from lazulite.domain.errors import InvalidInput
from lazulite.domain.ids import WorkspaceId
from lazulite.ports.blobs import BlobHeaders, BlobName, Reader, Upload
from lazulite.ports.uploads import MAX_PARTS, Layout, Part, UploadName
from lazulite.services import artifacts
from lazulite.services.artifact_paths import ArtifactPath
from lazulite.services.context import Services

MAX_PART = 5 << 30  # bytes; S3's limit


class Plan(NamedTuple):
    """How a file will come."""

    num_parts: int
    size: int | None = None  # bytes of each but the last; None = the sender did not say
    sha256: str | None = None  # of the whole, base64; with it an upload can be gone on with


class Opened(NamedTuple):
    """An upload that takes parts."""

    id: str
    parts: list[Part]  # that are there


def create(
    services: Services, ids: WorkspaceId, where: ArtifactPath, plan: Plan, principal: Principal
) -> Opened:
    """Begin an upload. The same content in the same parts goes on with the one that is open.

    Raises:
        NotFound: there is no such run or model.
        Denied: it is another job's.
        InvalidInput: no file can be there, or it has too many parts.
    """
    if not 1 <= plan.num_parts <= MAX_PARTS:
        raise InvalidInput(
            f"Invalid value {plan.num_parts} for parameter 'num_parts' supplied: an upload has 1 "
            f"to {MAX_PARTS} parts; make them larger",
            path="num_parts",
        )
    blob = _writable(services, ids, where, principal)
    layout = None
    if plan.sha256 is None or plan.size is None:
        upload = secrets.token_hex(16)
    else:
        if not 1 <= plan.size <= MAX_PART:
            raise InvalidInput(
                f"Invalid value {plan.size} for parameter 'part_size' supplied: a part has 1 to "
                f"{MAX_PART} bytes",
                path="part_size",
            )
        layout = Layout(plan.size, {"sha-256": plan.sha256})
        # with its place: a signature is for an id, and must open no other upload
        said = f"{blob.path}\0{plan.sha256} {plan.size} {plan.num_parts}"
        upload = hashlib.sha256(said.encode()).hexdigest()[:32]
    services.files.root(blob.workspace, blob.container)
    return Opened(upload, services.files.uploads.begin(UploadName(blob, upload), layout))


def find(services: Services, ids: WorkspaceId, where: ArtifactPath, upload: str) -> UploadName:
    """Return an upload for who has its signed URL, or may write anyhow.

    Raises:
        NotFound: there is no such run or model.
        InvalidInput: no file can be there.
    """
    return UploadName(_file(artifacts.readable(services, ids, where).blob, where), upload)


def put(
    services: Services, name: UploadName, number: int, stream: Reader, digests: Mapping[str, str]
) -> Part:
    """Keep a part; see `ports.uploads`."""
    return services.files.uploads.put(name, number, stream, digests)


def parts(
    services: Services, ids: WorkspaceId, where: ArtifactPath, upload: str, principal: Principal
) -> list[Part]:
    """Return the parts that are there.

    Raises:
        NotFound: there is no such upload.
        Denied: it is of another job's run.
    """
    return services.files.uploads.parts(
        UploadName(_writable(services, ids, where, principal), upload)
    )


class Ending(NamedTuple):
    """What makes an upload complete."""

    id: str
    parts: Sequence[tuple[int, str]]  # number, ETag
    digests: Mapping[str, str]  # of the whole, base64, to be checked


def complete(
    services: Services, ids: WorkspaceId, where: ArtifactPath, end: Ending, principal: Principal
) -> None:
    """Make the file of its parts; the same call again changes nothing.

    Raises:
        NotFound: there is no such upload.
        Denied: it is of another job's run.
        InvalidInput: parts are missing or others, or the digest of the whole is.
    """
    place = artifacts.writable(services, ids, where, principal)
    upload = Upload(
        headers=BlobHeaders(digests=dict(end.digests)),
        digests=end.digests,
        shared=place.is_shared,
    )
    services.files.uploads.complete(UploadName(_file(place.blob, where), end.id), end.parts, upload)


def abort(
    services: Services, ids: WorkspaceId, where: ArtifactPath, upload: str, principal: Principal
) -> None:
    """Free the parts of an upload.

    Raises:
        NotFound: there is no such upload, or it is complete.
        Denied: it is of another job's run.
    """
    services.files.uploads.abort(UploadName(_writable(services, ids, where, principal), upload))


def _writable(
    services: Services, ids: WorkspaceId, where: ArtifactPath, principal: Principal
) -> BlobName:
    return _file(artifacts.writable(services, ids, where, principal).blob, where)


def _file(blob: BlobName, where: ArtifactPath) -> BlobName:
    if not where.path:
        raise InvalidInput("the path names no file: add its name", path="path")
    return blob
