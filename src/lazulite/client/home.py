"""The server of a home: find it, start it in the background, stop it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from lazulite.client.rest import Address, Unreachable
from lazulite.config import Settings
from lazulite.domain.errors import Conflict, Denied, InvalidInput, Unavailable

if TYPE_CHECKING:
    import subprocess

START_WAIT = 30.0  # seconds until a new server must be ready
STOP_WAIT = 30.0  # seconds until a server told to stop must be gone
_LOOK = 0.02  # seconds between two looks while a server starts
_STARTED: set[int] = set()  # pids of the servers that this process started
_QUIET = ("PYTHONDONTWRITEBYTECODE",)  # would make every import of the server and of jobs slower


class Server(NamedTuple):
    """A running server, as its file says."""

    pid: int
    http: str
    https: str
    version: str
    started: str


def running(settings: Settings) -> Server | None:
    """Return the server that holds the home, None if none is up and ready."""
    try:
        found = json.loads(settings.server_file.read_bytes())
        server = Server(**{key: found[key] for key in Server._fields})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return server if is_held(settings) and is_alive(server.pid) else None


def is_held(settings: Settings) -> bool:
    """Say whether a server lives in this home, ready or not."""
    import fcntl

    try:
        with settings.lock_file.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def is_alive(pid: int) -> bool:
    """Say whether a process exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def address(settings: Settings, environ: Mapping[str, str], say: Callable[[str], None]) -> Address:
    """Return where the server is: `LAZULITE_URL`'s, else the home's, which is started if need be.

    Args:
        settings: of the home.
        environ: `LAZULITE_URL` and `LAZULITE_TOKEN` name a server elsewhere.
        say: told once when a server was started.

    Raises:
        Unavailable: it does not start.
        InvalidInput: `LAZULITE_URL` or what goes with it is not what it should be.
    """
    if url := environ.get("LAZULITE_URL"):
        names = ("LAZULITE_TOKEN", "LAZULITE_CA_BUNDLE")
        return _elsewhere(url, *(environ.get(name) for name in names))
    server = running(settings)
    if server is None:
        server = start(settings)
        if server.pid in _STARTED:  # else another command was faster
            say(
                f"started Lazulite at {server.http} (home {settings.home}; stop it with "
                "`lazulite down`)"
            )
    return Address(url=server.http, token=token_of(settings))


def _elsewhere(url: str, token: str | None, ca: str | None) -> Address:
    """Return the address that the variables name."""
    if not token:
        raise InvalidInput("LAZULITE_URL is set: set LAZULITE_TOKEN too", path="LAZULITE_TOKEN")
    if not (token.isascii() and token.isprintable()):
        raise InvalidInput(
            "LAZULITE_TOKEN is no token: it has characters that none has, such as an end of line",
            path="LAZULITE_TOKEN",
        )
    if not _is_address(url):
        raise InvalidInput(
            f"LAZULITE_URL={url!r} is no address such as https://lazulite.example:5443 "
            "(a workspace is named by -w or `lazulite configure`)",
            path="LAZULITE_URL",
        )
    if ca and not Path(ca).is_file():
        raise InvalidInput(
            f"LAZULITE_CA_BUNDLE={ca!r} is no file: name the PEM file of the roots to trust",
            path="LAZULITE_CA_BUNDLE",
        )
    return Address(url=url.rstrip("/"), token=token, ca=Path(ca) if ca else None)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    bare = parts.path in ("", "/") and not parts.query and not parts.fragment
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0 and bare


def token_of(settings: Settings) -> str:
    """Return the owner's token.

    Raises:
        Denied: the file is not readable by this user.
    """
    try:
        return settings.token_file.read_text().strip()
    except OSError as error:
        raise Denied(
            f"the token of the server cannot be read: {settings.token_file}: {error.strerror}"
        ) from None


def start(settings: Settings, extra: tuple[str, ...] = ()) -> Server:
    """Start a server for the home in the background and wait until it is ready.

    Args:
        settings: of the home.
        extra: further options of `lazulite up`.

    Raises:
        Unavailable: it ended, or was not ready in time; the message has its last words.
    """
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        with os.fdopen(os.open(settings.server_log, flags, 0o600), "ab") as log:
            begin = log.tell()
            process = _spawn(settings, extra, log.fileno())
    except OSError as error:
        raise Unavailable(
            f"no server can be started in {settings.home}: {error.strerror}; "
            "choose another home with LAZULITE_HOME"
        ) from None
    deadline = time.monotonic() + START_WAIT
    while time.monotonic() < deadline:
        server = running(settings)
        if server is not None:
            _STARTED.add(process.pid)
            process.returncode = 0  # it outlives us: a Popen dropped without one complains
            return server
        if process.poll() is not None and not is_held(settings):
            break
        time.sleep(_LOOK)
    raise Unavailable(_why_not(settings, begin, process.poll()))


def _spawn(settings: Settings, extra: tuple[str, ...], log: int) -> subprocess.Popen[bytes]:
    import subprocess

    environ = {key: value for key, value in os.environ.items() if key not in _QUIET}
    environ["LAZULITE_HOME"] = str(settings.home)
    return subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "lazulite.cli", "up", "--home", str(settings.home), *extra],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd=settings.home,
        env=environ,
        start_new_session=True,
    )


def _why_not(settings: Settings, begin: int, code: int | None) -> str:
    with settings.server_log.open("rb") as log:
        log.seek(begin)
        words = log.read().decode("utf-8", "replace").strip().splitlines()
    last = words[-1] if words else "it said nothing"
    happened = "was not ready in time" if code is None else f"ended with code {code}"
    return f"the server of {settings.home} {happened}: {last} (log: {settings.server_log})"


def stop(settings: Settings) -> Server | None:
    """Tell the home's server to stop and wait until its process is gone.

    Returns:
        The server that was stopped; None if none ran.

    Raises:
        Conflict: it does not stop.
        Denied: it belongs to another user.
    """
    server = running(settings)
    if server is None:
        return None
    import signal

    try:
        ended = _watch(server.pid)
        os.kill(server.pid, signal.SIGTERM)
    except ProcessLookupError:
        return server
    except PermissionError:
        raise Denied(f"the server (pid {server.pid}) belongs to another user") from None
    if not ended(STOP_WAIT):
        raise Conflict(
            f"the server (pid {server.pid}) did not stop within {STOP_WAIT:g} s; "
            f"see {settings.server_log}"
        )
    return server


def _watch(pid: int) -> Callable[[float], bool]:
    """Return a function that waits until the process ended, at most some seconds."""
    if hasattr(os, "pidfd_open"):
        return _watch_pidfd(os.pidfd_open(pid))

    def poll(seconds: float) -> bool:  # macOS
        deadline = time.monotonic() + seconds
        while is_alive(pid) and time.monotonic() < deadline:
            time.sleep(_LOOK)
        return not is_alive(pid)

    return poll


def _watch_pidfd(handle: int) -> Callable[[float], bool]:
    import select

    def wait(seconds: float) -> bool:
        try:
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            return bool(poll.poll(seconds * 1000))
        finally:
            os.close(handle)

    return wait


def require(settings: Settings) -> Server:
    """Return the home's running server.

    Raises:
        Unreachable: none runs.
    """
    server = running(settings)
    if server is None:
        raise Unreachable(f"no server runs for {settings.home}; start one with `lazulite up`")
    return server
