"""Where a job's code came from: the names that Azure ML's and MLflow's clients give to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

REPOSITORY = "mlflow.source.git.repoURL"
BRANCH = "mlflow.source.git.branch"
COMMIT = "mlflow.source.git.commit"
DIRTY = "azureml.git.dirty"  # "True": files differ from the commit
BUILD_ID = "azureml.git.build_id"
BUILD_URI = "azureml.git.build_uri"

_URL = re.compile(r"([A-Za-z][\w+.-]*)://(?:([^/?#]*)@)?([^/?#]*)([^?#]*)")
_TAGS = "mlflow."  # properties of such names are tags to MLflow


def source_tags(properties: Mapping[str, str]) -> dict[str, str]:
    """Return the properties of a job that MLflow's clients know as tags of a run."""
    return {key: value for key, value in properties.items() if key.startswith(_TAGS)}


def without_credentials(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties with no password or token in the address of the repository."""
    address = properties.get(REPOSITORY)
    if not isinstance(address, str):
        return dict(properties)
    return {**properties, REPOSITORY: public_url(address)}


def public_url(url: str) -> str:
    """Return the address of a repository without what may be secret in it.

    A user stays only where it is no secret and the address is none without it: `git@host:path`,
    `ssh://git@host/path`.
    """
    found = _URL.match(url)
    if found is None:
        return url  # a path, or host:path
    scheme, user, host, path = found.groups()
    if user and scheme in ("ssh", "git+ssh"):
        host = f"{user.partition(':')[0]}@{host}"
    return f"{scheme}://{host}{path}"
