"""Errors as MLflow's client knows them."""

from __future__ import annotations

from typing import Any

from lazulite.domain import errors

# the client retries 408, 429 and 503; RESOURCE_ALREADY_EXISTS is a 400 in MLflow
CODES: dict[type[errors.LazuliteError], tuple[str, int]] = {
    errors.LazuliteError: ("INTERNAL_ERROR", 500),
    errors.InvalidInput: ("INVALID_PARAMETER_VALUE", 400),
    errors.Unsupported: ("NOT_IMPLEMENTED", 501),
    errors.NotFound: ("RESOURCE_DOES_NOT_EXIST", 404),
    errors.Conflict: ("RESOURCE_ALREADY_EXISTS", 400),
    errors.Denied: ("PERMISSION_DENIED", 403),
    errors.Unauthenticated: ("UNAUTHENTICATED", 401),
    errors.TooLarge: ("REQUEST_LIMIT_EXCEEDED", 413),
    errors.TooSlow: ("DEADLINE_EXCEEDED", 408),
    errors.TooManyRequests: ("REQUEST_LIMIT_EXCEEDED", 429),
    errors.Unavailable: ("TEMPORARILY_UNAVAILABLE", 503),
}


def code_of(error: errors.LazuliteError) -> tuple[str, int]:
    """Return MLflow's code of an error, and the HTTP status."""
    return next(CODES[cls] for cls in type(error).__mro__ if cls in CODES)


def encode_error(error: errors.LazuliteError) -> dict[str, Any]:
    """Render an error."""
    body: dict[str, Any] = {"error_code": code_of(error)[0], "message": error.message}
    if (at := error.facts.get("at")) is not None:
        body["position"] = at  # of the first wrong character of a filter
    return body
