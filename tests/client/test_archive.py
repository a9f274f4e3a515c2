import os
from pathlib import Path
from zipfile import ZipFile

import pytest

from lazulite.client.archive import pack
from lazulite.client.session import Session
from lazulite.client.upload import upload_code
from tests.client.fake import Fake
from tests.client.test_upload import Store


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "util.py").write_text("x = 1")
    (folder / "run.sh").write_text("echo")
    (folder / "run.sh").chmod(0o755)
    return folder


def test_an_archive_holds_the_folder_under_its_name(tmp_path: Path, shared: Path) -> None:
    with ZipFile(pack(shared, tmp_path / "cache")) as archive:
        assert archive.namelist() == ["shared/deep/util.py", "shared/run.sh"]
        assert archive.getinfo("shared/run.sh").external_attr >> 16 == 0o755


def test_the_same_files_make_the_same_bytes(tmp_path: Path, shared: Path) -> None:
    first = pack(shared, tmp_path / "cache").read_bytes()
    os.utime(shared / "run.sh", (1, 1))
    assert pack(shared, tmp_path / "cache").read_bytes() == first


def test_what_is_ignored_is_not_packed(tmp_path: Path, shared: Path) -> None:
    (shared / ".amlignore").write_text("deep\n.amlignore\n")
    with ZipFile(pack(shared, tmp_path / "cache")) as archive:
        assert archive.namelist() == ["shared/run.sh"]


def test_an_archive_that_is_not_there_goes_with_the_code(
    tmp_path: Path, shared: Path, fake: Fake, session: Session
) -> None:
    store = Store(fake)
    code = tmp_path / "code"
    code.mkdir()
    (code / "main.py").write_text("")
    upload_code(session, code, (shared.with_suffix(".zip"),))
    assert [entry[0] for entry in store.trees[-1]["entries"]] == ["main.py", "shared.zip"]
