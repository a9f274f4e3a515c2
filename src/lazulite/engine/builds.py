"""Environments that jobs wait for: one build per key, however many wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from lazulite.domain.errors import LazuliteError
from lazulite.engine.core import Core
from lazulite.engine.launcher import BUILD_LOG, Launcher
from lazulite.engine.live import LiveCommand
from lazulite.ports.environments import BuildCanceled, EnvironmentSpec
from lazulite.ports.store import Tx
from lazulite.services.references import References

AT_ONCE = 2  # builds in parallel


@dataclass(slots=True)
class Build:
    """One build and the jobs that wait for it."""

    waiting: list[LiveCommand] = field(default_factory=list)
    cancel: threading.Event = field(default_factory=threading.Event)
    step: str = "waits for its turn to be built"


class Builds:
    """Starts builds, shares them, and cancels those nobody waits for any more."""

    def __init__(
        self,
        core: Core,
        launcher: Launcher,
        built: Callable[[list[LiveCommand]], None],
        failed: Callable[[list[LiveCommand], LazuliteError], None],
    ) -> None:
        self._core = core
        self._launcher = launcher
        self._built = built
        self._failed = failed
        self._builds: dict[str, Build] = {}
        self._turn = threading.BoundedSemaphore(AT_ONCE)

    def join(self, live: LiveCommand) -> None:
        """Let a job wait for its environment; start the build if it is the first."""
        key = live.work.environment_key
        build = self._builds.get(key)
        if build is None or build.cancel.is_set():
            build = self._builds[key] = Build()
            build.waiting.append(live)
            name = f"lazulite-build-{key[:12]}"
            threading.Thread(target=self._run, args=(live, build), name=name, daemon=True).start()
        else:
            build.waiting.append(live)

    def leave(self, live: LiveCommand) -> None:
        """Let a job wait no more; the last to leave cancels the build."""
        build = self._builds.get(live.work.environment_key)
        if build is None or live not in build.waiting:
            return
        build.waiting.remove(live)
        if not build.waiting:
            build.cancel.set()

    def why(self, live: LiveCommand) -> str | None:
        """Say what the build a job waits for is doing."""
        build = self._builds.get(live.work.environment_key)
        if build is None or live not in build.waiting:
            return None
        return f"its environment is being built: {build.step}"

    def close(self) -> None:
        """Cancel every build; the next server starts them again."""
        for build in list(self._builds.values()):
            build.cancel.set()

    def _run(self, live: LiveCommand, build: Build) -> None:
        def progress(step: str) -> None:
            self._core.post(lambda: self._say(build, step))

        key = live.work.environment_key
        try:
            with self._turn:
                spec = self._spec(live)
                path = self._launcher.artifacts(live.job) / BUILD_LOG
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                prefix = self._launcher.environments.build(
                    spec, path, cancel=build.cancel, progress=progress
                )
        except BuildCanceled:
            self._core.post(lambda: self._discard(key, build))
        except LazuliteError as error:
            failure = error
            self._core.post(lambda: self._failed(self._end(key, build), failure))
        except Exception as error:  # noqa: BLE001 - a loop of the engine: the waiting jobs fail
            crash = LazuliteError(f"the build stopped: {error}")
            self._core.post(lambda: self._failed(self._end(key, build), crash))
        else:
            self._core.post(lambda: self._done(key, build, prefix.key))

    def _say(self, build: Build, step: str) -> None:
        """Tell whoever watches the waiting jobs what the build is doing."""
        build.step = step
        for live in build.waiting:
            live.change({"waits_for": self.why(live)})
        self._core.services.changes.publish((one.job, one.path) for one in build.waiting)

    def _done(self, key: str, build: Build, made: str) -> None:
        waiting = self._end(key, build)
        for live in waiting:  # after an upgrade the same environment may have another key
            live.work = msgspec.structs.replace(live.work, environment_key=made)
        self._built(waiting)

    def _discard(self, key: str, build: Build) -> None:
        """Whoever joined after the last one left is served by the next build."""
        self._end(key, build)

    def _end(self, key: str, build: Build) -> list[LiveCommand]:
        if self._builds.get(key) is build:
            del self._builds[key]
        waiting, build.waiting = build.waiting, []
        return waiting

    def _spec(self, live: LiveCommand) -> EnvironmentSpec:
        services = self._core.services

        def read(tx: Tx) -> EnvironmentSpec:
            references = References(tx, live.workspace, services.environments)
            return references.environment_spec(live.work.environment, "environment")[1]

        return services.store.read(read)
