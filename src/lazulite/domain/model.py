"""Models that runs log, the registry's names for them, and what runs take in. No I/O."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from lazulite.domain.errors import InvalidInput

MAX_MODEL_NAME = 255  # characters
NO_STAGE = "None"  # MLflow's word
STAGES = (NO_STAGE, "Staging", "Production", "Archived")
IS_PROMPT = "mlflow.prompt.is_prompt"


class ModelStatus(StrEnum):
    """How far a logged model is."""

    PENDING = "LOGGED_MODEL_PENDING"
    READY = "LOGGED_MODEL_READY"
    FAILED = "LOGGED_MODEL_UPLOAD_FAILED"


class LoggedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that a run logged, before anybody gave it a name in the registry."""

    id: int = 0  # row id
    workspace: int
    experiment: int
    model: str  # its id: m-...
    name: str
    model_type: str | None = None
    source_run: str | None = None  # run id
    status: ModelStatus = ModelStatus.PENDING
    tags: dict[str, str] = {}
    params: dict[str, str] = {}
    created_at: datetime
    modified_at: datetime


class RegisteredModel(msgspec.Struct, frozen=True, kw_only=True):
    """A name of the registry; its versions are the workspace's `model` assets of that name."""

    workspace: int
    name: str
    description: str = ""
    tags: dict[str, str] = {}
    aliases: dict[str, str] = {}  # alias to version
    last: int = 0  # the highest version number that was deleted: none comes back
    created_at: datetime
    modified_at: datetime


def check_model_name(name: str) -> str:
    """Return `name` if a model may be registered by it.

    Raises:
        InvalidInput: it is empty, too long, or has one of the characters '/', ':' and NUL.
    """
    if not name.strip():
        raise InvalidInput("Registered model name cannot be empty.", path="name")
    if len(name) > MAX_MODEL_NAME or any(c in name for c in "/:\\\0") or name in (".", ".."):
        raise InvalidInput(
            f"Invalid name: '{name[:100]}'. Registered model names have at most {MAX_MODEL_NAME} "
            "characters and none of '/', ':' and '\\'.",
            path="name",
        )
    return name


def check_stage(stage: str) -> str:
    """Return MLflow's spelling of a stage.

    Raises:
        InvalidInput: it is none.
    """
    for known in STAGES:
        if stage.lower() == known.lower():
            return known
    raise InvalidInput(
        f"Invalid Model Version stage: {stage[:60]}. Value must be one of {', '.join(STAGES)}.",
        path="stage",
    )
