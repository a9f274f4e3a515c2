"""Imports add, and never change; on both databases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lazulite.domain.access import OWNER
from lazulite.domain.errors import Conflict, InvalidInput, NotFound, TooLarge
from lazulite.domain.ids import DEFAULT_WORKSPACE
from lazulite.domain.model import ModelStatus
from lazulite.domain.run import Batch, RunStatus
from lazulite.formats.mlflow import transfer as t
from lazulite.ports.store import Store
from lazulite.services import (
    experiments,
    import_models,
    imports,
    models,
    registry,
    tracking,
    versions,
    workspaces,
)
from lazulite.services.context import Services
from tests.databases import database_url, store
from tests.wire.live import make_services

__all__ = ["database_url", "store"]
HERE = DEFAULT_WORKSPACE


@pytest.fixture
def services(tmp_path: Path, store: Store) -> Services:
    """Services on a database of each kind, with a workspace."""
    home = tmp_path / "home"
    home.mkdir()
    made = make_services(home, lambda _: None)
    made.store.close()
    made = replace(made, store=store)
    workspaces.ensure_default(made)
    return made


@pytest.fixture
def experiment(services: Services) -> str:
    """The id of an experiment."""
    return str(imports.place_experiment(services, HERE, t.SentExperiment(name="e")).id)


def sent(experiment: str, **changes: Any) -> t.SentRun:
    fields: dict[str, Any] = {
        "id": "r1",
        "experiment": experiment,
        "name": "one",
        "start": 5000,
        "user": "ann",
        "params": {"lr": "1"},
        "tags": {"a": "b"},
        "seal": "s1",
    }
    return t.SentRun(**(fields | changes))


def begin(services: Services, *runs: t.SentRun, dry: bool = False) -> list[t.PlacedRun]:
    asked = t.BeginRuns(runs=list(runs), source="test", dry=dry)
    return imports.begin(services, HERE, asked, OWNER).runs


def finish(services: Services, run: str, **changes: Any) -> int:
    fields: dict[str, Any] = {"run": run, "status": RunStatus.FINISHED, "end": 6000, "seal": "s1"}
    asked = t.FinishRuns([t.EndedRun(**(fields | changes))])
    return imports.finish(services, HERE, asked).points[0]


def series(run: str, *values: float | None, **more: Any) -> t.Series:
    places = list(range(len(values)))
    return t.Series(run=run, key="m", steps=places, times=places, values=list(values), **more)


def test_a_run_is_running_until_it_is_finished(services: Services, experiment: str) -> None:
    assert begin(services, sent(experiment)) == [t.PlacedRun(id="r1", state="new", params=1)]
    head = tracking.get(services, HERE, "r1").head
    assert (head.status, head.ended, head.created, head.user) == ("Running", None, 5000, "ann")
    imports.log(services, HERE, t.LogSeries([series("r1", 1.0, None)]))
    assert finish(services, "r1", deleted=True) == 2
    head = tracking.get(services, HERE, "r1").head
    assert (head.status, head.ended, head.archived) == ("Completed", 6000, True)


def test_a_run_that_did_not_change_is_the_same(services: Services, experiment: str) -> None:
    begin(services, sent(experiment))
    assert begin(services, sent(experiment))[0].state == "open"
    finish(services, "r1")
    assert begin(services, sent(experiment))[0].state == "same"
    assert begin(services, sent(experiment, seal="s2"))[0].state == "open"
    assert begin(services, sent(experiment, seal=""))[0].state == "open"


def test_what_is_there_is_not_changed(services: Services, experiment: str) -> None:
    begin(services, sent(experiment))
    finish(services, "r1")
    changed = {"params": {"lr": "2", "new": "3"}, "tags": {"a": "c", "d": "e"}}
    again = begin(services, sent(experiment, seal="s2", **changed))
    assert again == [t.PlacedRun(id="r1", state="open", params=1)]
    finish(services, "r1", status=RunStatus.FAILED, end=9000, deleted=True, seal="s2")
    found = tracking.get(services, HERE, "r1")
    assert dict(found.params) == {"lr": "1", "new": "3"}
    assert found.head.tags == {"a": "b", "d": "e"}
    assert (found.head.status, found.head.ended, found.head.archived) == ("Completed", 6000, False)


def test_points_that_come_again_are_the_same(services: Services, experiment: str) -> None:
    begin(services, sent(experiment))
    imports.log(services, HERE, t.LogSeries([series("r1", 1.0, None, 2.0)]))
    imports.log(services, HERE, t.LogSeries([series("r1", 1.0, None, 2.0, 3.0)]))
    assert finish(services, "r1") == 4


def test_a_run_of_somebody_is_left_alone(services: Services, experiment: str) -> None:
    draft = tracking.RunDraft(experiment=experiment, start=5000)
    theirs = tracking.start(services, HERE, draft, OWNER).head.name
    same = begin(services, sent(experiment, id=theirs))
    assert same == [t.PlacedRun(id=theirs, state="kept")]
    with pytest.raises(Conflict, match="not made by an import"):
        imports.log(services, HERE, t.LogSeries([series(theirs, 1.0)]))
    with pytest.raises(Conflict, match="not made by an import"):
        finish(services, theirs)


def test_a_taken_id_is_replaced_by_the_same_one_each_time(
    services: Services, experiment: str
) -> None:
    begin(services, sent(experiment, start=1))
    placed = begin(services, sent(experiment))
    assert placed[0].id == t.other_id("r1", 5000)
    assert begin(services, sent(experiment))[0] == msgspec.structs.replace(
        placed[0], state="open", params=0
    )
    tags = tracking.get(services, HERE, placed[0].id).head.tags
    assert tags["lazulite.import.run_id"] == "r1"


@pytest.mark.parametrize("name", ["../x", "a/b", "", "é", "x" * 251])
def test_an_id_that_cannot_be_one_is_replaced(
    services: Services, experiment: str, name: str
) -> None:
    assert begin(services, sent(experiment, id=name))[0].id == t.other_id(name, 5000)


def test_a_dry_begin_writes_nothing(services: Services, experiment: str) -> None:
    assert begin(services, sent(experiment), dry=True)[0].state == "new"
    with pytest.raises(NotFound):
        tracking.get(services, HERE, "r1")


@pytest.mark.parametrize(
    "changes",
    [{"params": {"../x": "1"}}, {"tags": {"": "1"}}, {"start": -1}, {"experiment": "e"}],
)
def test_a_run_that_cannot_be_is_refused_whole(
    services: Services, experiment: str, changes: dict[str, Any]
) -> None:
    wrong = msgspec.structs.replace(sent(experiment, id="r2"), **changes)
    with pytest.raises(InvalidInput):
        begin(services, sent(experiment), wrong)
    with pytest.raises(NotFound):
        tracking.get(services, HERE, "r1")


def test_a_run_in_the_bin_takes_nothing(services: Services, experiment: str) -> None:
    begin(services, sent(experiment))
    tracking.set_deleted(services, HERE, "r1", OWNER, deleted=True)
    assert begin(services, sent(experiment))[0].state == "same"
    with pytest.raises(Conflict, match="in the bin"):
        imports.log(services, HERE, t.LogSeries([series("r1", 1.0)]))


def test_too_many_points_are_refused(services: Services, experiment: str) -> None:
    begin(services, sent(experiment))
    many = series("r1", *[1.0] * (t.MAX_POINTS + 1))
    with pytest.raises(TooLarge):
        imports.log(services, HERE, t.LogSeries([many]))
    uneven = t.Series(run="r1", key="m", steps=[1], times=[], values=[1.0])
    with pytest.raises(InvalidInput, match="differ in length"):
        imports.log(services, HERE, t.LogSeries([uneven]))


def test_children_are_below_their_parents(services: Services, experiment: str) -> None:
    child = sent(experiment, id="r2", tags={"mlflow.parentRunId": "r1"})
    begin(services, sent(experiment), child)
    assert tracking.get(services, HERE, "r2").head.parent == "r1"


def test_an_experiment_comes_with_its_tags_times_and_state(services: Services) -> None:
    asked = t.SentExperiment(name="x", tags={"k": "v"}, deleted=True, created=1000, modified=2000)
    placed = imports.place_experiment(services, HERE, asked)
    found = experiments.get(services, HERE, str(placed.id))
    assert (found.name, found.tags, found.deleted) == ("x", {"k": "v"}, True)
    assert found.created_at is not None
    assert found.created_at.timestamp() == 1.0
    again = imports.place_experiment(services, HERE, asked)
    assert again == t.PlacedExperiment(id=placed.id, new=False, deleted=True)


def model(experiment: str, **changes: Any) -> t.SentModel:
    fields: dict[str, Any] = {
        "id": "m-1",
        "experiment": experiment,
        "name": "net",
        "created": 7000,
        "params": {"p": "1"},
    }
    return t.SentModel(**(fields | changes))


def place(services: Services, one: t.SentModel) -> t.PlacedModel:
    return import_models.begin(services, HERE, t.BeginModels(models=[one])).models[0]


def test_a_logged_model_is_pending_until_it_is_finished(
    services: Services, experiment: str
) -> None:
    assert place(services, model(experiment)) == t.PlacedModel(id="m-1", state="new")
    assert place(services, model(experiment)).state == "open"
    ended = t.EndedModel(model="m-1", status=ModelStatus.READY, modified=8000)
    import_models.finish(services, HERE, ended)
    assert place(services, model(experiment)).state == "same"
    late = t.EndedModel(model="m-1", status=ModelStatus.FAILED, modified=9000)
    import_models.finish(services, HERE, late)
    assert models.get(services, HERE, "m-1")[0].status is ModelStatus.READY


def test_another_model_of_that_id_gets_another(services: Services, experiment: str) -> None:
    place(services, model(experiment, created=1))
    placed = place(services, model(experiment))
    assert placed.id == f"m-{t.other_id('m-1', 7000)}"
    assert place(services, model(experiment)).id == placed.id


def test_points_of_a_model_come_with_their_dataset(services: Services, experiment: str) -> None:
    begin(services, sent(experiment))
    place(services, model(experiment))
    said = series("r1", 0.5, model="m-1", dataset="d", digest="1")
    imports.log(services, HERE, t.LogSeries([said, said]))
    point = models.get(services, HERE, "m-1")[1][0]
    assert (point.run, point.dataset, point.point.value) == ("r1", "d", 0.5)
    assert finish(services, "r1", models_out=[("m-1", 3)]) == 0
    assert tracking.get(services, HERE, "r1").models_out == [("m-1", 3)]


def name(**changes: Any) -> t.SentName:
    version = t.SentVersion(
        version="4", source="runs:/r1/model", run="r1", created=9000, stage="Staging"
    )
    fields: dict[str, Any] = {
        "name": "net 1",
        "description": "d",
        "tags": {"k": "v"},
        "aliases": {"champ": "4", "v1": "4"},
        "created": 8000,
        "versions": [version],
    }
    return t.SentName(**(fields | changes))


def test_a_version_keeps_its_number(services: Services, experiment: str) -> None:
    begin(services, sent(experiment))
    placed = import_models.place_name(services, HERE, name(), OWNER)
    assert placed.new
    assert placed.versions == [t.PlacedVersion(version="4", new=True)]
    assert placed.refused == ["v1"]
    found, assets = registry.get(services, HERE, "net 1")
    assert (found.description, found.tags, found.aliases) == ("d", {"k": "v"}, {"champ": "4"})
    assert assets[0].body["stage"] == "Staging"
    assert assets[0].body["modelUri"].endswith("/dcid.r1/model")


def test_a_version_comes_once_and_takes_no_others_number(
    services: Services, experiment: str
) -> None:
    begin(services, sent(experiment))
    registry.create(services, HERE, "net 1", "mine", {})
    for _ in range(4):
        draft = versions.VersionDraft(name="net 1", source="runs:/r1/model")
        versions.create(services, HERE, draft, OWNER)
    for new in (True, False):
        placed = import_models.place_name(services, HERE, name(), OWNER)
        assert placed.versions == [t.PlacedVersion(version="5", new=new)]
    found, assets = registry.get(services, HERE, "net 1")
    assert found.description == "mine"
    assert assets[0].body["tags"] == {"lazulite.import.version": "4"}
    assert found.aliases == {"champ": "5"}


def test_a_version_of_nothing_is_refused_alone(services: Services, experiment: str) -> None:
    begin(services, sent(experiment))
    lost = t.SentVersion(version="1", source="runs:/lost/model", created=1)
    versions = [lost, *name().versions]
    placed = import_models.place_name(services, HERE, name(versions=versions), OWNER)
    assert [one.refused is None for one in placed.versions] == [False, True]


def test_what_a_foreign_run_was_logged_stays(services: Services, experiment: str) -> None:
    begin(services, sent(experiment))
    finish(services, "r1")
    tracking.log(services, HERE, "r1", Batch(tags=[("a", "mine")]), OWNER)
    begin(services, sent(experiment, seal="s3"))
    assert tracking.get(services, HERE, "r1").head.tags["a"] == "mine"
