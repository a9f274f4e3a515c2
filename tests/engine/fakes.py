"""An engine on a real store and real folders, with processes that only the test ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lazulite.domain.errors import NotFound
from lazulite.domain.job import CommandDef, InputSpec, Job, JobKind, JobStatus, OutputSpec, Timeline
from lazulite.domain.pipeline import Node, PipelineDef, Settings
from lazulite.domain.workspace import Workspace
from lazulite.engine.launcher import Launcher
from lazulite.engine.supervisor import Engine
from lazulite.files.data import LocalFiles
from lazulite.files.digests import Digests
from lazulite.files.snapshots import FolderSnapshots
from lazulite.ports.compute import Alive, Capacity, Ended, Launch, Load, Lost, Sight, Unclaimed
from lazulite.ports.environments import BuildCanceled, Cached, EnvironmentSpec, Prefix
from lazulite.services import jobs
from lazulite.services.changes import Changes
from lazulite.services.context import Services
from lazulite.services.workspaces import ensure_default
from lazulite.store.database import open_store

PATIENCE = 10.0  # seconds until a test gives up; nothing waits that long
BUILT = "built"  # cache key of an environment that is there


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class News(Changes):
    """Changes that a test can wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.happened = threading.Condition()
        self.seen: list[tuple[str, JobStatus]] = []

    def tell(self) -> None:
        with self.happened:
            self.happened.notify_all()

    def publish(self, news: Any) -> None:
        news = list(news)
        super().publish(news)
        self.seen += [(job.name, job.status) for job, _ in news]
        self.tell()


