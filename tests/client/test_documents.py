from pathlib import Path

import pytest

from lazulite.client.documents import LocalFiles
from lazulite.domain.errors import InvalidInput
from lazulite.formats.yaml.document import Node

TEXT = b"a: &x {b: [1, 0.10, true, null, .inf], c: text}\nd:\n  <<: *x\n  e: *x\n"


@pytest.fixture
def files(tmp_path: Path) -> LocalFiles:
    return LocalFiles(tmp_path / "cache")


def told(node: Node) -> object:
    """Everything the readers of a document ask of it."""
    if isinstance(node.value, dict):
        return node.line, node.lines, {key: told(one) for key, one in node.value.items()}
    if isinstance(node.value, list):
        return node.line, [told(one) for one in node.value]
    return node.line, node.value, node.text


def test_a_remembered_file_is_the_tree_it_was(files: LocalFiles, tmp_path: Path) -> None:
    first, again = (files.tree(tmp_path / "x.yml", TEXT, "x.yml") for _ in range(2))
    assert first is not again
    assert told(first) == told(again) == told(LocalFiles().tree(tmp_path / "x", TEXT, "x"))


def test_a_changed_file_is_parsed_anew(files: LocalFiles, tmp_path: Path) -> None:
    files.tree(tmp_path / "x.yml", b"a: 1", "x.yml")
    assert files.tree(tmp_path / "x.yml", b"a: 2", "x.yml").plain() == {"a": 2}


def test_a_broken_file_is_told_each_time(files: LocalFiles, tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(InvalidInput, match=r"^x\.yml:3: "):
            files.tree(tmp_path / "x.yml", b"a: 1\nb: [", "x.yml")


def test_without_a_place_to_keep_it_nothing_is_lost(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    files = LocalFiles(tmp_path / "file" / "cache")
    assert files.tree(tmp_path / "x.yml", b"a: 1", "x.yml").plain() == {"a": 1}
