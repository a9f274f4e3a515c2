"""Use cases of workspaces and what is in them, without a wire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lazulite.domain.access import OWNER
from lazulite.domain.errors import Conflict, InvalidInput, NotFound
from lazulite.domain.ids import DEFAULT_WORKSPACE, WorkspaceId
from lazulite.formats.azure.compute import ComputeDraft
from lazulite.formats.azure.workspace import WorkspaceDraft
from lazulite.ports.store import Page
from lazulite.services import computes, datastores, workspaces
from lazulite.services.context import Services
from tests.wire.live import make_services

TEAM = WorkspaceId("S", "group", "Team")


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    made = make_services(tmp_path, lambda _: None)
    yield made
    made.store.close()


def make(services: Services, **draft: str) -> None:
    workspaces.create(services, TEAM, WorkspaceDraft(**draft), OWNER)


def test_the_default_workspace_is_made_once(services: Services) -> None:
    first = workspaces.ensure_default(services)
    assert workspaces.ensure_default(services) == first
    assert (first.ids, first.location) == (DEFAULT_WORKSPACE, "local")


def test_the_default_workspace_is_there_again_after_it_was_deleted(services: Services) -> None:
    first = workspaces.ensure_default(services)
    assert workspaces.delete(services, DEFAULT_WORKSPACE)
    again = workspaces.get(services, DEFAULT_WORKSPACE)
    assert again.id != first.id
    assert computes.get(services, DEFAULT_WORKSPACE, "local").name == "local"


def test_a_workspace_is_found_in_any_case_and_shown_as_written(services: Services) -> None:
    make(services)
    assert workspaces.get(services, WorkspaceId("s", "GROUP", "team")).ids == TEAM


def test_what_does_not_change_is_not_written(services: Services) -> None:
    make(services, description="one")
    before = workspaces.get(services, TEAM)
    assert workspaces.update(services, TEAM, WorkspaceDraft(description="one")) == before
    after = workspaces.update(services, TEAM, WorkspaceDraft(description="two"))
    assert after.modified_at > before.modified_at


@pytest.mark.parametrize("ids", [("a/b", "g", "w"), ("s", "", "w"), ("s", "g", "..")])
def test_names_are_checked(services: Services, ids: tuple[str, str, str]) -> None:
    with pytest.raises(InvalidInput, match="name"):
        workspaces.create(services, WorkspaceId(*ids), WorkspaceDraft(), OWNER)


def test_a_deleted_workspace_can_be_made_again_and_is_empty(services: Services) -> None:
    make(services)
    row = workspaces.get(services, TEAM).id
    (services.files.root(row, "workspaceblobstore") / "x").write_text("x")
    draft = ComputeDraft(kind="AmlCompute", location=None, body={}, tags={}, slots=1)
    computes.put(services, TEAM, "cpu", draft, OWNER)
    assert workspaces.delete(services, TEAM)
    assert not workspaces.delete(services, TEAM)
    make(services)
    again = workspaces.get(services, TEAM)
    names = [one.name for one in computes.page(services, TEAM, Page()).items]
    assert names == ["local"]
    assert not any(services.files.root(again.id, "workspaceblobstore").iterdir())


def test_a_compute_keeps_its_beginning_when_it_is_replaced(services: Services) -> None:
    make(services)
    draft = ComputeDraft(kind="AmlCompute", location=None, body={}, tags={}, slots=1)
    first, new = computes.put(services, TEAM, "cpu", draft, OWNER)
    second, newer = computes.put(services, TEAM, "cpu", draft, OWNER)
    assert (new, newer, second.created_at) == (True, False, first.created_at)


def test_the_default_compute_and_datastore_stay(services: Services) -> None:
    make(services)
    with pytest.raises(Conflict, match="must stay"):
        computes.delete(services, TEAM, "local")
    with pytest.raises(Conflict, match="cannot be deleted"):
        datastores.delete(services, TEAM, "workspaceblobstore")


def test_nothing_is_found_where_no_workspace_is(services: Services) -> None:
    for look in (
        lambda: computes.get(services, TEAM, "local"),
        lambda: datastores.default(services, TEAM),
        lambda: workspaces.update(services, TEAM, WorkspaceDraft()),
    ):
        with pytest.raises(NotFound, match="workspace 'Team' does not exist"):
            look()
