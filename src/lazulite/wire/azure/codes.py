"""Where clients upload code to, before they put its version."""

from __future__ import annotations

import uuid

from lazulite.domain.access import Action
from lazulite.domain.ids import BLOB_STORE, check_name
from lazulite.formats.azure.datastore import blob_path
from lazulite.services import workspaces
from lazulite.wire.azure.arm import SCOPE
from lazulite.wire.http import Call, Reply, Route

_ONE = SCOPE + "/codes/{name}/versions/{version}"
UPLOADS = "CodeUpload"  # folder of the default blob store, one folder per upload below it


def start_upload(call: Call) -> Reply:
    """Give a signed URL of a fresh folder."""
    name = check_name(call.params["name"], "code")
    row = workspaces.get(call.services, call.here).id
    path = blob_path(row, BLOB_STORE, f"{UPLOADS}/{name}-{uuid.uuid4().hex[:12]}")
    reference = {
        "blobUri": call.base + path,
        "storageAccountArmId": call.here.arm,
        "credential": {
            "credentialType": "SAS",
            "sasUri": call.tokens.sign_url(call.base, path, write=True),
        },
    }
    return Reply(
        body={
            "pendingUploadId": uuid.uuid4().hex,
            "pendingUploadType": "TemporaryBlobReference",
            "blobReferenceForConsumption": reference,
        }
    )


def routes() -> list[Route]:
    """Return the routes of uploads; the generated clients know two names for one thing."""
    return [
        Route(method="POST", path=f"{_ONE}/{verb}", action=Action.WRITE, endpoint=start_upload)
        for verb in ("startPendingUpload", "createOrGetStartPendingUpload")
    ]
