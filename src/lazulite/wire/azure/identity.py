"""What a client asks before its first call: the cloud's metadata, tokens, where the APIs are."""

from __future__ import annotations

from lazulite.domain.errors import InvalidInput
from lazulite.formats.azure.datastore import STORAGE_SUFFIX
from lazulite.wire.http import Call, Reply, Route

CLOUD = "lazulite"


def metadata(call: Call) -> Reply:
    """Return the cloud metadata document that ARM_CLOUD_METADATA_URL points to."""
    document = {
        "name": CLOUD,
        "portal": f"{call.base}/portal.lazulite.local",  # the SDK splits it on dots
        "resourceManager": call.base,
        "authentication": {"loginEndpoint": call.base, "audiences": [call.base]},
        "suffixes": {"storage": STORAGE_SUFFIX},
    }
    return Reply(body=[document])


def token(call: Call) -> Reply:
    """Answer the managed-identity protocol: a token of ours buys a JWT for `resource`.

    Raises:
        Unauthenticated: the header x-identity-header holds no valid token.
        InvalidInput: no resource is named.
    """
    resource = call.query.get("resource")
    if not resource:
        raise InvalidInput("the query needs a 'resource'", path="resource")
    presented = call.headers.get("x-identity-header") or ""
    access_token, expires = call.tokens.exchange(presented, resource)
    return Reply(
        body={
            "access_token": access_token,
            "expires_on": str(expires),
            "resource": resource,
            "token_type": "Bearer",
        }
    )


def discovery(call: Call) -> Reply:
    """Return where the services of a workspace are: all of them here."""
    names = ("api", "experimentation", "history", "hyperdrive", "modelmanagement", "studio")
    return Reply(body=dict.fromkeys(names, call.base))


def routes() -> list[Route]:
    """Return the open routes."""
    return [
        Route(method="GET", path="/metadata/endpoints", action=None, endpoint=metadata),
        Route(method="GET", path="/msi/token", action=None, endpoint=token),
        Route(method="GET", path="/discovery", action=None, endpoint=discovery),
    ]