@dataclass
class Process:
    launch: Launch
    exit_code: int | None = None
    lost: bool = False
    stopped: int = 0
    watchers: list[Callable[[], None]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.launch.env["AZUREML_RUN_ID"]


Script = Callable[[Launch], int | None]


class Machine:
    """A ComputeBackend without processes. It outlives engines."""

    def __init__(self, tell: Callable[[], None], script: Script) -> None:
        self.processes: dict[tuple[str, int], Process] = {}
        self.launched: list[tuple[str, int]] = []  # (job name, attempt), in order
        self.most = 0  # processes at once
        self.script = script  # what a process exits with; None = it runs until `end`
        self.on_launch: Callable[[Launch], None] = lambda _launch: None  # may raise
        self.ignores_term = False
        self.stop_fails: list[Exception] = []
        self.load: Load | None = Load(cpu=1.0, memory=5_000_000, processes=2, read=0)
        self.measured: list[list[str]] = []  # names, by sample
        self._tell = tell
        self._lock = threading.Lock()

    def launch(self, launch: Launch) -> Sight:
        self.on_launch(launch)
        with self._lock:
            key = (launch.key, launch.attempt)
            if key in self.processes:
                return self.look(launch)
            process = self.processes[key] = Process(launch)
            self.launched.append((process.name, launch.attempt))
            alive = [p for p in self.processes.values() if p.exit_code is None and not p.lost]
            self.most = max(self.most, len(alive))
        code = self.script(launch)
        if code is not None:
            self._end(process, code)
        self._tell()
        return self.look(launch)

    def look(self, launch: Launch) -> Sight:
        process = self.processes.get((launch.key, launch.attempt))
        if process is None:
            return Unclaimed()
        if process.lost:
            return Lost(reason="it was killed")
        if process.exit_code is None:
            return Alive(pid=1, started=0)
        return Ended(exit_code=process.exit_code, started=0, ended=1)

    def watch(self, launch: Launch, on_exit: Callable[[], None]) -> None:
        process = self.processes[launch.key, launch.attempt]
        with self._lock:
            if process.exit_code is None and not process.lost:
                process.watchers.append(on_exit)
                return
        on_exit()

    def stop(self, launch: Launch, *, grace: float) -> None:
        if self.stop_fails:
            raise self.stop_fails.pop()
        process = self.processes.get((launch.key, launch.attempt))
        if process is None or process.exit_code is not None:
            return
        process.stopped += 1
        self._tell()
        if not self.ignores_term:
            self._end(process, 143)

    def measure(self, launches: Sequence[Launch]) -> list[Load | None]:
        processes = [self.processes[launch.key, launch.attempt] for launch in launches]
        self.measured.append([process.name for process in processes])
        self._tell()
        return [self.load] * len(launches)

    def capacity(self) -> Capacity:
        return Capacity(cores=2, memory=1, slots=2)

    def close(self) -> None:
        for process in self.processes.values():
            process.watchers.clear()

    def of(self, name: str) -> Process:
        """The newest process of a job."""
        return [p for p in self.processes.values() if p.name == name][-1]

    def end(self, name: str, code: int = 0, *, lost: bool = False) -> None:
        process = self.of(name)
        if lost:
            process.lost = True
            code = 0
        self._end(process, code)

    def _end(self, process: Process, code: int) -> None:
        with self._lock:
            if not process.lost:
                process.exit_code = code
            watchers, process.watchers = process.watchers, []
        for watcher in watchers:
            watcher()


class FakeEnvironments:
    """`built` is there; any other key is built when the test says so."""

    def __init__(self, folder: Path, tell: Callable[[], None]) -> None:
        self._folder = folder
        self._tell = tell
        self.there = {BUILT}
        self.builds: list[str] = []  # keys, in the order in which builds began
        self.go: dict[str, threading.Event] = {}
        self.fails: Exception | None = None

    def plan(self, spec: EnvironmentSpec) -> str:
        return BUILT if spec.curated or not spec.conda else spec.conda

    def ready(self, key: str) -> Prefix | None:
        if key not in self.there:
            return None
        return Prefix(
            key=key,
            bin=self._folder / key / "bin",
            variables={"FROM_PREFIX": "1"},
            python="3.11.9",
        )

    def build(
        self,
        spec: EnvironmentSpec,
        log: Path,
        *,
        cancel: threading.Event,
        progress: Callable[[str], None] | None = None,
    ) -> Prefix:
        key = self.plan(spec)
        self.builds.append(key)
        log.write_text("building\n")
        if progress:
            progress("installs")
        self._tell()
        go = self.go.setdefault(key, threading.Event())
        while not go.wait(0.005):
            if cancel.is_set():
                raise BuildCanceled
        if self.fails:
            raise self.fails
        self.there.add(key)
        prefix = self.ready(key)
        assert prefix is not None
        return prefix

    def cached(self) -> list[Cached]:
        return []

    def remove(self, key: str) -> int:
        self.there.discard(key)
        return 0


class Lab:
    """A home: store, folders and machine stay while engines come and go."""

    def __init__(self, folder: Path, *, slots: int = 4, url: str | None = None) -> None:
        self.folder = folder
        self.news = News()
        self.store = open_store(url or f"sqlite:///{folder / 'lazulite.db'}")
        self.machine = Machine(self.news.tell, lambda _launch: 0)
        self.environments = FakeEnvironments(folder / "envs", self.news.tell)
        self.slots = slots
        digests = Digests(folder / "digests")
        self.files = LocalFiles(folder / "stores", digests)
        self.snapshots = FolderSnapshots(folder / "snapshots", digests)
        self.engine: Engine | None = None
        self.services = Services(
            store=self.store,
            snapshots=self.snapshots,
            files=self.files,
            environments=self.environments,
            clock=Clock(),
            capacity=self.machine.capacity(),
            wake=lambda job: self.engine.wake(job) if self.engine else None,
            why=lambda job: self.engine.why(job) if self.engine else None,
            changes=self.news,
        )
        self.workspace: Workspace = ensure_default(self.services)

    @property
    def launcher(self) -> Launcher:
        return Launcher(
            files=self.files,
            snapshots=self.snapshots,
            environments=self.environments,
            runs=self.folder / "runs",
            address=lambda: "http://127.0.0.1:1",
            mint=lambda _workspace, job: f"token-of-{job.name}",
            environ={"PATH": "/bin", "HOME": "/home/ann", "MY_SECRET": "s3cret"},
        )

    def start(self, host: str = "here", *, sample: float = 0) -> Engine:
        self.engine = Engine(
            self.services, self.launcher, self.machine, host=host, slots=self.slots, grace=0.1
        )
        self.engine.sample(sample)
        self.engine.start()
        return self.engine

    def kill(self) -> None:
        """End the engine as kill -9 does: nothing is given back, nothing is written."""
        engine, self.engine = self.engine, None
        assert engine is not None
        core = engine._core
        core.closing.set()
        core.post(lambda: None)
        engine._thread.join(PATIENCE)
        core._pool.shutdown(wait=True, cancel_futures=True)
        for build in engine._commands.builds._builds.values():
            build.cancel.set()
        self.machine.close()

    def close(self) -> None:
        if self.engine is not None:
            self.engine.close()
            self.engine = None
        self.store.close()

    def add(self, name: str, work: CommandDef | PipelineDef, **fields: Any) -> Job:
        """Store a root job without waking anyone."""
        now = datetime.now(UTC)
        is_command = isinstance(work, CommandDef)
        facts: dict[str, Any] = {
            "workspace": self.workspace.id,
            "name": name,
            "kind": JobKind.COMMAND if is_command else JobKind.PIPELINE,
            "experiment": "Default",
            "display_name": name,
            "compute": "local" if is_command else None,
            "timeline": Timeline(created=now),
            "created_by": "ann",
            "modified_at": now,
        }
        job = Job(**facts | fields)
        return self.store.write(lambda tx: tx.jobs.add(job, jobs.encode_work(work)))

    def submit(self, name: str, work: CommandDef | PipelineDef, **fields: Any) -> Job:
        job = self.add(name, work, **fields)
        self.services.wake(job.id)
        return job

    def run(self, name: str, work: CommandDef | PipelineDef, **fields: Any) -> Job:
        """Submit and wait for the end."""
        self.submit(name, work, **fields)
        return self.ended(name)

    def cancel(self, name: str) -> None:
        jobs.cancel(self.services, self.workspace, name)

    def job(self, name: str) -> Job:
        return self.store.read(lambda tx: tx.jobs.get(self.workspace.id, name))

    def children(self, name: str) -> dict[str, Job]:
        found = jobs.children(self.services, self.workspace, name)
        return {str(job.node): job for job in found}

    def statuses(self, name: str) -> dict[str, str]:
        return {node: str(job.status) for node, job in self.children(name).items()}

    def until(self, claim: Callable[[], bool], what: str) -> None:
        """Wait for a claim; not all that may make it true is told, so look now and then too."""
        deadline = time.monotonic() + PATIENCE
        with self.news.happened:
            while not claim():
                assert time.monotonic() < deadline, f"never happened: {what}"
                self.news.happened.wait(0.05)

    def until_status(self, name: str, *statuses: JobStatus) -> Job:
        def claim() -> bool:
            try:
                return self.job(name).status in statuses
            except NotFound:
                return False

        self.until(claim, f"{name} {statuses}")
        return self.job(name)

    def ended(self, name: str) -> Job:
        def claim() -> bool:
            return self.job(name).is_final

        try:
            self.until(claim, f"the end of {name}")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.job(name)} {self.statuses(name)}") from None
        return self.job(name)

    def launched(self, name: str, attempt: int = 1) -> None:
        self.until(lambda: (name, attempt) in self.machine.launched, f"launch of {name}")

    def running(self, name: str) -> None:
        """Wait until a process runs and the engine knows."""
        self.until(lambda: (name, JobStatus.RUNNING) in self.news.seen, f"{name} running")


