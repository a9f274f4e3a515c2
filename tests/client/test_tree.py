import os
import time
from pathlib import Path

import pytest
from blake3 import blake3

from lazulite.client import tree
from lazulite.client.tree import DigestCache, code_files, data_files
from lazulite.domain.errors import InvalidInput


def make(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def names(folder: Path, *includes: Path) -> list[str]:
    return [file.path for file in code_files(folder, includes)]


def test_every_file_is_found_in_order(tmp_path: Path) -> None:
    make(tmp_path, b="1", a__c="2")
    assert names(tmp_path) == ["a/c", "b"]


def test_amlignore_beats_gitignore(tmp_path: Path) -> None:
    make(tmp_path, a_DOT_log="", b_DOT_txt="", keep="")
    (tmp_path / ".gitignore").write_text("*.log\n")
    assert names(tmp_path) == [".gitignore", "b.txt", "keep"]
    (tmp_path / ".amlignore").write_text("*.txt\n")
    assert names(tmp_path) == [".amlignore", ".gitignore", "a.log", "keep"]


def test_ignored_folders_are_left_out_and_exceptions_kept(tmp_path: Path) -> None:
    make(tmp_path, data__big="", out__x="", out__keep="", src__data__y="")
    (tmp_path / ".amlignore").write_text("/data/\nout/*\n!out/keep\n")
    assert names(tmp_path) == [".amlignore", "out/keep", "src/data/y"]


def test_what_python_and_git_leave_behind_is_never_sent(tmp_path: Path) -> None:
    make(tmp_path, a="", __pycache__="", x__pyc="")
    (tmp_path / "b.pyc").write_text("")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("")
    assert "b.pyc" not in names(tmp_path)
    assert not [name for name in names(tmp_path) if name.startswith(".git/")]


def test_data_is_sent_whole(tmp_path: Path) -> None:
    make(tmp_path, a_DOT_pyc="")
    (tmp_path / ".amlignore").write_text("*")
    assert [file.path for file in data_files(tmp_path)] == [".amlignore", "a.pyc"]
    assert [file.path for file in data_files(tmp_path / "a.pyc")] == ["a.pyc"]


def test_includes_are_put_at_the_root_with_their_own_ignores(tmp_path: Path) -> None:
    code = make(tmp_path / "code", main="")
    shared = make(tmp_path / "shared", util="", junk="")
    (shared / ".amlignore").write_text("junk\n.amlignore\n")
    make(tmp_path, lone="")
    assert names(code, shared, tmp_path / "lone") == ["lone", "main", "shared/util"]
    make(code, shared__x="")
    with pytest.raises(InvalidInput, match="'shared' is in the code folder"):
        code_files(code, (shared,))


def test_a_symlink_inside_is_followed_and_one_that_leaves_is_refused(tmp_path: Path) -> None:
    code = make(tmp_path / "code", a="1")
    (code / "link").symlink_to("a")
    assert names(code) == ["a", "link"]
    (code / "out").symlink_to(tmp_path)
    with pytest.raises(InvalidInput, match="leads out of the folder"):
        code_files(code, ())
    (code / ".amlignore").write_text("out\n")
    assert names(code) == [".amlignore", "a", "link"]


def test_a_symlink_in_a_circle_is_refused(tmp_path: Path) -> None:
    make(tmp_path, a__b="")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    with pytest.raises(InvalidInput, match="circle"):
        code_files(tmp_path, ())


def test_a_name_that_is_not_text_is_refused(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")).write_text("")
    with pytest.raises(InvalidInput, match="not UTF-8"):
        code_files(tmp_path, ())


def test_executables_are_marked(tmp_path: Path) -> None:
    make(tmp_path, run="", text="")
    (tmp_path / "run").chmod(0o755)
    assert [file.executable for file in code_files(tmp_path, ())] == [True, False]


def age(folder: Path) -> None:
    then = time.time() - 60
    for path in folder.rglob("*"):
        os.utime(path, (then, then))


def test_digests_are_blake3_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = make(tmp_path / "code", a="1", b="2")
    age(code)
    cache, files = DigestCache(tmp_path / "cache"), code_files(code, ())
    first = cache.digest(code, files)
    assert first[0].digest == blake3(b"1").hexdigest()
    monkeypatch.setattr(tree, "_hash", None)  # nothing may be read now
    assert cache.digest(code, files) == first


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    code = make(tmp_path / "code", a="1", b="2")
    age(code)
    cache = DigestCache(tmp_path / "cache")
    cache.digest(code, code_files(code, ()))
    make(code, a="3")
    assert cache.digest(code, code_files(code, ()))[0].digest == blake3(b"3").hexdigest()


def test_a_file_of_this_moment_is_not_trusted_next_time(tmp_path: Path) -> None:
    code = make(tmp_path / "code", a="1")
    cache = DigestCache(tmp_path / "cache")
    cache.digest(code, code_files(code, ()))
    (store,) = (tmp_path / "cache").iterdir()
    assert store.read_text() == "{}"


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    code = make(tmp_path / "code", a="1")
    make(tmp_path, cache="a file in the way")
    cache = DigestCache(tmp_path / "cache" / "digests")
    assert cache.digest(code, code_files(code, ()))[0].digest == blake3(b"1").hexdigest()


def test_a_large_file_has_the_same_digest(tmp_path: Path) -> None:
    content = b"x" * (9 * 1024 * 1024)
    (tmp_path / "big").write_bytes(content)
    (file,) = data_files(tmp_path)
    assert DigestCache(tmp_path / "c").digest(tmp_path, [file])[0].digest == (
        blake3(content).hexdigest()
    )
