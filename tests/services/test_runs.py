"""Jobs as runs: family, logs, where outputs are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lazulite.domain.errors import InvalidInput, NotFound
from lazulite.domain.ids import DEFAULT_WORKSPACE as HERE
from lazulite.domain.job import Job, JobKind, OutputValue, Timeline
from lazulite.services import runs, workspaces
from lazulite.services.context import Services
from tests.wire.live import make_services


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    made = make_services(tmp_path, lambda _: None)
    workspaces.ensure_default(made)
    yield made
    made.store.close()


def add(services: Services, name: str, **fields: Any) -> Job:
    now = services.clock.now()
    job = Job(
        workspace=1,
        name=name,
        kind=fields.pop("kind", JobKind.COMMAND),
        experiment="e",
        display_name=name,
        timeline=Timeline(created=now),
        created_by="t",
        modified_at=now,
        **fields,
    )
    return services.store.write(lambda tx: tx.jobs.add(job, None))


@pytest.fixture
def tree(services: Services) -> Services:
    root = add(services, "root", kind=JobKind.PIPELINE)
    inside = {"root": root.id, "kind": JobKind.PIPELINE}
    inner = add(services, "root.b", parent=root.id, node="b", **inside)
    add(services, "root.a", parent=root.id, root=root.id, node="a")
    add(services, "root.b.c", parent=inner.id, root=root.id, node="c")
    return services


def test_a_family_has_dotted_paths_from_the_root(tree: Services) -> None:
    run, below = runs.family(tree, HERE, "root")
    assert run.job.name == "root"
    assert [path for _, path in below] == ["b", "b.c", "a"]
    run, below = runs.family(tree, HERE, "root.b")
    assert [(job.name, path) for job, path in below] == [("root.b.c", "b.c")]


def test_a_run_knows_parent_and_root_by_name(tree: Services) -> None:
    run = runs.get(tree, HERE, "root.b.c")
    assert (run.parent, run.root) == ("root.b", "root")
    alone = runs.get(tree, HERE, "root")
    assert (alone.parent, alone.root) == (None, None)


def test_children_are_one_level_deep(tree: Services) -> None:
    found = runs.children(tree, HERE, "root")
    assert [(one.job.name, one.parent, one.root) for one in found] == [
        ("root.b", "root", "root"),
        ("root.a", "root", "root"),
    ]
    assert [one.root for one in runs.children(tree, HERE, "root.b")] == ["root"]


def test_only_logs_are_listed(services: Services) -> None:
    job = add(services, "talks")
    home = services.files.root(1, "workspaceartifactstore") / runs.artifact_folder(job.name)
    for name in ("user_logs/std_log.txt", "logs/more/x.log", "outputs/model.bin"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("x")
    found = runs.log_files(services, runs.get(services, HERE, "talks"))
    assert found == ["logs/more/x.log", "user_logs/std_log.txt"]
    add(services, "silent")
    assert runs.log_files(services, runs.get(services, HERE, "silent")) == []


def test_an_output_that_is_not_there_is_named(services: Services) -> None:
    uri = "azureml://datastores/workspaceblobstore/paths/x/"
    add(services, "out", outputs={"o": OutputValue(type="uri_folder", uri=uri)})
    reference = "azureml://jobs/out/outputs/o/paths/"
    assert runs.resolve_uri(services, HERE, reference) == (uri, "uri_folder")
    with pytest.raises(NotFound, match="job 'out' has no output 'p'"):
        runs.resolve_uri(services, HERE, "azureml://jobs/out/outputs/p/paths/")


def test_a_registry_has_no_data_here(services: Services) -> None:
    with pytest.raises(InvalidInput, match="registry 'r' cannot be reached"):
        runs.resolve_uri(services, HERE, "azureml://registries/r/data/d/versions/1")