def command(text: str = "true", **fields: Any) -> CommandDef:
    return CommandDef(command=text, environment_key=BUILT, **fields)


def step(needs: dict[str, str] | None = None, text: str = "true", **node: Any) -> Node:
    """A node with one output `out`; `needs`: inputs bound to `node.output` or an expression."""
    given = needs or {}
    work = node.pop("work", None) or command(
        text,
        inputs={name: InputSpec(type="uri_folder") for name in given},
        outputs={"out": OutputSpec()},
    )
    inputs = {name: f"${{{{parent.jobs.{ref}.outputs.out}}}}" for name, ref in given.items()}
    return Node(work=work, inputs=inputs, **node)


def pipeline(nodes: dict[str, Node], **fields: Any) -> PipelineDef:
    settings = Settings(
        **{k: fields.pop(k) for k in list(fields) if k in Settings.__struct_fields__}
    )
    return PipelineDef(nodes=nodes, settings=settings, **fields)


def chain(*names: str, text: str = "true") -> dict[str, Node]:
    """Each step reads what the one before wrote."""
    found: dict[str, Node] = {}
    for before, name in zip((None, *names), names, strict=False):
        found[name] = step({"x": before} if before else None, f"{text} {name}")
    return found


def write_output(launch: Launch, text: str | None = None, name: str = "out") -> None:
    """Write a file into an output, as a script would: by default what is its own command."""
    folder = Path(launch.env[f"AZURE_ML_OUTPUT_{name}"])
    (folder / "data.txt").write_text(launch.command if text is None else text)
