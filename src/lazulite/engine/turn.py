"""What one turn of the engine decided, and how it is written: whole or not at all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from lazulite.domain.asset import Asset, AssetKind
from lazulite.domain.errors import NotFound
from lazulite.domain.job import Job, OutputSpec, OutputValue
from lazulite.engine.live import LiveJob
from lazulite.ports.store import Tx

Act = Callable[[], None]
log = logging.getLogger("lazulite.engine")
_NOUN = {AssetKind.DATA: "data asset", AssetKind.MODEL: "model"}
_STEM = {AssetKind.DATA: "data", AssetKind.MODEL: "model"}  # of the fields of its body


@dataclass(slots=True)
class Turn:
    """Decisions of one turn: written, then acted upon."""

    changes: dict[int, dict[str, Any]] = field(default_factory=dict)
    spawned: list[tuple[LiveJob, bytes | None]] = field(default_factory=list)
    assets: list[tuple[LiveJob, str, OutputSpec]] = field(default_factory=list)
    after: list[tuple[Act, LiveJob | None]] = field(default_factory=list)
    touched: list[LiveJob] = field(default_factory=list)

    def __bool__(self) -> bool:
        """There is something to write or do."""
        return bool(self.changes or self.spawned or self.after)

    @property
    def writes(self) -> bool:
        """There is something to write."""
        return bool(self.changes or self.spawned or self.assets)

    def of(self, lives: set[LiveJob]) -> Turn:
        """Return what this turn writes of these jobs."""
        jobs = {live.job.id for live in lives}
        return Turn(
            changes={row: fields for row, fields in self.changes.items() if row in jobs},
            spawned=[one for one in self.spawned if one[0] in lives],
            assets=[one for one in self.assets if one[0] in lives],
        )

    def keep(self, other: Turn) -> None:
        """Write only what `other` holds."""
        self.changes, self.spawned, self.assets = other.changes, other.spawned, other.assets

    def write(self, tx: Tx, token: str, now: datetime) -> list[Job]:
        """Write all of it under a lease; return the new jobs as stored. Repeatable.

        Raises:
            StaleLease: the token does not hold one of the rows.
        """
        for live, output, spec in self.assets:
            value = live.job.outputs[output]
            asset = _add_asset(tx, live.job, spec, value, now)
            outputs = {**live.job.outputs, output: msgspec.structs.replace(value, asset=asset)}
            live.change({"outputs": outputs})
            if live.job.id in self.changes:
                self.changes[live.job.id]["outputs"] = outputs
        rows = [(live.job, definition) for live, definition in self.spawned]
        stored = tx.executions.spawn(token, rows) if rows else []
        if self.changes:  # after the children: a parent that ends here drops its lease
            tx.executions.advance(token, list(self.changes.items()))
        return stored


def clash(tx: Tx, job: Job, specs: Iterable[tuple[str, OutputSpec, str]]) -> str | None:
    """Say which output names a version of an asset that is something else already.

    Args:
        tx: the transaction.
        job: the job.
        specs: (output, spec, URI where the output is).
    """
    for output, spec, uri in specs:
        if spec.name and spec.version and _taken(tx, job.workspace, spec, uri):
            return (
                f"outputs.{output}: version '{spec.version}' of {_NOUN[_kind(spec.type)]} "
                f"'{spec.name}' exists "
                "already and versions do not change; name another version, or none for the next one"
            )
    return None


def _taken(tx: Tx, workspace: int, spec: OutputSpec, uri: str) -> bool | None:
    """Return None if there is no such version, else whether it is something else than `uri`."""
    try:
        found = tx.assets.get(workspace, _kind(spec.type), spec.name or "", spec.version or "")
    except NotFound:
        return None
    return bool(found.body.get(f"{_STEM[found.kind]}Uri") != uri)


def _kind(kind: str) -> AssetKind:
    """Return what an output becomes by its type: `custom_model` a model, `uri_folder` data."""
    return AssetKind.MODEL if kind.endswith("_model") else AssetKind.DATA


def _add_asset(tx: Tx, job: Job, spec: OutputSpec, value: OutputValue, now: datetime) -> str | None:
    name = spec.name or ""
    kind = _kind(spec.type)
    version = spec.version or _next_version(tx, job.workspace, kind, name)
    taken = _taken(tx, job.workspace, spec, value.uri) if spec.version else None
    if taken:  # since `clash` was asked: another job or client was quicker
        log.warning("job %s: %s %s:%s was taken", job.name, _NOUN[kind], name, version)
        return None
    if taken is None:
        asset = Asset(
            kind=kind,
            name=name,
            version=version,
            body={f"{_STEM[kind]}Type": value.type, f"{_STEM[kind]}Uri": value.uri},
            created_at=now,
            created_by=job.created_by,
            modified_at=now,
        )
        tx.assets.add(job.workspace, asset)
    return f"{name}:{version}"


def _next_version(tx: Tx, workspace: int, kind: AssetKind, name: str) -> str:
    try:
        return tx.assets.container(workspace, kind, name).next
    except NotFound:
        return "1"
