"""The composition root: the only module that knows every implementation."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import lazulite
from lazulite.compute.host import find_host
from lazulite.compute.local import LocalCompute
from lazulite.config import DEFAULT_HTTP_PORT, DEFAULT_HTTPS_PORT, Settings
from lazulite.domain.errors import Conflict, InvalidInput, Unavailable
from lazulite.domain.job import Job
from lazulite.domain.workspace import Workspace
from lazulite.engine.launcher import NOT_PLAIN, Launcher
from lazulite.engine.supervisor import Engine
from lazulite.environments.uv import UvEnvironments
from lazulite.files.data import LocalFiles
from lazulite.files.digests import Digests
from lazulite.files.snapshots import FolderSnapshots
from lazulite.ports.clock import Clock
from lazulite.services.context import Services
from lazulite.services.workspaces import ensure_default
from lazulite.store.database import open_store
from lazulite.wire.app import build_app
from lazulite.wire.auth import Tokens, open_tokens
from lazulite.wire.intake import Limits
from lazulite.wire.listen import Listener, bind, listener, url_of
from lazulite.wire.own import ServerInfo
from lazulite.wire.routes import all_routes
from lazulite.wire.tls import ensure_tls

log = logging.getLogger("lazulite")

FILES = 4096  # open ones: two listeners' connections, and as many files


class SystemClock(Clock):
    """This machine's clock."""

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that listens."""

    http: str  # base URL, no trailing slash
    https: str
    home: Path


def serve(settings: Settings, ready: Callable[[Running], None] = lambda _running: None) -> None:
    """Run the server of a home until SIGTERM or SIGINT. Jobs go on when it ends.

    Args:
        settings: of the home.
        ready: called once, when both listeners answer.

    Raises:
        Conflict: another server holds the home.
        Unavailable: a port is taken, the home cannot be written, or the database is away.
    """
    os.umask(0o077)
    _allow_files()
    _make_home(settings.home)
    with _lock(settings), _bound(settings) as (http, https):
        uvloop = _uvloop()
        with asyncio.Runner(loop_factory=uvloop) as runner:
            runner.run(_serve(settings, http, https, ready))


def _allow_files() -> None:
    """Have as many open files as the listeners take connections, where that is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _uvloop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # no wheel for this machine: asyncio's own loop is slower, nothing else
        return None
    return uvloop.new_event_loop


def _make_home(home: Path) -> None:
    if odd := NOT_PLAIN.findall(str(home)):
        raise InvalidInput(
            f"home {home} has characters that the shells of jobs would read as their own "
            f"({' '.join(sorted({repr(one) for one in odd}))}): choose another with LAZULITE_HOME",
            path="LAZULITE_HOME",
        )
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = home / f".probe.{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise Unavailable(
            f"home {home} cannot be written ({error.strerror}): free the disk or its permissions, "
            "or choose another home with LAZULITE_HOME"
        ) from None


@contextlib.contextmanager
def _lock(settings: Settings) -> Iterator[IO[str]]:
    """Hold the home: one server each."""
    with settings.lock_file.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Conflict(
                f"home {settings.home} is held by another server{_holder(settings)}; stop it with "
                "`lazulite down`, or choose another home with --home or LAZULITE_HOME"
            ) from None
        settings.server_file.unlink(missing_ok=True)
        try:
            yield lock
        finally:
            settings.server_file.unlink(missing_ok=True)


def _holder(settings: Settings) -> str:
    try:
        found = json.loads(settings.server_file.read_bytes())
        return f" (pid {found['pid']}, at {found['http']})"
    except (OSError, ValueError, KeyError):
        return ""


@contextlib.contextmanager
def _bound(settings: Settings) -> Iterator[tuple[socket.socket, socket.socket]]:
    old_http, old_https = _last_ports(settings)
    with (
        _bind(settings.http_port, DEFAULT_HTTP_PORT, old_http) as http,
        _bind(settings.https_port, DEFAULT_HTTPS_PORT, old_https) as https,
    ):
        ports = [http.getsockname()[1], https.getsockname()[1]]
        settings.ports_file.write_text(json.dumps(ports) + "\n")
        yield http, https


def _last_ports(settings: Settings) -> tuple[int, int]:
    """Return the ports of the home's last server, 0 where unknown.

    Jobs that outlive a server, and shells that took `lazulite env`, know it by its ports.
    """
    try:
        http, https = json.loads(settings.ports_file.read_bytes())
        return int(http), int(https)
    except (OSError, ValueError, TypeError):
        return 0, 0


