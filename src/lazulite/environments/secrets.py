"""Hide the credentials of index URLs in what people read."""

from __future__ import annotations

import re

_USER = re.compile(r"(?P<scheme>[a-z][a-z0-9+.\-]*://)[^/\s@'\"`]+@", re.IGNORECASE)
_QUERY = re.compile(
    r"(?P<name>[?&](?:sig|token|access_token|key|password|api_key)=)[^&\s'\"`)]+",
    re.IGNORECASE,
)


def mask(text: str) -> str:
    """Return `text` with the user part and the secret query values of every URL as `***`."""
    return _QUERY.sub(r"\g<name>***", _USER.sub(r"\g<scheme>***@", text))
