"""Small files that save time."""

from __future__ import annotations

from pathlib import Path

from lazulite.client import cache


def test_what_is_kept_comes_back_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    store = cache.place(tmp_path / "kept", "key")
    cache.save(store, {"password": "ü"})
    assert cache.load(store) == {"password": "ü"}
    assert [one.stat().st_mode & 0o077 for one in (store, store.parent)] == [0, 0]


def test_a_file_that_cannot_be_read_keeps_nothing(tmp_path: Path) -> None:
    store = cache.place(tmp_path, "key")
    assert cache.load(store) == {}
    store.write_text("[1]")
    assert cache.load(store) == {}
