"""Where artifacts are: what follows `mlflow-artifacts:/`, and the folders on the artifact store."""

from __future__ import annotations

from typing import Literal, NamedTuple
from urllib.parse import unquote

from lazulite.domain.errors import InvalidInput
from lazulite.domain.ids import ARTIFACT_STORE, clean_path
from lazulite.services.runs import artifact_folder


class ArtifactPath(NamedTuple):
    """A place among the artifacts of something."""

    kind: Literal["run", "model", "version", "upload", "trace"]
    owner: str  # run id, id of a logged model or trace, name:version, name of an upload
    path: str  # relative; empty for the whole


def parse_path(path: str) -> ArtifactPath:
    """Read what follows `mlflow-artifacts:/`.

    `EXPERIMENT/RUN/artifacts/PATH` is a run's, `EXPERIMENT/models/ID/artifacts/PATH` a logged
    model's, `EXPERIMENT/traces/ID/artifacts/PATH` a trace's,
    `registered/NAME:VERSION/artifacts/PATH` a registered version's, its name percent-encoded.

    Raises:
        InvalidInput: it is none of these, or leaves its owner.
    """
    parts = clean_path(path).split("/")
    if len(parts) > 3 and parts[1] == "models" and parts[3] == "artifacts" and parts[2]:
        return ArtifactPath("model", parts[2], _rest(parts[4:]))
    if len(parts) > 3 and parts[1] == "traces" and parts[3] == "artifacts" and parts[2]:
        return ArtifactPath("trace", parts[2], _rest(parts[4:]))
    if len(parts) > 2 and parts[2] == "artifacts" and parts[1]:
        if parts[0] == "registered":
            return ArtifactPath("version", unquote(parts[1]), _rest(parts[3:]))
        return ArtifactPath("run", parts[1], _rest(parts[3:]))
    raise InvalidInput(
        f"Invalid artifact path {path[:200]!r}: use EXPERIMENT/RUN/artifacts/PATH", path="path"
    )


def run_folder(run: str) -> str:
    """Return the folder of a run's artifacts."""
    return artifact_folder(run)


def logged_model_folder(model: str) -> str:
    """Return the folder of a logged model's artifacts."""
    return f"LoggedModels/{model}"


def trace_folder(trace: int) -> str:
    """Return the folder of what clients keep beside the trace of that row."""
    return f"Traces/{trace}"


def upload_folder(upload: str) -> str:
    """Return the folder of files that a client uploaded before it made an asset of them."""
    return f"LocalUpload/{upload}"


def is_shared(datastore: str, path: str) -> bool:
    """Say whether a file is a logged model's: nobody writes to it in place."""
    return datastore == ARTIFACT_STORE and path.startswith(logged_model_folder(""))


def _rest(parts: list[str]) -> str:
    return "/".join(part for part in parts if part)
