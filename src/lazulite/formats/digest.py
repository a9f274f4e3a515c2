"""Digests in headers, as RFC 9530 writes them: `sha-256=:BASE64:, sha-512=:BASE64:`."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

from lazulite.domain.errors import InvalidInput

KEPT = {"sha-256": 32, "sha-512": 64}  # bytes; others of the RFC are outdated
_MEMBER = re.compile(r"\s*([a-z0-9*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):\s*", re.ASCII)


def read_digests(headers: Mapping[str, str]) -> dict[str, str]:
    """Return what a sender says of a body that is a whole file: digests in base64 by name.

    Args:
        headers: of the request, names in lower case: Content-Digest, Repr-Digest, Content-MD5.

    Raises:
        InvalidInput: a header is not well-formed, or the two name different digests.
    """
    found = {**read_digest(headers, "content-digest")}
    for name, value in read_digest(headers, "repr-digest").items():
        if found.setdefault(name, value) != value:
            raise InvalidInput(f"Content-Digest and Repr-Digest differ in {name}", path=name)
    if md5 := headers.get("content-md5"):
        found["md5"] = md5
    return found


def read_digest(headers: Mapping[str, str], header: str) -> dict[str, str]:
    """Return the digests of one header that are known here; others are left out, as the RFC asks.

    Raises:
        InvalidInput: it is not well-formed.
    """
    found = {}
    for member in (headers.get(header) or "").split(","):
        if not member.strip():
            continue
        said = _MEMBER.fullmatch(member)
        if said is None or not _is_of_size(*said.groups()):
            raise InvalidInput(
                f"header {header}: {member.strip()[:100]!r} is not a digest; write "
                "sha-256=:BASE64: with the colons",
                path=header,
            )
        if said[1] in KEPT:
            found[said[1]] = said[2]
    return found


def _is_of_size(name: str, value: str) -> bool:
    if name not in KEPT:
        return True
    try:
        return len(base64.b64decode(value, validate=True)) == KEPT[name]
    except ValueError:
        return False


def encode_digests(digests: Mapping[str, str]) -> str:
    """Return the value of a header."""
    return ", ".join(f"{name}=:{value}:" for name, value in sorted(digests.items()))
