"""What turns an Azure ML environment into a Python that runs here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import msgspec


class EnvironmentSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of an Azure ML environment version that decide what is built."""

    name: str  # for messages: sklearn-1.5:3
    image: str | None = None
    conda: str | None = None  # text of the conda file
    curated: str | None = None  # name in the `azureml` registry, without version
    build: bool = False  # it has a Docker build context
    variables: dict[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """A built environment."""

    key: str
    bin: Path  # goes first on PATH
    variables: dict[str, str]
    python: str = ""  # version


@dataclass(frozen=True, slots=True, kw_only=True)
class Cached:
    """One cached environment."""

    key: str
    name: str  # the specification that built it first
    size: int  # bytes
    created: datetime
    used: datetime
    python: str


class BuildCanceled(Exception):
    """`cancel` was set while an environment was being built; nothing is left half-made."""


class Environments(Protocol):
    """Builds environments once and keeps them by content.

    `plan` refuses what cannot be honoured (InvalidInput/Unsupported), touches nothing and returns
    the cache key; equal keys are interchangeable. `ready` answers in under 10 ms. `build` blocks;
    two callers of one key build once (across processes); it appends its log to `log` live, and a
    failure raises InvalidInput with the log's last lines. A half-built prefix is never visible.
    """

    def plan(self, spec: EnvironmentSpec) -> str: ...

    def ready(self, key: str) -> Prefix | None: ...

    def build(
        self,
        spec: EnvironmentSpec,
        log: Path,
        *,
        cancel: threading.Event,
        progress: Callable[[str], None] | None = None,
    ) -> Prefix: ...

    def cached(self) -> list[Cached]: ...

    def remove(self, key: str) -> int: ...
