"""Workspaces, on both databases."""

from __future__ import annotations

import msgspec
import pytest
from tests.records import (
    LATER,
    NOW,
    a_child,
    a_compute,
    a_datastore,
    a_job,
    a_workspace,
    an_asset,
)

from lazulite.domain.asset import AssetKind
from lazulite.domain.errors import Conflict, NotFound
from lazulite.domain.ids import WorkspaceId
from lazulite.ports.store import JobFilter, Page, Store

TEXT = "naïve 日本語 \U0001f680 '\"\\"


def test_a_workspace_comes_back_as_it_was_put(store: Store) -> None:
    given = a_workspace(description=TEXT, tags={"a": TEXT}, body={"x": [1, None, {"y": 0.5}]})
    stored = store.write(lambda tx: tx.workspaces.add(given))
    assert stored == msgspec.structs.replace(given, id=stored.id)
    assert store.read(lambda tx: tx.workspaces.get(given.ids)) == stored
    assert store.read(lambda tx: tx.workspaces.by_id(stored.id)) == stored


def test_times_keep_their_microseconds(store: Store) -> None:
    stored = store.write(lambda tx: tx.workspaces.add(a_workspace()))
    assert store.read(lambda tx: tx.workspaces.by_id(stored.id)).created_at == NOW


def test_names_of_workspaces_compare_without_case(store: Store) -> None:
    store.write(lambda tx: tx.workspaces.add(a_workspace("Mine", "Group")))
    found = store.read(lambda tx: tx.workspaces.get(WorkspaceId("0000-SUB", "gROUP", "mINE")))
    assert found.ids == WorkspaceId("0000-sub", "Group", "Mine")
    with pytest.raises(Conflict, match="'mine' exists already in resource group 'group'"):
        store.write(lambda tx: tx.workspaces.add(a_workspace("mine", "group")))


def test_an_unknown_workspace_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound, match=r"'nope'.*'local'.*create it"):
        store.read(lambda tx: tx.workspaces.get(WorkspaceId("s", "local", "nope")))
    with pytest.raises(NotFound):
        store.read(lambda tx: tx.workspaces.by_id(7))
    with pytest.raises(NotFound):
        store.write(lambda tx: tx.workspaces.delete(7))
    with pytest.raises(NotFound):
        store.write(lambda tx: tx.workspaces.update(a_workspace(id=7)))


def test_an_update_leaves_names_and_creation(store: Store) -> None:
    old = store.write(lambda tx: tx.workspaces.add(a_workspace()))
    new = msgspec.structs.replace(
        old, display_name="new", tags={}, created_by="bob", modified_at=LATER, description=""
    )
    store.write(lambda tx: tx.workspaces.update(new))
    found = store.read(lambda tx: tx.workspaces.by_id(old.id))
    assert found == msgspec.structs.replace(new, created_by="ann")


def test_pages_are_of_one_subscription_or_group(store: Store) -> None:
    for group in ("a", "ab", "b"):
        for name in ("w2", "W1", "w3"):
            store.write(lambda tx, g=group, n=name: tx.workspaces.add(a_workspace(n, g)))
    names = []
    after = None
    while True:
        page = Page(limit=2, after=after)
        part = store.read(lambda tx, p=page: tx.workspaces.page("0000-SUB", "A", p))
        names += [item.ids.name for item in part.items]
        if (after := part.next) is None:
            break
    assert names == ["W1", "w2", "w3"]
    everywhere = store.read(lambda tx: tx.workspaces.page("0000-sub", None, Page()))
    assert len(everywhere.items) == 9
    assert store.read(lambda tx: tx.workspaces.page("0000", None, Page())).items == []


def test_deleting_a_workspace_deletes_everything_in_it_and_nothing_else(store: Store) -> None:
    mine = store.write(lambda tx: tx.workspaces.add(a_workspace("mine"))).id
    other = store.write(lambda tx: tx.workspaces.add(a_workspace("other"))).id
    for workspace in (mine, other):
        _fill(store, workspace)
    store.write(lambda tx: tx.workspaces.delete(mine))
    assert _contents(store, mine) == (0, 0, 0, 0)
    assert _contents(store, other) == (1, 1, 1, 1)


def test_the_row_id_of_a_deleted_workspace_never_comes_back(store: Store) -> None:
    first = store.write(lambda tx: tx.workspaces.add(a_workspace())).id
    store.write(lambda tx: tx.workspaces.delete(first))
    assert store.write(lambda tx: tx.workspaces.add(a_workspace())).id > first


def _fill(store: Store, workspace: int) -> None:
    store.write(lambda tx: tx.assets.add(workspace, an_asset()))
    store.write(lambda tx: tx.computes.put(workspace, a_compute()))
    store.write(lambda tx: tx.datastores.put(workspace, a_datastore(secrets={"key": "x"})))
    root = store.write(lambda tx: tx.jobs.add(a_job(workspace, fingerprint="both"), b"{}"))
    token = f"engine-{workspace}"
    store.write(lambda tx: tx.executions.claim(token, [root.id]))
    child = a_child(root, "n", fingerprint=f"of-{workspace}")
    store.write(lambda tx: tx.executions.spawn(token, [(child, b"{}")]))


def _contents(store: Store, workspace: int) -> tuple[int, int, int, int]:
    return store.read(
        lambda tx: (
            len(tx.assets.containers(workspace, AssetKind.DATA, [], Page()).items),
            len(tx.computes.page(workspace, Page()).items),
            len(tx.datastores.page(workspace, Page()).items),
            len(tx.jobs.page(workspace, JobFilter(), Page()).items),
        )
    )
