"""References that all exist, and the captured requests of the official SDK."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lazulite.domain.errors import NotFound
from lazulite.domain.ids import last_segment
from lazulite.domain.job import DataInput

CAPTURES = Path(__file__).parent / "captures"
STEP: dict[str, Any] = {
    "type": "command",
    "command": "train --data ${{inputs.data}} --out ${{outputs.out}} $[[--lr ${{inputs.lr}}]]",
    "code": "azureml:code:1",
    "environment": "azureml:env:1",
    "inputs": {
        "data": {"type": "uri_folder"},
        "lr": {"type": "number", "default": 0.1, "min": 0, "max": 1},
    },
    "outputs": {"out": {"type": "uri_folder"}},
}
NESTED: dict[str, Any] = {
    "type": "pipeline",
    "inputs": {"raw": {"type": "uri_folder"}},
    "outputs": {"o": {"type": "uri_folder"}},
    "jobs": {
        "in": {
            "component": STEP,
            "inputs": {"data": {"path": "${{parent.inputs.raw}}", "type": "uri_folder"}},
            "outputs": {"out": "${{parent.outputs.o}}"},
        }
    },
}
NESTED["jobs"]["in"]["outputs"] = {"out": {"value": "${{parent.outputs.o}}", "type": "literal"}}


class Everything:
    """A Resolver to whom every reference is known but those called `nowhere`."""

    def __init__(self, **components: dict[str, Any]) -> None:
        self.components = components

    def _found(self, ref: str, path: str) -> str:
        if "nowhere" in ref:
            raise NotFound(f"{path}: '{ref}' does not exist", path=path)
        return ref

    def snapshot(self, ref: str, path: str) -> str:
        return f"tree of {self._found(ref, path)}"

    def environment(self, ref: str, path: str) -> tuple[str, str]:
        return self._found(ref, path), "key"

    def component(self, ref: str, path: str) -> tuple[str, dict[str, Any]]:
        return self._found(ref, path), self.components.get(last_segment(ref), STEP)

    def data(self, value: DataInput, path: str) -> DataInput:
        self._found(value.uri, path)
        return value

    def compute(self, ref: str, path: str) -> str:
        return last_segment(self._found(ref, path))

    def place(self, uri: str, path: str) -> str:
        return self._found(uri, path)


def captured(name: str) -> dict[str, Any]:
    """The `properties` that the SDK sent."""
    found: dict[str, Any] = json.loads((CAPTURES / f"{name}.json").read_text())
    properties: dict[str, Any] = found["body"]["properties"]
    return properties
