"""The one tree of errors. It does not know HTTP: `wire/http.py` gives each code its status.

LazuliteError
├── InvalidInput      what the caller sent is wrong; `path` names the field
│   └── Unsupported   it is right, and Lazulite does not run it (yet)
├── NotFound          the named thing does not exist
├── Conflict          the named thing exists, or is in a state that forbids the act
│   └── StaleLease    another engine took the row over: drop the result, do not retry
├── Denied            the caller is known and may not
│   └── Unauthenticated
├── TooLarge          a limit was passed
├── TooSlow           the caller did not send what it announced
├── TooManyRequests   too much is asked at once; `retry_after` says when to come back
└── Unavailable       the machine cannot do it now (disk full, database away); trying again may help
"""

from __future__ import annotations


class LazuliteError(Exception):
    """Something Lazulite can explain: a stable code, one sentence, and facts as fields."""

    code = "InternalError"

    def __init__(self, message: str, *, path: str | None = None, **facts: object) -> None:
        """Keep the sentence and the facts.

        Args:
            message: what, which one, and what to do about it, in one sentence.
            path: dotted path of the offending field (`jobs.train.inputs.lr`), if one is.
            facts: JSON-encodable details, by name.
        """
        super().__init__(message)
        self.message = message
        self.path = path
        self.facts = facts


class InvalidInput(LazuliteError):
    """What was sent cannot be accepted; `path` names the field."""

    code = "ValidationError"


class Unsupported(InvalidInput):
    """Valid for Azure ML, but not run by this version of Lazulite."""

    code = "NotSupported"


class NotFound(LazuliteError):
    """The named thing does not exist."""

    code = "ResourceNotFound"


class Conflict(LazuliteError):
    """The named thing exists already, or its state forbids this."""

    code = "Conflict"


class StaleLease(Conflict):
    """Another engine took over this row: its result must be dropped, not retried."""

    code = "StaleLease"


class Denied(LazuliteError):
    """The caller is known and may not do this."""

    code = "AuthorizationFailed"


class Unauthenticated(Denied):
    """The caller did not say who they are, or what they said is not valid."""

    code = "InvalidAuthenticationToken"


class TooLarge(LazuliteError):
    """A size or count is over its limit."""

    code = "RequestEntityTooLarge"


class TooSlow(LazuliteError):
    """What was announced did not come in time."""

    code = "RequestTimeout"


class TooManyRequests(LazuliteError):
    """Too much is asked at once: the fact `retry_after` is when to come back, in seconds."""

    code = "TooManyRequests"


class Unavailable(LazuliteError):
    """The machine cannot do this now; trying again later may help."""

    code = "ServiceUnavailable"
