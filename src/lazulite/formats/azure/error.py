"""Azure's error body."""

from __future__ import annotations

from typing import Any

from lazulite.domain.errors import LazuliteError


def encode_error(error: LazuliteError, request_id: str) -> dict[str, Any]:
    """Return the body that Azure's clients read code and message from."""
    inner: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "target": error.path,
        "details": [],
        "innererror": {"code": type(error).__name__, "requestId": request_id},
    }
    if error.facts:
        inner["additionalInfo"] = [{"type": "Facts", "info": error.facts}]
    return {"error": inner}
