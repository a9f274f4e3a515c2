"""Logged models, the registry and what runs take in, in the database. Parts of `ports.store.Tx`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from lazulite.domain.model import LoggedModel, RegisteredModel
from lazulite.domain.run import Dataset, DatasetSummary, ModelPoint


class Models(Protocol):
    """Logged models. `get` raises NotFound. `update` changes all but names and creation.

    `of` are those of some experiments, newest first, at most `limit`; `made_by` those that some
    runs logged; `ids` all of a workspace.
    """

    def add(self, model: LoggedModel) -> LoggedModel: ...

    def get(self, workspace: int, model: str) -> LoggedModel: ...

    def update(self, model: LoggedModel) -> None: ...

    def delete(self, model: int) -> None: ...

    def of(self, experiments: Sequence[int], limit: int) -> list[LoggedModel]: ...

    def made_by(self, workspace: int, runs: Sequence[str]) -> list[LoggedModel]: ...

    def ids(self, workspace: int) -> set[str]: ...

    def add_points(self, model: int, run: int, points: Sequence[ModelPoint]) -> None: ...

    def points(self, models: Sequence[int]) -> Mapping[int, list[ModelPoint]]: ...


class Lineage(Protocol):
    """What runs take in and give out. Adding what is there already changes nothing.

    `summaries` are the datasets that runs of some experiments took in, each once per context.
    """

    def add_datasets(self, run: int, experiment: int, datasets: Sequence[Dataset]) -> None: ...

    def add_models(self, run: int, models: Mapping[int, int], *, output: bool) -> None: ...

    def summaries(
        self, workspace: int, experiments: Sequence[int], limit: int
    ) -> list[DatasetSummary]: ...


class Registry(Protocol):
    """Names of the registry. `get` raises NotFound; one that has only assets has a plain record.

    `put` creates or replaces. `rename` renames the versions too, and raises Conflict when the new
    name is taken; `delete` takes the versions along. `all` is every name, in order.
    """

    def put(self, model: RegisteredModel) -> None: ...

    def get(self, workspace: int, name: str) -> RegisteredModel: ...

    def all(self, workspace: int) -> list[RegisteredModel]: ...

    def rename(self, workspace: int, name: str, new: str) -> None: ...

    def delete(self, workspace: int, name: str) -> None: ...
