"""How MLflow's stores spell what they keep: statuses, locations, sources of versions. Pure."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from lazulite.domain.model import ModelStatus
from lazulite.domain.run import RunStatus, clean_value

RUN_STATUSES = {
    1: RunStatus.RUNNING,
    2: RunStatus.SCHEDULED,
    3: RunStatus.FINISHED,
    4: RunStatus.FAILED,
    5: RunStatus.KILLED,
}
MODEL_STATUSES = {1: ModelStatus.PENDING, 2: ModelStatus.READY, 3: ModelStatus.FAILED}
GONE = "Deleted_Internal"  # stage of a version that was deleted: its record stays
PROXY = "mlflow-artifacts"  # scheme of what a server keeps for its clients

_OF_MODEL = re.compile(r"(?:models:/|.*/models/)(?P<id>m-[^/]+)(?:/artifacts)?(?:/(?P<path>.*))?")
_OF_RUN = re.compile(r"(?:runs:/(?P<run>[^/]+)|.*/(?P<id>[^/]+)/artifacts)(?:/(?P<path>.*))?")
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.\-]+:")


class Owner(NamedTuple):
    """What a version was made of: a run or a logged model, and a path in its artifacts."""

    kind: Literal["run", "model"]
    id: str
    path: str


def run_status_of(stored: object) -> RunStatus:
    """Return a run's status, of which stores keep the word or the number; unknown is running."""
    for number, status in RUN_STATUSES.items():
        if stored in (number, str(number), status.value):
            return status
    return RunStatus.RUNNING


def model_status_of(stored: object) -> ModelStatus:
    """Return a logged model's status, from its word or number; unknown is ready."""
    for number, status in MODEL_STATUSES.items():
        words = (status.value, status.value.removeprefix("LOGGED_MODEL_"))
        if stored in (number, str(number), *words):
            return status
    return ModelStatus.READY


def value_of(stored: str | float) -> float | None:
    """Return a value of a metric; None for NaN, the largest floats for infinities."""
    value = clean_value(float(stored))
    return value if value == value else None


def owner_of(source: str) -> Owner | None:
    """Return what the source of a version, or a location of artifacts, belongs to."""
    if found := _OF_MODEL.fullmatch(source):
        return Owner("model", found["id"], (found["path"] or "").strip("/"))
    if found := _OF_RUN.fullmatch(source):
        return Owner("run", found["run"] or found["id"], (found["path"] or "").strip("/"))
    return None


def scheme_of(location: str) -> str:
    """Return the scheme of a location in lower case; empty for a path."""
    found = _SCHEME.match(location)
    return found[0][:-1].lower() if found else ""


def path_of(location: str) -> str:
    """Return the path of a location: of a `file:` URI decoded, of a proxied one without host."""
    scheme = scheme_of(location)
    if not scheme:
        return location
    parts = urlsplit(location)
    return unquote(parts.path) if scheme == "file" else parts.path.lstrip("/")
