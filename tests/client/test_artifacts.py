"""Files of a run, up and down, on a live server: what is there is not sent again."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lazulite.client import artifact_download, artifacts
from lazulite.client.rest import Address, Connection
from lazulite.client.session import Session
from lazulite.config import read_settings
from lazulite.domain.access import OWNER
from lazulite.domain.errors import Conflict, InvalidInput, NotFound, Unavailable
from lazulite.domain.ids import DEFAULT_WORKSPACE
from lazulite.services import tracking
from tests.wire.live import Live, live_server

SIZE = 3 * artifacts.PART + 12_345


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_server(tmp_path_factory.mktemp("files")) as live:
        yield live


Open = Callable[[str], Session]


@pytest.fixture
def open_session(server: Live, tmp_path: Path) -> Iterator[Open]:
    made: list[Session] = []

    def open_(url: str) -> Session:
        address = Address(url, server.tokens.owner)
        settings = read_settings({"LAZULITE_HOME": str(tmp_path / "home")})
        made.append(Session(Connection(address), DEFAULT_WORKSPACE, settings))
        return made[-1]

    yield open_
    for session in made:
        session.close()


@pytest.fixture
def session(server: Live, open_session: Open) -> Session:
    return open_session(server.http)


@pytest.fixture
def run(server: Live) -> str:
    draft = tracking.RunDraft()
    return tracking.start(server.services, DEFAULT_WORKSPACE, draft, OWNER).head.name


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "largé #1?.bin"
    path.write_bytes(os.urandom(SIZE))
    return path


class Proxy:
    """Carries bytes between clients and the server until `limit` came from one side; then cuts."""

    def __init__(self, target: str, *, up: int | None = None, down: int | None = None) -> None:
        parts = urlsplit(target)
        self._target = (str(parts.hostname), int(parts.port or 0))
        self._left = {"up": up, "down": down}
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._start(self._accept)

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            server = socket.create_connection(self._target)
            self._sockets += [client, server]
            self._start(self._carry, client, server, "up")
            self._start(self._carry, server, client, "down")

    def _carry(self, source: socket.socket, target: socket.socket, way: str) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not self._may(way, len(data)):
                    break
                target.sendall(data)
        for one in (source, target):
            _hang_up(one)

    def _may(self, way: str, size: int) -> bool:
        with self._lock:
            left = self._left[way]
            if left is None:
                return True
            self._left[way] = max(0, left - size)
            return left > 0

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(10)
        self._listener.close()
        for one in self._sockets:
            _hang_up(one)
        for thread in self._threads:
            thread.join(10)


def _hang_up(one: socket.socket) -> None:
    """Close a socket as a process that is killed does, and wake who reads from it."""
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


def back(session: Session, run: str, path: str, tmp_path: Path) -> bytes:
    artifact_download.download(session, run, path, tmp_path / "back")
    return (tmp_path / "back" / path).read_bytes()


def test_a_large_file_goes_up_and_down(
    session: Session, run: str, large: Path, tmp_path: Path
) -> None:
    moved = artifacts.upload(session, run, large, "a/b")
    assert moved == (1, SIZE, SIZE)
    assert back(session, run, f"a/b/{large.name}", tmp_path) == large.read_bytes()


def test_a_folder_goes_up_and_only_what_changed_goes_again(
    session: Session, run: str, tmp_path: Path, large: Path
) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "empty").write_bytes(b"")
    (folder / "sub" / "x.txt").write_text("x")
    large.rename(folder / "large")
    (folder / "broken").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    assert artifacts.upload(session, run, folder, "f") == (3, SIZE + 1, SIZE + 1)
    assert artifacts.upload(session, run, folder, "f").sent == 0
    (folder / "sub" / "x.txt").write_text("yy")
    assert artifacts.upload(session, run, folder, "f").sent == 2
    got = artifact_download.download(session, run, "f", tmp_path / "to")
    assert (got.files, got.size) == (3, SIZE + 2)
    assert (tmp_path / "to/f/sub/x.txt").read_text() == "yy"
    assert artifact_download.download(session, run, "", tmp_path / "to").sent == 0


def test_an_upload_that_was_cut_sends_the_rest(
    server: Live, open_session: Open, session: Session, run: str, large: Path, tmp_path: Path
) -> None:
    proxy = Proxy(server.http, up=2 * artifacts.PART + 100_000)
    with closing(proxy), pytest.raises(Unavailable):
        artifacts.upload(open_session(proxy.url), run, large)
    said: list[str] = []
    moved = artifacts.upload(session, run, large, say=said.append)
    assert 0 < moved.sent < SIZE
    assert "parts are there already" in said[-1]
    assert back(session, run, large.name, tmp_path) == large.read_bytes()


def test_a_download_that_was_cut_brings_the_rest(
    server: Live, open_session: Open, session: Session, run: str, large: Path, tmp_path: Path
) -> None:
    artifacts.upload(session, run, large)
    target = tmp_path / "to"
    proxy = Proxy(server.http, down=SIZE // 2)
    with closing(proxy), pytest.raises(Unavailable):
        artifact_download.download(open_session(proxy.url), run, large.name, target)
    assert not (target / large.name).exists()
    moved = artifact_download.download(session, run, "", target)
    assert 0 < moved.sent < SIZE
    assert (target / large.name).read_bytes() == large.read_bytes()
    assert [one.name for one in target.iterdir()] == [large.name]


def test_what_was_replaced_meanwhile_is_brought_anew(
    server: Live, open_session: Open, session: Session, run: str, large: Path, tmp_path: Path
) -> None:
    artifacts.upload(session, run, large)
    proxy = Proxy(server.http, down=SIZE // 2)
    with closing(proxy), pytest.raises(Unavailable):
        artifact_download.download(open_session(proxy.url), run, large.name, tmp_path / "to")
    large.write_bytes(os.urandom(SIZE))
    artifacts.upload(session, run, large)
    moved = artifact_download.download(session, run, large.name, tmp_path / "to")
    assert moved.sent == SIZE
    assert (tmp_path / "to" / large.name).read_bytes() == large.read_bytes()


def test_a_part_file_that_was_damaged_is_noticed(
    server: Live, open_session: Open, session: Session, run: str, large: Path, tmp_path: Path
) -> None:
    artifacts.upload(session, run, large)
    target = tmp_path / "to"
    proxy = Proxy(server.http, down=SIZE // 2)
    with closing(proxy), pytest.raises(Unavailable):
        artifact_download.download(open_session(proxy.url), run, large.name, target)
    [part] = target.iterdir()
    with part.open("r+b") as stream:
        stream.write(b"damage")
    artifact_download.download(session, run, large.name, target)
    assert (target / large.name).read_bytes() == large.read_bytes()


def test_a_file_that_changes_while_it_is_sent_is_refused(
    session: Session, run: str, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = artifacts.digest_of

    def digest_then_change(path: Path) -> str:
        found = real(path)
        with path.open("r+b") as stream:
            stream.write(b"changed")
        return found

    monkeypatch.setattr(artifacts, "digest_of", digest_then_change)
    with pytest.raises(InvalidInput, match="changed while it was sent"):
        artifacts.upload(session, run, large)
    assert list(artifact_download.runs.artifacts(session, run)) == []


def test_two_downloads_do_not_write_one_file(
    session: Session, run: str, large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifacts.upload(session, run, large)
    real = artifact_download._receive

    def second(*args: object) -> int:
        monkeypatch.setattr(artifact_download, "_receive", real)
        with pytest.raises(Conflict, match="another process"):
            artifact_download.download(session.connection and session, run, "", tmp_path / "to")
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(artifact_download, "_receive", second)
    artifact_download.download(session, run, "", tmp_path / "to")
    assert (tmp_path / "to" / large.name).read_bytes() == large.read_bytes()


def test_what_is_not_there_is_told(session: Session, run: str, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no file or folder"):
        artifacts.upload(session, run, tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFound, match="no file in the folder"):
        artifacts.upload(session, run, tmp_path / "empty")
    with pytest.raises(NotFound, match="has no artifact 'none'"):
        artifact_download.download(session, run, "none", tmp_path)
    with pytest.raises(NotFound):
        artifact_download.download(session, "nobody", "", tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotFound, match="nobody"):
        artifacts.upload(session, "nobody", tmp_path / "file")
    artifacts.upload(session, run, tmp_path / "file")
    (tmp_path / "way").write_text("in the way")
    with pytest.raises(Conflict, match="in the way"):
        artifact_download.download(session, run, "", tmp_path / "way")
