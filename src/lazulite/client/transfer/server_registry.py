"""The registry of an MLflow server as a target. It numbers versions itself; a tag has the old."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazulite.client.transfer.foreign import Api
from lazulite.client.transfer.records import (
    EXPORTED_CREATED,
    EXPORTED_VERSION,
    Name,
    NamePlaced,
    Version,
    created_of,
)
from lazulite.client.transfer.server import ServerSource
from lazulite.domain.errors import LazuliteError, NotFound
from lazulite.domain.model import NO_STAGE
from lazulite.formats.mlflow.stored import owner_of
from lazulite.formats.mlflow.transfer import PlacedVersion


class ServerRegistry:
    """Writes names and versions by MLflow's API."""

    def __init__(self, api: Api, source: ServerSource) -> None:
        """Remember where to write, and what reads there."""
        self._api = api
        self._source = source

    def name(self, one: Name, locations: Mapping[str, str]) -> NamePlaced:
        """Make a registered model with its versions; locations are those of runs and models."""
        try:
            reply = self._api.call("GET", "registered-models/get", query={"name": one.name})
            new, there = False, reply["registered_model"]
        except NotFound:
            asked = {"name": one.name, "description": one.description, "tags": pairs(one.tags)}
            self._api.call("POST", "registered-models/create", asked)
            new, there = True, {}
        known = {} if new else self._versions(one.name)
        done = []
        for version in one.versions:
            number = known.get((version.version, version.created))
            if number is None:
                done.append(self._version(one.name, version, locations))
            else:
                done.append(PlacedVersion(version=number))
        numbers = {v.version: d.version for v, d in zip(one.versions, done, strict=True)}
        aliases = {each["alias"]: str(each["version"]) for each in there.get("aliases", [])}
        refused = []
        for alias, of in one.aliases.items():
            if of in numbers and alias not in aliases:
                asked = {"name": one.name, "alias": alias, "version": numbers[of]}
                self._api.call("POST", "registered-models/alias", asked)
            elif of in numbers and aliases[alias] != numbers[of]:
                refused.append(alias)
        return NamePlaced(new, done, refused)

    def _versions(self, name: str) -> dict[tuple[str, int], str]:
        """Return the numbers of versions by what their numbers and times are here."""
        found = next((one for one in self._source.names() if one.name == name), None)
        versions = found.versions if found else []
        return {
            (one.tags.get(EXPORTED_VERSION, one.version), created_of(one)): one.version
            for one in versions
        }

    def _version(self, name: str, one: Version, locations: Mapping[str, str]) -> PlacedVersion:
        owner = owner_of(one.source)
        source = one.source
        if owner is not None and owner.kind == "run" and owner.id in locations:
            source = f"{locations[owner.id]}/{owner.path}".rstrip("/")
        said = {EXPORTED_VERSION: one.version, EXPORTED_CREATED: str(one.created)}
        asked: dict[str, Any] = {
            "name": name,
            "source": source,
            "run_id": one.run,
            "model_id": one.model,
            "run_link": one.link,
            "description": one.description,
            "tags": pairs({**one.tags, **said}),
        }
        try:
            made = self._api.call("POST", "model-versions/create", asked)["model_version"]
        except LazuliteError as error:
            return PlacedVersion(version=one.version, refused=error.message)
        number = str(made["version"])
        if one.stage != NO_STAGE:
            asked = {"name": name, "version": number, "stage": one.stage}
            self._api.call("POST", "model-versions/transition-stage", asked)
        return PlacedVersion(version=number, new=True)


def pairs(labels: Mapping[str, str]) -> list[dict[str, str]]:
    """Return params or tags as MLflow's API takes them."""
    return [{"key": key, "value": value} for key, value in labels.items()]
