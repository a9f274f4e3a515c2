"""Looks up what a job refers to, inside one read transaction; each thing once."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from lazulite.domain import curated
from lazulite.domain.asset import Asset, AssetKind
from lazulite.domain.errors import Conflict, InvalidInput, LazuliteError, NotFound, Unsupported
from lazulite.domain.ids import (
    BLOB_STORE,
    AssetRef,
    JobOutputRef,
    StoragePath,
    last_segment,
    parse_asset,
    parse_storage,
    split_arm,
)
from lazulite.domain.job import DataInput
from lazulite.domain.workspace import Datastore, Workspace
from lazulite.formats.azure.datastore import is_local
from lazulite.ports.environments import Environments, EnvironmentSpec
from lazulite.ports.store import Page, Tx

T = TypeVar("T")
SERVERLESS = "serverless"
AZURE_REGISTRY = "azureml"
_MAKE_COMPUTE = "; or make it: lazulite compute create --name NAME --type amlcompute"


class References:
    """Resolves references for `formats.azure`; it is that module's `Resolver`."""

    def __init__(self, tx: Tx, workspace: Workspace, environments: Environments) -> None:
        self._tx = tx
        self._workspace = workspace
        self._environments = environments
        self._known: dict[tuple[str, str], Any] = {}

    def snapshot(self, ref: str, path: str) -> str:
        """Return the digest of a code version's files."""

        def find() -> str:
            asset = self._asset(AssetKind.CODE, ref, path)
            if asset.digest is None:
                raise InvalidInput(f"{path}: code '{asset.name}' has no files yet", path=path)
            return asset.digest

        return self._once("code", ref, find)

    def environment(self, ref: str, path: str) -> tuple[str, str]:
        """Return the ARM id (or registry URI) of an environment and its cache key."""

        def find() -> tuple[str, str]:
            name, spec = self.environment_spec(ref, path)
            try:
                return name, self._environments.plan(spec)
            except LazuliteError as error:
                error.path = error.path or path
                raise

        return self._once("environment", ref, find)

    def environment_spec(self, ref: str, path: str) -> tuple[str, EnvironmentSpec]:
        """Return the id of an environment and the parts of it that decide what is built."""
        found = _parsed(ref, AssetKind.ENVIRONMENT, path)
        if found.registry or found.name.startswith("AzureML-"):
            return _curated(found, path)
        asset = self._asset(AssetKind.ENVIRONMENT, ref, path)
        arm = f"{self._workspace.ids.arm}/environments/{asset.name}/versions/{asset.version}"
        body = asset.body
        return arm, EnvironmentSpec(
            name=f"{asset.name}:{asset.version}",
            image=body.get("image"),
            conda=body.get("condaFile"),
            build=bool(body.get("build")),
            variables=body.get("environmentVariables") or {},
        )

    def component(self, ref: str, path: str) -> tuple[str, dict[str, Any]]:
        """Return the ARM id of a component version and its `componentSpec`."""

        def find() -> tuple[str, dict[str, Any]]:
            asset = self._asset(AssetKind.COMPONENT, ref, path)
            arm = f"{self._workspace.ids.arm}/components/{asset.name}/versions/{asset.version}"
            return arm, asset.body.get("componentSpec") or {}

        return self._once("component", ref, find)

    def data(self, value: DataInput, path: str) -> DataInput:
        """Return the input with its asset or job output replaced by a storage URI.

        Raises:
            InvalidInput: the URI is of no kind Lazulite can read, or the asset's type differs.
            NotFound: the asset, job or datastore does not exist.
        """
        key = f"{value.type} {value.uri}"
        uri = self._once("data", key, lambda: self._place(value, path))
        return msgspec.structs.replace(value, uri=uri)

    def compute(self, ref: str, path: str) -> str:
        """Return the name of a compute that exists; `serverless` is the workspace's default.

        Raises:
            NotFound: there is none of this name.
            Conflict: it is stopped.
        """
        name = last_segment(ref)
        if name.lower() in (SERVERLESS, "local"):
            name = "local"

        def find() -> str:
            try:
                found = self._tx.computes.get(self._workspace.id, name)
            except NotFound:
                page = self._tx.computes.page(self._workspace.id, Page(limit=1000))
                names = [one.name for one in page.items]
                raise _not_found("compute", name, names, path, mend=_MAKE_COMPUTE) from None
            if found.stopped:
                raise Conflict(
                    f"{path}: compute '{found.name}' is stopped; start it, or name another",
                    path=path,
                )
            return found.name

        return self._once("compute", name, find)

    def _once(self, kind: str, ref: str, find: Callable[[], T]) -> T:
        key = (kind, ref)
        if key not in self._known:
            self._known[key] = find()
        found: T = self._known[key]
        return found

    def _asset(self, kind: AssetKind, ref: str, path: str) -> Asset:
        found = _parsed(ref, kind, path)
        if ref.removeprefix("azureml:").lower().startswith("/subscriptions"):
            _same_workspace(self._workspace, ref, path)
        assets, workspace = self._tx.assets, self._workspace.id
        try:
            if found.version:
                return assets.get(workspace, kind, found.name, found.version)
            return assets.resolve(workspace, kind, found.name, found.label or "latest")
        except NotFound as error:
            raise NotFound(f"{path}: {error.message}", path=path) from None

    def _place(self, value: DataInput, path: str) -> str:
        if (place := self._where(value.uri, path)) is not None:
            return place
        kind = AssetKind.MODEL if "model" in value.type else AssetKind.DATA
        asset = self._asset(kind, value.uri, path)
        uri = str(asset.body.get("modelUri" if kind is AssetKind.MODEL else "dataUri") or "")
        declared = asset.body.get("dataType")
        if kind is AssetKind.DATA and declared and declared.lower() != value.type.lower():
            raise InvalidInput(
                f"{path}: data asset '{asset.name}:{asset.version}' is a {declared}, "
                f"the input says {value.type}; write type: {declared}",
                path=path,
            )
        if (place := self._where(uri, path)) is not None:
            return place
        raise InvalidInput(
            f"{path}: '{asset.name}:{asset.version}' is at {uri[:200]!r}, which is neither on a "
            "datastore nor a public address; register it again",
            path=path,
        )

    def _where(self, uri: str, path: str) -> str | None:
        """Return a place or public address as it is always spelled, None for an asset."""
        try:
            storage = parse_storage(uri)
        except InvalidInput as error:
            raise InvalidInput(f"{path}: {error.message}", path=path) from None
        if isinstance(storage, JobOutputRef):
            return self._job_output(storage, path)
        if storage is not None:
            return str(StoragePath(self._datastore(storage.datastore, path), storage.path))
        return uri if _is_url(uri) else None

    def _job_output(self, ref: JobOutputRef, path: str) -> str:
        try:
            job = self._tx.jobs.get(self._workspace.id, ref.job)
        except NotFound as error:
            raise NotFound(f"{path}: {error.message}", path=path) from None
        if ref.output not in job.outputs:
            raise _not_found("output", f"{ref.job}.{ref.output}", list(job.outputs), path)
        base = job.outputs[ref.output].uri
        return f"{base.rstrip('/')}/{ref.path}" if ref.path else base

    def place(self, uri: str, path: str) -> str:
        """Check where an output is to go and spell it; `${{...}}` in the path stands for itself.

        Raises:
            InvalidInput: it is not a path on a datastore, or leaves it.
            NotFound: there is no such datastore.
        """
        try:
            storage = parse_storage(uri)
        except InvalidInput as error:
            raise InvalidInput(f"{path}: {error.message}", path=path) from None
        if not isinstance(storage, StoragePath):
            raise InvalidInput(
                f"{path}: {uri[:200]!r} is not a place on a datastore; use "
                "azureml://datastores/NAME/paths/FOLDER",
                path=path,
            )
        if "${{" in storage.datastore:
            return uri
        return str(StoragePath(self._datastore(storage.datastore, path), storage.path))

    def _datastore(self, name: str, path: str) -> str:
        """Return a datastore's name as it was given, for names compare without case."""

        def find() -> str:
            try:
                return _check_local(self._tx.datastores.get(self._workspace.id, name), path)
            except NotFound:
                page = self._tx.datastores.page(self._workspace.id, Page(limit=1000))
                names = [one.name for one in page.items]
                raise _not_found("datastore", name, names, path) from None

        return self._once("datastore", name, find)