def _bind(port: int, default: int, last: int) -> socket.socket:
    """Bind a port; one that nobody chose is the last server's, the default, or any free one."""
    if port not in (0, default):
        return bind(port)
    for wanted in (last, port):
        if wanted:
            with contextlib.suppress(Unavailable):
                return bind(wanted)
    return bind(0)


async def _serve(
    settings: Settings,
    http: socket.socket,
    https: socket.socket,
    ready: Callable[[Running], None],
) -> None:
    urls = Running(http=url_of(http, tls=False), https=url_of(https, tls=True), home=settings.home)
    clock = SystemClock()
    certificates = ensure_tls(settings.tls, clock.now())
    tokens = open_tokens(settings.home, clock)
    engine, services = build(settings, tokens, lambda: urls.http)
    info = ServerInfo(
        version=lazulite.__version__, pid=os.getpid(), started=clock.now(), home=str(settings.home)
    )
    limits = Limits(
        memory=max(1, settings.body_memory) << 20,
        queue=settings.log_queue,
        writers=12 if settings.database else 64,  # PostgreSQL's connections are for readers too
    )
    app = build_app(services, tokens, all_routes(info), limits=limits)
    servers = [listener(app), listener(app, certificates)]
    try:
        await asyncio.to_thread(ensure_default, services)
        engine.start()
        tasks = [
            asyncio.create_task(server.serve(sockets=[sock]))
            for server, sock in zip(servers, (http, https), strict=True)
        ]
        _stop_on_signals(servers)
        for server in servers:
            await server.ready.wait()
        _announce(settings, urls, info)
        ready(urls)
        await asyncio.gather(*tasks)
    finally:
        await asyncio.to_thread(_close, engine, services)


def _stop_on_signals(servers: list[Listener]) -> None:
    def stop() -> None:
        for server in servers:
            server.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


def _announce(settings: Settings, urls: Running, info: ServerInfo) -> None:
    about = {
        "pid": info.pid,
        "http": urls.http,
        "https": urls.https,
        "version": info.version,
        "started": info.started.isoformat(),
    }
    temporary = settings.server_file.with_suffix(".new")
    temporary.write_text(json.dumps(about) + "\n")
    temporary.replace(settings.server_file)


def _close(engine: Engine, services: Services) -> None:
    engine.close()
    services.store.close()


def build(
    settings: Settings, tokens: Tokens, address: Callable[[], str]
) -> tuple[Engine, Services]:
    """Make the engine and the services of a home.

    Args:
        settings: of the home.
        tokens: mints the jobs' tokens.
        address: base URL that jobs reach the server at.
    """
    to_engine = _ToEngine()
    digests = Digests(settings.files / "digests")
    backend = LocalCompute()
    capacity = backend.capacity()
    services = Services(
        store=open_store(settings.database_url),
        snapshots=FolderSnapshots(settings.files, digests),
        files=LocalFiles(settings.files / "stores", digests),
        environments=UvEnvironments(settings.envs),
        clock=SystemClock(),
        capacity=capacity,
        host=find_host(capacity, lazulite.__version__),
        wake=to_engine.wake,
        why=to_engine.why,
        runs=settings.runs,
    )

    def mint(workspace: Workspace, job: Job) -> str:
        return tokens.mint_job(workspace.ids, job.name, job.id)

    launcher = Launcher(
        files=services.files,
        snapshots=services.snapshots,
        environments=services.environments,
        runs=settings.runs,
        address=address,
        mint=mint,
        environ=dict(os.environ),
    )
    engine = Engine(
        services,
        launcher,
        backend,
        host=f"{socket.gethostname()}:{settings.home}",
        slots=settings.slots or max(1, capacity.slots),
        grace=settings.grace,
    )
    engine.sample(settings.sample)
    to_engine.engine = engine
    return engine, services


class _ToEngine:
    """Ties the knot: services wake the engine, which needs the services to be made."""

    engine: Engine | None = None

    def wake(self, job: int) -> None:
        if self.engine is not None:
            self.engine.wake(job)

    def why(self, job: int) -> str | None:
        return self.engine.why(job) if self.engine else None


def log_to_stderr() -> None:
    """Write the server's log lines to stderr."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
