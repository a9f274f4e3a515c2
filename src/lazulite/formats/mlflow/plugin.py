"""The addresses of artifacts as the plugin azureml-mlflow reads them: another scheme, two forms.

`azureml://HOST/mlflow/v2.0{workspace}/experiments/E/runs/RUN/artifacts/PATH` is a run's,
`azureml://artifacts/ORIGIN/CONTAINER/PATH` anything else's; PATH may not be empty there.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from lazulite.domain.ids import BLOB_STORE

MODELS = "LoggedModels"  # origins; a container is a logged model,
REGISTERED = "Registered"  # a version of the registry: name:version,
UPLOADS = "LocalUpload"  # or files that were uploaded before they became an asset
FOLDER = "artifacts"  # in which the plugin sees all files of the first two

_OURS = re.compile(r"mlflow-artifacts:/(?P<first>[^/]+)/(?P<second>[^/]+)/(?P<rest>.+)", re.DOTALL)
_RUN = re.compile(r"azureml://.*/experiments/([^/]+)/runs/([^/]+)/artifacts(/.*)?", re.DOTALL)
_HELD = re.compile(r"azureml://artifacts/([^/]+)/([^/]+)/(.+)", re.DOTALL)
_ADDRESSES = frozenset({"artifact_uri", "root_uri"})
_IN_JSON = re.compile(rb'"artifact_uri":("mlflow-artifacts:[^"\\]*")')  # never within a text


def to_plugin(uri: str, host: str, workspace: str) -> str:
    """Return the plugin's form of a `mlflow-artifacts:` URI; any other URI as it is.

    Args:
        uri: of a run's, logged model's or registered version's artifacts.
        host: and port of the server, as the client wrote it.
        workspace: its ARM id.
    """
    found = _OURS.fullmatch(uri)
    if found is None:
        return uri
    first, second, rest = found["first"], found["second"], found["rest"]
    if first == "registered":
        return f"azureml://artifacts/{REGISTERED}/{second}/{rest}"
    if second == "models":
        return f"azureml://artifacts/{MODELS}/{rest}"
    return f"azureml://{host}/mlflow/v2.0{workspace}/experiments/{first}/runs/{second}/{rest}"


def from_plugin(uri: str) -> str:
    """Return what a URI of the plugin's means, in a form that any client may be told."""
    if found := _RUN.fullmatch(uri):
        return f"mlflow-artifacts:/{found[1]}/{found[2]}/artifacts{found[3] or ''}"
    if not (found := _HELD.fullmatch(uri)):
        return uri
    origin, container, path = found.groups()
    if origin == REGISTERED:
        return f"mlflow-artifacts:/registered/{container}/{path}"
    if origin == MODELS:
        return f"mlflow-artifacts:/0/models/{container}/{path}"
    return f"azureml://datastores/{BLOB_STORE}/paths/{origin}/{container}/{path}"


def readdressed(body: Any, host: str, workspace: str) -> Any:
    """Return a reply in which every address of artifacts has the plugin's form."""
    if isinstance(body, list):
        return [readdressed(one, host, workspace) for one in body]
    if not isinstance(body, dict):
        return body
    return {
        key: to_plugin(value, host, workspace)
        if key in _ADDRESSES and isinstance(value, str)
        else readdressed(value, host, workspace)
        for key, value in body.items()
    }


def readdressed_json(piece: bytes, host: str, workspace: str) -> bytes:
    """Return a piece of a reply, as JSON that need not be whole, with the plugin's addresses."""

    def translate(found: re.Match[bytes]) -> bytes:
        uri = to_plugin(msgspec.json.decode(found[1], type=str), host, workspace)
        return b'"artifact_uri":' + msgspec.json.encode(uri)

    return _IN_JSON.sub(translate, piece)
