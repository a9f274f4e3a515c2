"""Names: workspaces, ARM ids, asset references, storage URIs. It looks nothing up."""

from __future__ import annotations

import re
from typing import NamedTuple

from lazulite.domain.errors import InvalidInput

PROVIDER = "Microsoft.MachineLearningServices"
LOCAL_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
LOCAL_GROUP = "local"
LOCAL_WORKSPACE = "default"
LOCAL_LOCATION = "local"

# the datastores that every workspace has
BLOB_STORE = "workspaceblobstore"  # the default datastore: data and outputs
ARTIFACT_STORE = "workspaceartifactstore"  # logs and artifacts, under ExperimentRun/dcid.{run}/
FILE_STORE = "workspacefilestore"
WORKING_STORE = "workspaceworkingdirectory"

MAX_NAME = 255  # characters; Azure ML's limit for asset and job names
MAX_JOB_NAME = 250  # `dcid.` and a job's name are the name of a folder: 255 bytes
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._\-]*", re.ASCII)
_ARM = re.compile(
    r"/?subscriptions/(?P<sub>[^/]+)/resourcegroups/(?P<group>[^/]+)/providers/"
    r"microsoft\.machinelearningservices/workspaces/(?P<ws>[^/]+)(?:/(?P<rest>.*))?",
    re.IGNORECASE,
)
_LONG_URI = re.compile(
    r"azureml://subscriptions/(?P<sub>[^/]+)/resourcegroups/(?P<group>[^/]+)/"
    r"(?:providers/microsoft\.machinelearningservices/)?workspaces/(?P<ws>[^/]+)/(?P<rest>.*)",
    re.IGNORECASE,
)
_REGISTRY = re.compile(
    r"azureml://registries/(?P<registry>[^/]+)/(?P<kind>\w+)/(?P<name>[^/]+)"
    r"(?:/(?P<how>versions|labels)/(?P<which>[^/]+))?",
    re.IGNORECASE,
)
_LOCATION = re.compile(r"azureml://locations/[^/]+/workspaces/[^/]+/(?P<rest>.*)", re.IGNORECASE)


class WorkspaceId(NamedTuple):
    """Which workspace: Azure's three names. Compared without case, kept as written."""

    subscription: str
    resource_group: str
    name: str

    @property
    def key(self) -> str:
        """The same text for every spelling of the same workspace."""
        return "/".join(self).casefold()

    @property
    def arm(self) -> str:
        """The ARM resource id, with a leading slash."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
            f"/providers/{PROVIDER}/workspaces/{self.name}"
        )


DEFAULT_WORKSPACE = WorkspaceId(LOCAL_SUBSCRIPTION, LOCAL_GROUP, LOCAL_WORKSPACE)


class AssetRef(NamedTuple):
    """A reference to a versioned asset; exactly one of `version` and `label` is set."""

    name: str
    version: str | None = None
    label: str | None = None
    registry: str | None = None  # None = the workspace at hand

    def __str__(self) -> str:
        """Spell it as Azure ML does: `name:version` or `name@label`."""
        short = f"{self.name}:{self.version}" if self.version else f"{self.name}@{self.label}"
        return f"{self.registry}/{short}" if self.registry else short


class StoragePath(NamedTuple):
    """A path on a datastore; `path` is relative to the datastore's root, `/`-separated."""

    datastore: str
    path: str

    def __str__(self) -> str:
        """The short `azureml://` URI."""
        return f"azureml://datastores/{self.datastore}/paths/{self.path}"


class JobOutputRef(NamedTuple):
    """A named output of a job: `azureml://jobs/{job}/outputs/{output}/paths/{path}`."""

    job: str
    output: str
    path: str


def check_name(name: str, what: str, *, path: str = "name") -> str:
    """Return `name` if it may name a `what`.

    Names are letters, digits, `-`, `_` and `.`, start with a letter, digit or `_`, and have at most
    `MAX_NAME` characters, so that a name is always one safe path segment.

    Raises:
        InvalidInput: it is empty, too long, or has a character outside this set.
    """
    if len(name) > MAX_NAME:
        raise InvalidInput(
            f"{what} name of {len(name)} characters ('{name[:40]}...') is too long: "
            f"use at most {MAX_NAME}",
            path=path,
        )
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{what} name {name[:80]!r} is not valid: use letters, digits, '-', '_' and '.', "
            "and begin with a letter, a digit or '_'",
            path=path,
        )
    return name


