"""Exit codes: what a script can tell from them."""

from __future__ import annotations

from lazulite.domain import errors

OK, FAILED, USAGE, NOT_FOUND, DENIED, CONFLICT, UNREACHABLE, JOB_FAILED = range(8)
INTERRUPTED = 130
EXITS = {
    OK: "ok",
    FAILED: "failed",
    USAGE: "usage",
    NOT_FOUND: "not found",
    DENIED: "denied",
    CONFLICT: "conflict",
    UNREACHABLE: "unreachable",
    JOB_FAILED: "the job failed or was canceled",
    INTERRUPTED: "interrupted",
}
_OF: dict[type[errors.LazuliteError], int] = {
    errors.NotFound: NOT_FOUND,
    errors.Denied: DENIED,
    errors.Conflict: CONFLICT,
    errors.Unavailable: UNREACHABLE,
    errors.LazuliteError: FAILED,
}


def exit_of(error: errors.LazuliteError) -> int:
    """Return the exit code of an error: that of its nearest class."""
    return next(_OF[kind] for kind in type(error).__mro__ if kind in _OF)
