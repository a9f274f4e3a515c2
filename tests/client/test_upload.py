import hashlib
import json
from pathlib import Path

import pytest
from blake3 import blake3

from lazulite.client import upload
from lazulite.client.session import Session
from lazulite.client.upload import upload_code, upload_data
from lazulite.domain.errors import InvalidInput
from tests.client.fake import ARM, Fake, Reply, Request


class Store:
    """What a server does with snapshots."""

    def __init__(self, fake: Fake) -> None:
        self.objects: dict[str, bytes] = {}
        self.trees: list[dict] = []
        fake.own("POST", "snapshots", self.snapshot)
        fake.own("POST", "objects", self.many)
        fake.own("PUT", "objects/.*", self.one)
        fake.arm("PUT", "codes/.*", {})

    def snapshot(self, request: Request) -> Reply:
        draft = request.json
        entries = draft["entries"]
        self.trees.append(draft)
        missing = sorted({entry[1] for entry in entries} - self.objects.keys())
        tree = hashlib.sha256(json.dumps(entries).encode()).hexdigest()
        return Reply({"digest": tree, "missing": missing})

    def many(self, request: Request) -> Reply:
        body = request.body
        while body:
            digest, size = body[:64].decode(), int.from_bytes(body[64:72], "big")
            self.objects[digest] = body[72 : 72 + size]
            body = body[72 + size :]
        return Reply(status=201)

    def one(self, request: Request) -> Reply:
        self.objects[request.path.rsplit("/", 1)[-1]] = request.body
        return Reply(status=201)


@pytest.fixture
def store(fake: Fake) -> Store:
    return Store(fake)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    for number in range(20):
        (folder / f"f{number:02}.py").write_text(str(number))
    return folder


def test_small_files_travel_together(
    fake: Fake, session: Session, store: Store, code: Path
) -> None:
    upload_code(session, code)
    assert [request.path.rsplit("/", 1)[-1] for request in fake.sent("POST")] == [
        "snapshots", "objects", "snapshots",
    ]  # fmt: skip
    assert store.objects[blake3(b"7").hexdigest()] == b"7"


def test_an_unchanged_folder_is_one_question_and_one_put(
    fake: Fake, session: Session, store: Store, code: Path
) -> None:
    first = upload_code(session, code)
    fake.requests.clear()
    assert upload_code(session, code) == first
    assert [request.method for request in fake.requests] == ["POST", "PUT"]


def test_the_code_version_names_the_snapshot(
    fake: Fake, session: Session, store: Store, code: Path
) -> None:
    arm = upload_code(session, code)
    (put,) = fake.sent("PUT")
    uri = put.json["properties"]["codeUri"]
    assert uri.startswith("lazulite://snapshots/")
    assert arm.startswith(f"{ARM}/codes/")
    assert uri.rsplit("/", 1)[-1][:8] in arm


def test_large_files_go_each_on_its_own(
    fake: Fake, session: Session, store: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "big"
    folder.mkdir()
    for name in "ab":
        (folder / name).write_bytes(name.encode() * (upload._SMALL + 1))
    upload_data(session, folder)
    digest = blake3((folder / "a").read_bytes()).hexdigest()
    assert store.objects[digest] == (folder / "a").read_bytes()
    assert len(fake.sent("PUT")) == 2


def test_data_is_materialised_on_the_default_datastore(
    session: Session, store: Store, code: Path
) -> None:
    uri = upload_data(session, code)
    place = store.trees[-1]
    assert place["datastore"] == "workspaceblobstore"
    assert uri == f"azureml://datastores/workspaceblobstore/paths/{place['path']}"
    assert place["path"].endswith("/code")


def test_a_data_file_lies_in_a_folder_of_its_own(
    session: Session, store: Store, code: Path
) -> None:
    uri = upload_data(session, code / "f00.py")
    assert uri.endswith(f"{store.trees[-1]['path']}/f00.py")


def test_what_changes_while_it_is_sent_is_told(
    fake: Fake, session: Session, store: Store, code: Path
) -> None:
    fake.own("POST", "objects", Reply(status=201))  # nothing arrives as it was announced
    with pytest.raises(InvalidInput, match="changed while it was being sent"):
        upload_code(session, code)


def test_a_folder_of_nothing_is_refused(session: Session, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match="has no files"):
        upload_code(session, tmp_path / "empty")
    with pytest.raises(InvalidInput, match="is empty"):
        upload_data(session, tmp_path / "empty")