def _parsed(ref: str, kind: AssetKind, path: str) -> AssetRef:
    try:
        return parse_asset(ref, kind)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error.message}", path=path) from None


def _curated(ref: AssetRef, path: str) -> tuple[str, EnvironmentSpec]:
    registry = ref.registry or AZURE_REGISTRY
    if registry.lower() != AZURE_REGISTRY:
        raise Unsupported(
            f"{path}: registry '{registry}' cannot be reached; Lazulite has the curated "
            f"environments of '{AZURE_REGISTRY}'",
            path=path,
        )
    found = curated.find(ref.name, version=ref.version, label=ref.label)
    uri = (
        f"azureml://registries/{AZURE_REGISTRY}/environments/{found.name}/versions/{found.version}"
    )
    return uri, EnvironmentSpec(name=f"{registry}/{found.name}", curated=found.name)


def _is_url(uri: str) -> bool:
    return uri.startswith(("https://", "http://", "abfss://", "wasbs://", "s3://", "gs://"))


def _not_found(what: str, name: str, known: list[str], path: str, mend: str = "") -> NotFound:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known[:10]) or 'none'}"
    return NotFound(f"{path}: {what} '{name}' does not exist; {hint}{mend}", path=path)


def _check_local(datastore: Datastore, path: str) -> str:
    if is_local(datastore):
        return datastore.name
    raise Unsupported(
        f"{path}: datastore '{datastore.name}' ({datastore.kind}) is remote, and jobs read and "
        f"write local datastores only, for now; use {BLOB_STORE}",
        path=path,
    )


def _same_workspace(here: Workspace, ref: str, path: str) -> None:
    workspace, _ = split_arm(ref)
    if workspace.key != here.ids.key:
        raise InvalidInput(
            f"{path}: {ref[:200]} is in workspace '{workspace.name}', the job in "
            f"'{here.ids.name}'; register it here",
            path=path,
        )
