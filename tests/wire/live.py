"""A server in this process on real sockets, both listeners, with everything but an engine."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop

from lazulite.domain.job import Job, JobStatus
from lazulite.environments.uv import UvEnvironments
from lazulite.files.data import LocalFiles
from lazulite.files.digests import Digests
from lazulite.files.snapshots import FolderSnapshots
from lazulite.ports.compute import Capacity
from lazulite.ports.store import Store
from lazulite.services import workspaces
from lazulite.services.context import Services
from lazulite.store.database import open_store
from lazulite.wire.app import build_app
from lazulite.wire.auth import Tokens, open_tokens
from lazulite.wire.http import Route
from lazulite.wire.intake import Limits
from lazulite.wire.listen import bind, listener, url_of
from lazulite.wire.own import ServerInfo
from lazulite.wire.routes import all_routes
from lazulite.wire.tls import ensure_tls
from tests.records import a_job

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
PROVIDER = "providers/Microsoft.MachineLearningServices/workspaces"
SCOPE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/local/{PROVIDER}/default"


class SystemClock:
    """The real time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class Answer:
    """What a request got."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw) if self.raw else None

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])

    @property
    def message(self) -> str:
        return str(self.body["error"]["message"])


@dataclass
class Live:
    """A running server and what it works with."""

    home: Path
    services: Services
    tokens: Tokens
    http: str
    https: str
    woken: list[int]

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = "owner",
        **headers: str,
    ) -> Answer:
        """Send one request over plain HTTP; `token` "owner" is the owner's, None is none."""
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        if token is not None:
            value = self.tokens.owner if token == "owner" else token
            sent["Authorization"] = f"Bearer {value}"
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection = http.client.HTTPConnection(urlsplit(self.http).netloc, timeout=20)
        try:
            connection.request(method, path, content, sent)
            response = connection.getresponse()
            return Answer(response.status, dict(response.headers), response.read())
        finally:
            connection.close()

    def get(self, path: str, **kwargs: Any) -> Answer:
        return self.call("GET", path, **kwargs)

    def put(self, path: str, body: Any, **kwargs: Any) -> Answer:
        return self.call("PUT", path, body, **kwargs)

    def running(self, name: str, **fields: Any) -> tuple[Job, str]:
        """Start a job of the default workspace as the engine would; return it and its token."""
        workspace = workspaces.ensure_default(self.services)
        job = a_job(workspace.id, name, status=JobStatus.RUNNING, experiment="jobs", **fields)
        made = self.services.store.write(lambda tx: tx.jobs.add(job, None))
        return made, self.tokens.mint_job(workspace.ids, name, made.id)


def make_services(home: Path, wake: Callable[[int], None]) -> Services:
    """Open the real store and files of a home."""
    digests = Digests(home / "files" / "digests")
    return Services(
        store=open_store(f"sqlite:///{home / 'lazulite.db'}"),
        snapshots=FolderSnapshots(home / "files", digests),
        files=LocalFiles(home / "files" / "stores", digests),
        environments=UvEnvironments(home / "envs"),
        clock=SystemClock(),
        capacity=Capacity(cores=4, memory=8 * 2**30, slots=4),
        wake=wake,
    )


@contextmanager
def live_server(
    home: Path,
    extra: tuple[Route, ...] = (),
    *,
    limits: Limits | None = None,
    around: Callable[[Store], Store] = lambda store: store,
) -> Iterator[Live]:
    """Run both listeners in a thread until the block ends; `around` may wrap the store."""
    home.mkdir(parents=True, exist_ok=True)
    woken: list[int] = []
    services = make_services(home, woken.append)
    services = replace(services, store=around(services.store))
    workspaces.ensure_default(services)
    tokens = open_tokens(home, services.clock)
    now = services.clock.now()
    tls = ensure_tls(home / "tls", now)
    info = ServerInfo(version="0", pid=1, started=now, home=str(home))
    app = build_app(services, tokens, [*all_routes(info), *extra], limits=limits)
    plain, secure = bind(0), bind(0)
    servers = [(listener(app), plain), (listener(app, tls), secure)]
    started = threading.Event()

    async def serve() -> None:
        tasks = [asyncio.create_task(server.serve(sockets=[sock])) for server, sock in servers]
        while not all(server.started for server, _ in servers):  # noqa: ASYNC110 - uvicorn's flag
            await asyncio.sleep(0.005)
        started.set()
        await asyncio.gather(*tasks)

    thread = threading.Thread(target=lambda: uvloop.run(serve()), name="live server")
    thread.start()
    assert started.wait(20)
    try:
        yield Live(
            home=home,
            services=services,
            tokens=tokens,
            http=url_of(plain, tls=False),
            https=url_of(secure, tls=True),
            woken=woken,
        )
    finally:
        for server, _ in servers:
            server.stop()
        thread.join(20)
        plain.close()
        secure.close()
        services.store.close()
