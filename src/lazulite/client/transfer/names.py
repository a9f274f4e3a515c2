"""Moves the registry: names and versions, whose sources are rewritten to what is in the target."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lazulite.client.transfer.records import Name, NamePlaced, Placed, Source, Target, Version
from lazulite.client.transfer.report import Report
from lazulite.domain.errors import InvalidInput
from lazulite.domain.model import IS_PROMPT
from lazulite.domain.run import MAX_PARAM, MAX_TAG, check_key
from lazulite.formats.mlflow.stored import owner_of

_Ids = Mapping[str, Placed]


def move_names(
    source: Source, target: Target, begun: tuple[_Ids, _Ids], report: Report, *, part: bool
) -> None:
    """Move the names.

    Args:
        source: where they are.
        target: where they go.
        begun: the runs and the logged models that were moved, by their ids in the source.
        report: what is counted in.
        part: only versions that were made of these, and names that have one.
    """
    for one in source.names():
        is_prompt = one.tags.get(IS_PROMPT, "").lower() == "true"
        versions = []
        for said in one.versions:
            tags = allowed("tags", f"{one.name}/{said.version}", said.tags, report)
            version = msgspec.structs.replace(said, tags=tags)
            found = version if is_prompt else _sendable(version, *begun)
            if found is not None:
                versions.append(found)
            elif not part:
                reason = f"its files are elsewhere: {version.source[:200]}"
                report.skip("versions", f"{one.name}/{version.version}", reason)
        if versions or not part:
            tags = allowed("tags", one.name, one.tags, report)
            name = msgspec.structs.replace(one, tags=tags, versions=versions)
            try:
                placed = target.name(name)
            except InvalidInput as error:
                report.skip("registered models", one.name, error.message)
            else:
                _count(name, placed, report)


def allowed(kind: str, owner: str, labels: Mapping[str, str], report: Report) -> dict[str, str]:
    """Return params or tags without those whose names cannot be, long values cut; say which."""
    kept = {}
    longest = MAX_PARAM if kind == "params" else MAX_TAG
    for key, value in labels.items():
        try:
            kept[check_key(key, "key")] = value[:longest]
            if len(value) > longest:
                report.note(kind, f"{key!r} of {owner}", f"cut after {longest} characters")
        except InvalidInput as error:
            report.skip(kind, f"{key[:60]!r} of {owner}", error.message)
    return kept


def _sendable(version: Version, runs: _Ids, models: _Ids) -> Version | None:
    """Return a version with its source in the target; None if it was made of nothing there."""
    run = runs[version.run].id if version.run and version.run in runs else version.run
    owner = owner_of(version.source) or owner_of(version.location)
    if owner is not None and owner.kind == "model" and owner.id in models:
        model = models[owner.id].id
        source = "/".join(filter(None, (f"models:/{model}", owner.path)))
        return msgspec.structs.replace(version, source=source, run=run, model=model)
    if owner is not None and owner.kind == "run" and owner.id in runs:
        source = "/".join(filter(None, (f"runs:/{runs[owner.id].id}", owner.path)))
        made = models.get(version.model or "")
        return msgspec.structs.replace(
            version, source=source, run=run, model=made.id if made else None
        )
    return None


def _count(name: Name, placed: NamePlaced, report: Report) -> None:
    report.add("registered models", new=placed.new, there=not placed.new)
    for version, done in zip(name.versions, placed.versions, strict=True):
        if done.refused is not None:
            report.skip("versions", f"{name.name}/{version.version}", done.refused)
        else:
            report.add("versions", new=done.new, there=not done.new)
    for alias in placed.refused:
        report.skip("aliases", f"{name.name}@{alias}", "it means another version here: it stays")
