import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lazulite.client import home
from lazulite.client.rest import Unreachable
from lazulite.config import Settings
from lazulite.domain.errors import Denied, InvalidInput, Unavailable

ABOUT = {
    "http": "http://127.0.0.1:1",
    "https": "https://127.0.0.1:2",
    "version": "0",
    "started": "",
}
HOLDER = """
import fcntl, json, os, pathlib, signal, sys
home = pathlib.Path(sys.argv[1])
lock = (home / "server.lock").open("a+")
fcntl.flock(lock, fcntl.LOCK_EX)
about = json.loads(sys.argv[2]) | {"pid": os.getpid()}
(home / "server.json").write_text(json.dumps(about))
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
print("ready", flush=True)
signal.sigwait({signal.SIGTERM})
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, http_port=0, https_port=0)


@contextmanager
def holder(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the home as a server does."""
    command = [sys.executable, "-c", HOLDER, str(settings.home), json.dumps(ABOUT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def test_no_file_means_no_server(settings: Settings) -> None:
    assert home.running(settings) is None
    assert home.stop(settings) is None
    with pytest.raises(Unreachable, match="no server runs for"):
        home.require(settings)


def test_a_server_that_holds_its_home_is_found_and_stopped(settings: Settings) -> None:
    with holder(settings) as process:
        found = home.running(settings)
        assert found is not None
        assert (found.pid, found.http) == (process.pid, "http://127.0.0.1:1")
        stopped = home.stop(settings)
        assert stopped == found
        assert process.wait(5) == 0


def test_a_file_left_by_a_killed_server_is_not_believed(settings: Settings) -> None:
    with holder(settings) as process:
        process.kill()
        process.wait(5)
        assert settings.server_file.exists()
        assert home.running(settings) is None


def test_a_file_whose_process_is_another_one_is_not_believed(settings: Settings) -> None:
    settings.server_file.write_text(json.dumps({**ABOUT, "pid": os.getpid()}))
    settings.lock_file.touch()
    assert home.running(settings) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}'])
def test_a_broken_file_is_no_server(settings: Settings, text: str) -> None:
    settings.server_file.write_text(text)
    assert home.running(settings) is None


def test_a_server_that_ends_at_once_is_told_with_its_last_words(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (settings.home / "tls").write_text("in the way of the server's folder")
    with pytest.raises(Unavailable, match=r"ended with code \d+: .*server\.log"):
        home.start(settings, ("--port", "0", "--https-port", "0"))
    assert settings.server_log.stat().st_mode & 0o077 == 0


def test_a_home_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="no server can be started in"):
        home.start(Settings(home=tmp_path / "file" / "home"))


def test_a_server_elsewhere_is_named_by_variables(settings: Settings) -> None:
    environ = {"LAZULITE_URL": "https://host:1/", "LAZULITE_TOKEN": "t"}
    found = home.address(settings, environ, pytest.fail)
    assert (found.url, found.token) == ("https://host:1", "t")
    with pytest.raises(InvalidInput, match="LAZULITE_TOKEN"):
        home.address(settings, {"LAZULITE_URL": "https://host:1"}, pytest.fail)


@pytest.mark.parametrize("url", ["nonsense", "ftp://a", "http://h:x", "http://h:1/ws/other"])
def test_an_address_that_is_none_is_told(settings: Settings, url: str) -> None:
    with pytest.raises(InvalidInput, match="is no address such as"):
        home.address(settings, {"LAZULITE_URL": url, "LAZULITE_TOKEN": "t"}, pytest.fail)


def test_a_token_that_cannot_be_read_is_told(settings: Settings) -> None:
    with pytest.raises(Denied, match="token"):
        home.token_of(settings)


def test_a_held_lock_without_a_file_is_a_server_that_starts(settings: Settings) -> None:
    with settings.lock_file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert home.is_held(settings)
        assert home.running(settings) is None
    assert not home.is_held(settings)


def test_this_process_is_alive_and_a_dead_one_is_not() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert home.is_alive(os.getpid())
    assert not home.is_alive(process.pid)
