"""Computes and datastores, on both databases."""

from __future__ import annotations

import msgspec
import pytest
from tests.records import LATER, a_compute, a_datastore

from lazulite.domain.errors import Conflict, NotFound
from lazulite.ports.store import Page, Store


def test_a_compute_comes_back_as_it_was_put(store: Store, workspace: int) -> None:
    given = a_compute(body={"a": [1]}, tags={"t": "v"}, slots=3, stopped=True)
    stored = store.write(lambda tx: tx.computes.put(workspace, given))
    assert stored == msgspec.structs.replace(given, id=stored.id)
    assert store.read(lambda tx: tx.computes.get(workspace, "cpu")) == stored


def test_a_replaced_compute_keeps_its_row_spelling_and_creation(
    store: Store, workspace: int
) -> None:
    old = store.write(lambda tx: tx.computes.put(workspace, a_compute("Gpu", slots=1)))
    new = a_compute("GPU", slots=None, created_by="bob", modified_at=LATER, body={"b": 1})
    store.write(lambda tx: tx.computes.put(workspace, new))
    found = store.read(lambda tx: tx.computes.get(workspace, "gpu"))
    assert found == msgspec.structs.replace(new, id=old.id, name="Gpu", created_by="ann")


def test_computes_are_paged_by_name(store: Store, workspace: int) -> None:
    for name in ("b", "A", "c"):
        store.write(lambda tx, n=name: tx.computes.put(workspace, a_compute(n)))
    first = store.read(lambda tx: tx.computes.page(workspace, Page(limit=2)))
    rest = store.read(lambda tx: tx.computes.page(workspace, Page(limit=2, after=first.next)))
    assert [item.name for item in first.items + rest.items] == ["A", "b", "c"]
    assert rest.next is None


def test_a_deleted_compute_is_not_found(store: Store, workspace: int) -> None:
    store.write(lambda tx: tx.computes.put(workspace, a_compute("Gpu")))
    store.write(lambda tx: tx.computes.delete(workspace, "gPU"))
    with pytest.raises(NotFound, match="'Gpu'"):
        store.read(lambda tx: tx.computes.get(workspace, "Gpu"))
    with pytest.raises(NotFound):
        store.write(lambda tx: tx.computes.delete(workspace, "Gpu"))


def test_what_belongs_to_no_workspace_is_a_conflict(store: Store) -> None:
    with pytest.raises(Conflict, match="deleted meanwhile"):
        store.write(lambda tx: tx.computes.put(99, a_compute()))


def test_a_datastore_never_shows_its_secrets(store: Store, workspace: int) -> None:
    given = a_datastore("Blob", body={"accountName": "a"}, secrets={"key": "s3cret"})
    put = store.write(lambda tx: tx.datastores.put(workspace, given))
    got = store.read(lambda tx: tx.datastores.get(workspace, "blob"))
    listed = store.read(lambda tx: tx.datastores.page(workspace, Page()))
    assert put == got == listed.items[0]
    assert got == msgspec.structs.replace(given, id=put.id, secrets=None)
    assert store.read(lambda tx: tx.datastores.secrets(workspace, "BLOB")) == {"key": "s3cret"}


def test_secrets_are_kept_replaced_or_dropped(store: Store, workspace: int) -> None:
    def put_and_read(secrets: dict[str, str] | None) -> dict[str, str] | None:
        given = a_datastore(secrets=secrets)
        store.write(lambda tx: tx.datastores.put(workspace, given))
        return store.read(lambda tx: tx.datastores.secrets(workspace, "blob"))

    assert put_and_read(None) is None
    assert put_and_read({"key": "1"}) == {"key": "1"}
    assert put_and_read(None) == {"key": "1"}
    assert put_and_read({"key": "2"}) == {"key": "2"}
    assert put_and_read({}) is None


def test_a_deleted_datastore_is_not_found(store: Store, workspace: int) -> None:
    store.write(lambda tx: tx.datastores.put(workspace, a_datastore(secrets={"key": "1"})))
    store.write(lambda tx: tx.datastores.delete(workspace, "Blob"))
    for work in (
        lambda tx: tx.datastores.get(workspace, "blob"),
        lambda tx: tx.datastores.secrets(workspace, "blob"),
        lambda tx: tx.datastores.delete(workspace, "blob"),
    ):
        with pytest.raises(NotFound):
            store.write(work)
    store.write(lambda tx: tx.datastores.put(workspace, a_datastore()))
    assert store.read(lambda tx: tx.datastores.secrets(workspace, "blob")) is None


def test_datastores_are_paged_by_name(store: Store, workspace: int) -> None:
    for name in ("b", "A", "c"):
        store.write(lambda tx, n=name: tx.datastores.put(workspace, a_datastore(n)))
    first = store.read(lambda tx: tx.datastores.page(workspace, Page(limit=2)))
    rest = store.read(lambda tx: tx.datastores.page(workspace, Page(limit=2, after=first.next)))
    assert [item.name for item in first.items + rest.items] == ["A", "b", "c"]
