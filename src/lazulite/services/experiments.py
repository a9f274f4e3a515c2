"""Use cases of experiments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from lazulite.domain.errors import Conflict, InvalidInput, NotFound
from lazulite.domain.ids import WorkspaceId
from lazulite.domain.run import (
    DEFAULT_EXPERIMENT,
    DEFAULT_EXPERIMENT_ID,
    MAX_EXPERIMENT_NAME,
    Experiment,
    View,
)
from lazulite.domain.search import Search
from lazulite.ports.listed import Listed
from lazulite.ports.store import Tx
from lazulite.services.context import Services


def create(services: Services, ids: WorkspaceId, name: str, tags: Mapping[str, str]) -> int:
    """Make an experiment and return its id.

    Raises:
        InvalidInput: the name is empty or too long.
        Conflict: the name is taken.
    """
    _check_free(name)
    now = services.clock.now()
    return services.store.write(
        lambda tx: tx.experiments.add(tx.workspaces.get(ids).id, name, tags, now)
    )


def get(services: Services, ids: WorkspaceId, experiment: str) -> Experiment:
    """Return an experiment by its id; the default one is made when it is first asked for.

    Raises:
        NotFound: there is none.
        InvalidInput: that is no id.
    """
    now = services.clock.now()
    try:
        return services.store.read(lambda tx: find(tx, tx.workspaces.get(ids).id, experiment, None))
    except NotFound:
        if experiment != DEFAULT_EXPERIMENT_ID:
            raise
    return services.store.write(lambda tx: find(tx, tx.workspaces.get(ids).id, experiment, now))


def named(services: Services, ids: WorkspaceId, name: str) -> Experiment:
    """Return an experiment by its name.

    Raises:
        NotFound: there is none.
    """
    if name == DEFAULT_EXPERIMENT:
        return get(services, ids, DEFAULT_EXPERIMENT_ID)
    return services.store.read(lambda tx: tx.experiments.named(tx.workspaces.get(ids).id, name))


def rename(services: Services, ids: WorkspaceId, experiment: str, name: str) -> None:
    """Give an experiment another name.

    Raises:
        NotFound: there is no such experiment.
        InvalidInput: it is deleted, or the name is not valid.
        Conflict: the name is taken.
    """
    _check_free(name)
    now = services.clock.now()

    def work(tx: Tx) -> None:
        found = _changeable(tx, ids, experiment)
        if found.deleted:
            raise InvalidInput("Cannot rename an experiment that is not active: restore it first")
        tx.experiments.edit(found.id, now, name=name)

    services.store.write(work)


def set_deleted(services: Services, ids: WorkspaceId, experiment: str, *, deleted: bool) -> None:
    """Put an experiment into the bin, or take it out; its runs stay as they are.

    Raises:
        NotFound: there is no such experiment, or it is where it should go already.
    """
    now = services.clock.now()

    def work(tx: Tx) -> None:
        found = _changeable(tx, ids, experiment)
        if found.deleted is deleted:
            state = "deleted" if deleted else "active"
            raise NotFound(f"The experiment with id={experiment} is {state} already")
        tx.experiments.edit(found.id, now, deleted=deleted)

    services.store.write(work)


def set_tags(
    services: Services, ids: WorkspaceId, experiment: str, tags: Mapping[str, str | None]
) -> None:
    """Set tags of an experiment; None removes one.

    Raises:
        NotFound: there is no such experiment, or it has no such tag.
        InvalidInput: it is deleted.
    """
    now = services.clock.now()

    def work(tx: Tx) -> None:
        found = find(tx, tx.workspaces.get(ids).id, experiment, now)
        if found.deleted:
            raise InvalidInput(
                f"The experiment {found.id} must be in the 'active' state. "
                "Current state is deleted."
            )
        for key, value in tags.items():
            if value is None and key not in found.tags:
                raise NotFound(f"No tag with name: {key[:300]} in experiment {found.id}")
        tx.experiments.set_tags(found.id, tags, now)

    services.store.write(work)


def search(services: Services, ids: WorkspaceId, asked: Search, view: View) -> Listed[Experiment]:
    """Return one page of the experiments that a search finds."""
    get(services, ids, DEFAULT_EXPERIMENT_ID)  # it is there from the start, as in MLflow
    return services.store.read(
        lambda tx: tx.experiments.search(tx.workspaces.get(ids).id, asked, view)
    )


def find(tx: Tx, workspace: int, experiment: str, now: datetime | None) -> Experiment:
    """Return an experiment by the id that a client sent.

    Args:
        tx: the transaction.
        workspace: row id.
        experiment: the id; "0" is the default experiment.
        now: when the default one is made, if it is not there; None = do not make it.

    Raises:
        NotFound: there is none.
        InvalidInput: that is no id.
    """
    if experiment == DEFAULT_EXPERIMENT_ID:
        if now is None:
            return tx.experiments.named(workspace, DEFAULT_EXPERIMENT)
        return tx.experiments.ensure(workspace, DEFAULT_EXPERIMENT, now)
    return tx.experiments.get(workspace, _row_of(experiment))


def rows_of(tx: Tx, workspace: int, experiments: Sequence[str]) -> list[int]:
    """Return the row ids that ids of clients stand for; the default one may not be made yet.

    Whether they are of this workspace is for the query that they go into.

    Raises:
        InvalidInput: one is no id.
    """
    found = []
    for one in experiments:
        if one != DEFAULT_EXPERIMENT_ID:
            found.append(_row_of(one))
            continue
        with suppress(NotFound):
            found.append(tx.experiments.named(workspace, DEFAULT_EXPERIMENT).id)
    return found


def _row_of(experiment: str) -> int:
    if not (experiment.isascii() and experiment.isdigit() and len(experiment) < 19):
        raise InvalidInput(
            f"Invalid experiment ID '{experiment[:100]}'. Experiment ID must be a valid integer.",
            path="experiment_id",
        )
    return int(experiment)


def check_name(name: str) -> str:
    """Return `name` if an experiment may have it.

    Raises:
        InvalidInput: it is empty or too long.
    """
    if not name.strip():
        raise InvalidInput(f"Invalid experiment name: {name!r}. It must not be empty", path="name")
    if len(name) > MAX_EXPERIMENT_NAME:
        raise InvalidInput(
            f"'name' exceeds the maximum length of {MAX_EXPERIMENT_NAME} characters", path="name"
        )
    return name


def _check_free(name: str) -> None:
    """Refuse a name that no experiment may have, and that of the one which is always there."""
    if check_name(name) == DEFAULT_EXPERIMENT:
        raise Conflict(f"Experiment(name={DEFAULT_EXPERIMENT}) already exists.")


def _changeable(tx: Tx, ids: WorkspaceId, experiment: str) -> Experiment:
    found = find(tx, tx.workspaces.get(ids).id, experiment, None)
    if found.name == DEFAULT_EXPERIMENT:
        raise InvalidInput(
            f"The experiment '{DEFAULT_EXPERIMENT}' is where runs go that name none: it cannot be "
            "renamed or deleted"
        )
    return found
