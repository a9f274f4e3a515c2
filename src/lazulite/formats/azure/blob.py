"""Azure Blob Storage's shapes: headers, conditions, ranges, and the XML of lists and errors."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import quote
from xml.sax.saxutils import escape

from lazulite.domain.errors import Conflict, InvalidInput, LazuliteError, Unsupported
from lazulite.ports.blobs import Blob, BlobHeaders, BlobPage, BlobQuery, Condition

VERSION = "2021-12-02"  # of the REST API; said when the client says none
MAX_PAGE = 5000  # names in one listing; Azure's limit
MAX_BLOCKS = 50_000  # in one blob; Azure's limit
_META = "x-ms-meta-"
_SENT = {  # field of BlobHeaders: header of an upload
    "encoding": "x-ms-blob-content-encoding",
    "language": "x-ms-blob-content-language",
    "disposition": "x-ms-blob-content-disposition",
    "cache_control": "x-ms-blob-cache-control",
    "md5": "x-ms-blob-content-md5",
}
_TOLD = {  # field of BlobHeaders: header of an answer
    "encoding": "content-encoding",
    "language": "content-language",
    "disposition": "content-disposition",
    "cache_control": "cache-control",
}
_RANGE = re.compile(r"bytes=(\d{0,30})-(\d{0,30})", re.ASCII)
_BLOCK_LIST = re.compile(r"<BlockList\b")
_BLOCK = re.compile(r"<(Latest|Uncommitted|Committed)>([^<]*)</\1>")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class BlobExists(Conflict):
    """The blob is there, and the upload must not overwrite."""

    code = "BlobAlreadyExists"


class ConditionNotMet(Conflict):
    """The blob is not, or no longer, what the caller takes it for."""

    code = "ConditionNotMet"


class NotModified(ConditionNotMet):
    """The caller has this blob already."""


class InvalidRange(InvalidInput):
    """The range begins after the end of the blob."""

    code = "InvalidRange"


class Span(NamedTuple):
    """A part of a blob."""

    start: int  # bytes
    size: int  # bytes
    partial: bool  # it was asked for by a range


def read_headers(headers: Mapping[str, str]) -> BlobHeaders:
    """Read what an upload says about its blob; a plain Content-Type is not about the blob."""
    sent: dict[str, Any] = {field: headers[n] for field, n in _SENT.items() if headers.get(n)}
    return BlobHeaders(
        content_type=headers.get("x-ms-blob-content-type")
        or headers.get("content-type")
        or "application/octet-stream",
        metadata=read_metadata(headers),
        **sent,
    )


def read_metadata(headers: Mapping[str, str]) -> dict[str, str]:
    """Read the metadata of a blob."""
    return {k.removeprefix(_META): v for k, v in headers.items() if k.startswith(_META)}


def encode_headers(blob: Blob, span: Span) -> dict[str, str]:
    """Return the headers that describe a blob, or a part of it."""
    about = blob.headers
    told = {
        "content-type": about.content_type,
        "content-length": str(span.size),
        "accept-ranges": "bytes",
        "etag": blob.etag,
        "last-modified": http_date(blob.modified),
        "x-ms-blob-type": "BlockBlob",
        "x-ms-creation-time": http_date(blob.modified),
        "x-ms-lease-state": "available",
        "x-ms-lease-status": "unlocked",
        # The pages of the studio have the same origin: what a job wrote must not run in them.
        "content-security-policy": "sandbox",
        "x-content-type-options": "nosniff",
    }
    told |= {name: value for f, name in _TOLD.items() if (value := getattr(about, f))}
    told |= {_META + name: value for name, value in about.metadata.items()}
    if span.partial:
        told["content-range"] = f"bytes {span.start}-{span.start + span.size - 1}/{blob.size}"
    if about.md5:
        told["x-ms-blob-content-md5" if span.partial else "content-md5"] = about.md5
    return told


def read_span(headers: Mapping[str, str], size: int) -> Span:
    """Read which part of a blob of `size` bytes is asked for.

    Raises:
        InvalidRange: it has no byte of the blob.
    """
    found = _RANGE.fullmatch(headers.get("x-ms-range") or headers.get("range") or "")
    if not found or found[0] == "bytes=-":
        return Span(0, size, partial=False)
    first, last = found.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    if start > end:
        raise InvalidRange(f"bytes {start} and on were asked for of a blob of {size}")
    return Span(start, end - start + 1, partial=True)


def read_condition(headers: Mapping[str, str], *, writes: bool) -> Condition:
    """Read under which condition the act may be done on what is there.

    Args:
        headers: of the request, names in lower case.
        writes: the act makes or changes a blob.
    """
    match, none = _tags(headers.get("if-match")), _tags(headers.get("if-none-match"))
    since, until = _moment(headers, "if-modified-since"), _moment(headers, "if-unmodified-since")

    def check(blob: Blob | None) -> None:
        if match and (blob is None or not _names(match, blob)):
            raise ConditionNotMet("the blob is not the one of If-Match; read it again")
        if blob is None:
            return
        if writes and "*" in none:
            raise BlobExists(f"blob {blob.path!r} exists already; overwrite it or choose a name")
        stale = (none and _names(none, blob)) or (since and _second(blob) <= since)
        if stale:
            refusal = ConditionNotMet if writes else NotModified
            raise refusal(f"blob {blob.path!r} has not changed")
        if until and _second(blob) > until:
            raise ConditionNotMet(f"blob {blob.path!r} has changed since; read it again")

    return check


def _tags(header: str | None) -> set[str]:
    return {tag.strip().removeprefix("W/").strip('"') for tag in (header or "").split(",")} - {""}


def _names(tags: set[str], blob: Blob) -> bool:
    return "*" in tags or blob.etag.strip('"') in tags


def _second(blob: Blob) -> datetime:
    return blob.modified.replace(microsecond=0)


def _moment(headers: Mapping[str, str], name: str) -> datetime | None:
    if name not in headers:
        return None
    try:
        moment = parsedate_to_datetime(headers[name])
    except ValueError:
        raise InvalidInput(f"header {name}: {headers[name][:80]!r} is not a date") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def read_blocks(body: bytes) -> list[str]:
    """Read the block ids of a Put Block List, in their order.

    Raises:
        InvalidInput: it is no list, or has more than `MAX_BLOCKS`.
        Unsupported: blocks of the blob as it is shall be kept.
    """
    text = body.decode("utf-8", "replace")
    if not _BLOCK_LIST.search(text):  # else it would make the blob empty
        raise InvalidInput("the body is not a <BlockList>: send the ids of the blocks in one")
    blocks = _BLOCK.findall(text)
    if len(blocks) > MAX_BLOCKS:
        raise InvalidInput(f"{len(blocks)} blocks are too many: use at most {MAX_BLOCKS}")
    if any(kind == "Committed" for kind, _ in blocks):
        raise Unsupported("parts of an existing blob cannot be kept; upload every block again")
    return [block for _, block in blocks]


def read_query(query: Mapping[str, str]) -> BlobQuery:
    """Read which part of a container shall be listed.

    Raises:
        InvalidInput: `marker` or `maxresults` is not valid.
        Unsupported: the delimiter is not `/`.
    """
    delimiter, most = query.get("delimiter", ""), query.get("maxresults") or str(MAX_PAGE)
    if delimiter not in {"", "/"}:
        raise Unsupported(f"delimiter {delimiter[:20]!r} is not supported; use '/'")
    if not most.isdecimal() or len(most) > 18 or int(most) < 1:
        raise InvalidInput(f"maxresults={most[:20]!r} is not a number above 0", path="maxresults")
    try:
        after = base64.b64decode(query.get("marker", ""), b"-_", validate=True).decode()
    except ValueError:  # of base64, of UTF-8
        raise InvalidInput("the marker is not one that a listing gave", path="marker") from None
    return BlobQuery(
        prefix=query.get("prefix", ""),
        folders=bool(delimiter),
        after=after,
        limit=min(int(most), MAX_PAGE),
    )


def encode_page(container: str, query: BlobQuery, page: BlobPage, include: frozenset[str]) -> bytes:
    """Return the XML of a listing."""
    marker = base64.urlsafe_b64encode((page.next or "").encode()).decode()
    rows = (
        f"<BlobPrefix>{_name(item)}</BlobPrefix>"
        if isinstance(item, str)
        else _row(item, metadata="metadata" in include)
        for item in page.items
    )
    delimiter = "<Delimiter>/</Delimiter>" if query.folders else ""
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        f'<EnumerationResults ContainerName="{escape(container)}">'
        f"<Prefix>{_text(query.prefix)}</Prefix><MaxResults>{query.limit}</MaxResults>{delimiter}"
        f"<Blobs>{''.join(rows)}</Blobs><NextMarker>{marker}</NextMarker></EnumerationResults>"
    ).encode()


def _row(blob: Blob, *, metadata: bool) -> str:
    about = blob.headers
    date = http_date(blob.modified)
    properties = {
        "Creation-Time": date,
        "Last-Modified": date,
        "Etag": blob.etag.strip('"'),
        "Content-Length": str(blob.size),
        "Content-Type": about.content_type,
        "Content-Encoding": about.encoding,
        "Content-Language": about.language,
        "Content-MD5": about.md5,
        "Cache-Control": about.cache_control,
        "Content-Disposition": about.disposition,
        "BlobType": "BlockBlob",
        "LeaseStatus": "unlocked",
        "LeaseState": "available",
    }
    told = "".join(f"<{k}>{_text(v)}</{k}>" for k, v in properties.items() if v is not None)
    kept = "".join(f"<{k}>{_text(v)}</{k}>" for k, v in about.metadata.items() if _is_tag(k))
    more = f"<Metadata>{kept}</Metadata>" if metadata else ""
    return f"<Blob>{_name(blob.path)}<Properties>{told}</Properties>{more}</Blob>"


def _name(name: str) -> str:
    if _NOT_XML.search(name):
        return f'<Name Encoded="true">{quote(name)}</Name>'
    return f"<Name>{escape(name)}</Name>"


def _text(text: str) -> str:
    return escape(_NOT_XML.sub("\ufffd", text))


def _is_tag(name: str) -> bool:
    return bool(re.fullmatch(r"[a-z_][a-z0-9_.\-]*", name, re.ASCII))


def encode_error(error: LazuliteError) -> bytes:
    """Return the XML of an error."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        f"<Error><Code>{escape(code_of(error))}</Code>"
        f"<Message>{_text(error.message)}</Message></Error>"
    ).encode()


def code_of(error: LazuliteError) -> str:
    """Return Azure Storage's word for an error."""
    if type(error) is InvalidInput:
        return "InvalidInput"
    return error.code


def http_date(moment: datetime) -> str:
    """Spell a moment as HTTP does."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)
