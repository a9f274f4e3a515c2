"""Versions of assets, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import msgspec
import pytest
from tests.records import LATER, NOW, an_asset

from lazulite.domain.asset import Asset, AssetKind, Container, Stage
from lazulite.domain.errors import Conflict, InvalidInput, NotFound
from lazulite.ports.store import Page, Store

DATA = AssetKind.DATA


def add(store: Store, workspace: int, *assets: Asset) -> list[Asset]:
    return [store.write(lambda tx, a=a: tx.assets.add(workspace, a)) for a in assets]


def versions(store: Store, workspace: int, *stages: Stage, name: str = "taxi") -> list[str]:
    listed = store.read(lambda tx: tx.assets.versions(workspace, DATA, name, stages, Page()))
    return [item.version for item in listed.items]


def container(store: Store, workspace: int, name: str = "taxi") -> Container:
    return store.read(lambda tx: tx.assets.container(workspace, DATA, name))


def test_a_version_comes_back_as_it_was_put(store: Store, workspace: int) -> None:
    given = an_asset(body={"uri": "azureml://x", "n": None}, digest="d", anonymous=True)
    (stored,) = add(store, workspace, given)
    assert stored == msgspec.structs.replace(given, id=stored.id)
    assert store.read(lambda tx: tx.assets.get(workspace, DATA, "taxi", "1")) == stored
    assert store.read(lambda tx: tx.assets.by_digest(workspace, DATA, "d")) == stored


def test_a_version_that_exists_is_a_conflict(store: Store, workspace: int) -> None:
    add(store, workspace, an_asset(), an_asset(kind=AssetKind.MODEL))
    with pytest.raises(Conflict, match="version '1' of 'taxi' exists already"):
        add(store, workspace, an_asset())


def test_of_two_who_create_a_version_at_once_one_wins(store: Store, workspace: int) -> None:
    barrier = Barrier(2)

    def create(who: str) -> str:
        barrier.wait(10)
        try:
            add(store, workspace, an_asset(created_by=who))
        except Conflict:
            return "conflict"
        return who

    with ThreadPoolExecutor(2) as pool:
        outcome = sorted(pool.map(create, ["ann", "bob"]))
    assert outcome in (["ann", "conflict"], ["bob", "conflict"])
    assert versions(store, workspace) == ["1"]


def test_what_does_not_exist_is_not_found(store: Store, workspace: int) -> None:
    (one,) = add(store, workspace, an_asset())
    for work in (
        lambda tx: tx.assets.get(workspace, DATA, "taxi", "2"),
        lambda tx: tx.assets.get(workspace, AssetKind.MODEL, "taxi", "1"),
        lambda tx: tx.assets.container(workspace, DATA, "bus"),
        lambda tx: tx.assets.resolve(workspace, DATA, "bus", "latest"),
        lambda tx: tx.assets.resolve(workspace, DATA, "taxi", "production"),
        lambda tx: tx.assets.update(msgspec.structs.replace(one, id=99)),
        lambda tx: tx.assets.set_stage(workspace, DATA, "bus", Stage.ARCHIVED),
        lambda tx: tx.assets.delete(workspace, DATA, "taxi", "2"),
    ):
        with pytest.raises(NotFound):
            store.write(work)
    assert store.read(lambda tx: tx.assets.by_digest(workspace, DATA, "none")) is None


def test_latest_is_the_active_version_created_last(store: Store, workspace: int) -> None:
    add(store, workspace, an_asset(version="9"), an_asset(version="2"), an_asset(version="b"))
    last = store.read(lambda tx: tx.assets.get(workspace, DATA, "taxi", "b"))
    store.write(lambda tx: tx.assets.update(msgspec.structs.replace(last, stage=Stage.ARCHIVED)))
    found = store.read(lambda tx: tx.assets.resolve(workspace, DATA, "taxi", "Latest"))
    assert found.version == "2"
    assert container(store, workspace).latest == "2"


def test_a_name_knows_its_latest_and_its_next_version(store: Store, workspace: int) -> None:
    add(store, workspace, an_asset(version="9"), an_asset(version="x"), an_asset(version="2"))
    assert container(store, workspace) == Container(
        kind=DATA, name="taxi", latest="2", next="10", stage=Stage.ACTIVE,
        created_at=NOW, created_by="ann",
    )  # fmt: skip


def test_a_version_too_long_for_a_number_does_not_count(store: Store, workspace: int) -> None:
    add(store, workspace, an_asset(version="3"), an_asset(version="9" * 40))
    assert container(store, workspace).next == "4"


def test_the_first_of_names_without_numbers_is_next_1(store: Store, workspace: int) -> None:
    add(store, workspace, an_asset(version="alpha"))
    assert container(store, workspace).next == "1"


def test_versions_are_listed_newest_first_and_by_stage(store: Store, workspace: int) -> None:
    add(store, workspace, an_asset(version="1"), an_asset(version="2", stage=Stage.ARCHIVED))
    add(store, workspace, an_asset(version="3"))
    assert versions(store, workspace) == ["3", "2", "1"]
    assert versions(store, workspace, Stage.ACTIVE) == ["3", "1"]
    assert versions(store, workspace, Stage.ARCHIVED) == ["2"]
    assert versions(store, workspace, Stage.ACTIVE, Stage.ARCHIVED) == ["3", "2", "1"]


def test_pages_of_versions_do_not_move_when_some_are_added(store: Store, workspace: int) -> None:
    add(store, workspace, *[an_asset(version=str(i)) for i in range(5)])
    seen: list[str] = []
    after = None
    while True:
        page = Page(limit=2, after=after)
        part = store.read(
            lambda tx, p=page: tx.assets.versions(workspace, DATA, "taxi", [Stage.ACTIVE], p)
        )
        seen += [item.version for item in part.items]
        add(store, workspace, an_asset(version=f"new-{len(seen)}"))
        if (after := part.next) is None:
            break
    assert seen == ["4", "3", "2", "1", "0"]


def test_a_paging_token_of_another_list_is_refused(store: Store, workspace: int) -> None:
    page = Page(after="x'; DROP")
    with pytest.raises(InvalidInput, match="paging token"):
        store.read(lambda tx: tx.assets.versions(workspace, DATA, "taxi", [], page))


def test_containers_are_listed_by_name_and_stage(store: Store, workspace: int) -> None:
    add(store, workspace, an_asset("c"), an_asset("a"), an_asset("B"), an_asset("a", "2"))
    add(store, workspace, an_asset("hidden", anonymous=True), an_asset("m", kind=AssetKind.MODEL))
    store.write(lambda tx: tx.assets.set_stage(workspace, DATA, "a", Stage.ARCHIVED))

    def names(stages: list[Stage], page: Page) -> tuple[list[str], str | None]:
        part = store.read(lambda tx: tx.assets.containers(workspace, DATA, stages, page))
        return [item.name for item in part.items], part.next

    assert names([], Page()) == (["B", "a", "c"], None)
    assert names([Stage.ACTIVE], Page(limit=1)) == (["B"], "B")
    assert names([Stage.ACTIVE], Page(limit=1, after="B")) == (["c"], None)
    assert names([Stage.ARCHIVED], Page()) == (["a"], None)


def test_a_name_is_archived_only_with_all_its_versions(store: Store, workspace: int) -> None:
    one, _ = add(store, workspace, an_asset(version="1"), an_asset(version="2"))
    store.write(lambda tx: tx.assets.update(msgspec.structs.replace(one, stage=Stage.ARCHIVED)))
    assert container(store, workspace).stage is Stage.ACTIVE
    store.write(lambda tx: tx.assets.set_stage(workspace, DATA, "taxi", Stage.ARCHIVED))
    assert container(store, workspace).stage is Stage.ARCHIVED
    assert container(store, workspace).latest == "2"
    store.write(lambda tx: tx.assets.set_stage(workspace, DATA, "taxi", Stage.ACTIVE))
    assert versions(store, workspace, Stage.ACTIVE) == ["2", "1"]


def test_an_update_changes_the_body_and_not_the_creation(store: Store, workspace: int) -> None:
    (one,) = add(store, workspace, an_asset(body={"a": 1}))
    new = msgspec.structs.replace(one, body={"a": 2}, created_by="bob", modified_at=LATER)
    store.write(lambda tx: tx.assets.update(new))
    found = store.read(lambda tx: tx.assets.get(workspace, DATA, "taxi", "1"))
    assert found == msgspec.structs.replace(new, created_by="ann")


def test_a_deleted_version_is_gone(store: Store, workspace: int) -> None:
    add(store, workspace, an_asset(version="1"), an_asset(version="2"))
    store.write(lambda tx: tx.assets.delete(workspace, DATA, "taxi", "2"))
    assert versions(store, workspace) == ["1"]