def split_arm(arm: str) -> tuple[WorkspaceId, str]:
    """Split an ARM id below a workspace into the workspace and the rest (`jobs/x`, may be empty).

    Raises:
        InvalidInput: it is not an ARM id below a workspace.
    """
    found = _ARM.fullmatch(arm.removeprefix("azureml:")) or _LONG_URI.fullmatch(arm)
    if not found:
        raise InvalidInput(f"{arm[:200]!r} is not the ARM id of something in a workspace")
    return WorkspaceId(found["sub"], found["group"], found["ws"]), found["rest"] or ""


def last_segment(ref: str) -> str:
    """Return the name at the end of an ARM id, or of `azureml:name`, or the bare name itself."""
    return ref.removeprefix("azureml:").rstrip("/").rsplit("/", 1)[-1]


def parse_asset(ref: str, kind: str) -> AssetRef:
    """Read every spelling of a reference to an asset.

    Understood: ARM ids (`.../data/n/versions/1`), `azureml:n:1`, `n:1`, `azureml:n@latest`,
    `azureml://registries/r/environments/n/versions/1` or `/labels/latest`, and
    `azureml://locations/l/workspaces/w/data/n/versions/1`. A bare name means `@latest`.

    Args:
        ref: the text.
        kind: the plural Azure noun, `data`, `codes`, `components`, `environments` or `models`.

    Raises:
        InvalidInput: the text is none of these, or names an asset of another kind.
    """
    if found := _REGISTRY.fullmatch(ref):
        _same_kind(ref, found["kind"], kind)
        version = found["which"] if (found["how"] or "").lower() == "versions" else None
        label = None if version else (found["which"] or "latest")
        return AssetRef(found["name"], version, label, found["registry"])
    rest = _rest_of_long_reference(ref)
    if rest is not None:
        parts = rest.split("/")
        _same_kind(ref, parts[0], kind)
        if len(parts) == 4 and parts[2].lower() in ("versions", "labels"):
            is_version = parts[2].lower() == "versions"
            version, label = (parts[3], None) if is_version else (None, parts[3])
            return AssetRef(parts[1], version, label)
        if len(parts) == 2:
            return AssetRef(parts[1], None, "latest")
        raise InvalidInput(f"{ref[:200]!r} does not name a version of {kind}")
    return _parse_short_asset(ref.removeprefix("azureml:"), ref)


def _rest_of_long_reference(ref: str) -> str | None:
    text = ref.removeprefix("azureml:") if ref.startswith("azureml:/s") else ref
    for form in (_ARM, _LONG_URI, _LOCATION):
        if found := form.fullmatch(text):
            return found["rest"] or ""
    return None


def _same_kind(ref: str, found: str, wanted: str) -> None:
    if found.lower() != wanted.lower():
        raise InvalidInput(f"{ref[:200]!r} names one of {found!r}, but one of {wanted!r} is needed")


def _parse_short_asset(text: str, ref: str) -> AssetRef:
    if "//" in text or not text:
        raise InvalidInput(f"{ref[:200]!r} does not name an asset: use azureml:name:version")
    if "@" in text:
        name, _, label = text.rpartition("@")
        found = AssetRef(name, None, label)
    else:
        name, colon, version = text.partition(":")
        found = AssetRef(name, version, None) if colon else AssetRef(name, None, "latest")
    if not found.name or not (found.version or found.label):
        raise InvalidInput(f"{ref[:200]!r} does not name an asset: use azureml:name:version")
    return found


def parse_storage(uri: str) -> StoragePath | JobOutputRef | None:
    """Read an `azureml://` URI of a datastore path or a job's output; None if it is neither.

    The path is kept as written but for a leading slash; `..` is refused.

    Raises:
        InvalidInput: the path climbs out of the datastore or has a NUL.
    """
    rest = uri
    if found := _LONG_URI.fullmatch(uri):
        rest = "azureml://" + found["rest"]
    if not rest.lower().startswith("azureml://"):
        return None
    parts = rest[len("azureml://") :].split("/", 3)
    head = parts[0].lower()
    if head == "datastores" and len(parts) >= 3 and parts[2].lower() == "paths":
        return StoragePath(parts[1], clean_path(parts[3] if len(parts) > 3 else ""))
    if head == "jobs" and len(parts) == 4 and parts[2].lower() == "outputs":
        output, _, path = parts[3].partition("/")
        return JobOutputRef(parts[1], output, clean_path(path.removeprefix("paths").lstrip("/")))
    return None


def clean_path(path: str) -> str:
    """Return a relative `/`-separated path inside a datastore, unchanged but for leading slashes.

    Raises:
        InvalidInput: a segment is `..`, or there is a NUL or a backslash.
    """
    if "\0" in path or "\\" in path or ".." in path.split("/"):
        raise InvalidInput(
            f"path {path[:200]!r} leaves its datastore: use a relative path without '..'",
            path="path",
        )
    return path.lstrip("/")
