"""A real server on a home of its own: start it, kill it, talk to it. It asserts nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

LAZULITE = str(Path(sys.executable).with_name("lazulite"))
SCOPE = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/local"
    "/providers/Microsoft.MachineLearningServices/workspaces/default"
)
FINAL = frozenset({"Completed", "Failed", "Canceled"})


class Server:
    """One home, and the server process that holds it."""

    def __init__(self, home: Path, **settings: str) -> None:
        """Make nothing yet.

        Args:
            home: the LAZULITE_HOME; made by the server.
            settings: further variables of the environment, by name.
        """
        self.home = home
        self.log = home.with_name(f"{home.name}.log")
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith("LAZULITE_")}
        self.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        self.environ |= {k: v for k, v in os.environ.items() if k == "LAZULITE_TEST_RUN"}
        self.environ |= {
            "LAZULITE_HOME": str(home),
            "LAZULITE_HTTP_PORT": "0",
            "LAZULITE_HTTPS_PORT": "0",
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.about: dict[str, Any] = {}  # what server.json says

    def start(self, timeout: float = 30) -> float:
        """Start the server, wait until it is ready, and return how many seconds that took."""
        began = time.perf_counter()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [LAZULITE, "up"], env=self.environ, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        while not self._is_ready():
            if self.process.poll() is not None:
                raise RuntimeError(
                    f"the server ended with {self.process.returncode}:\n{self.tail()}"
                )
            if time.perf_counter() - began > timeout:
                raise TimeoutError(f"no server after {timeout} s:\n{self.tail()}")
            time.sleep(0.01)
        return time.perf_counter() - began

    def adopt(self) -> None:
        """Take over the server that a command of this home started."""
        self.about = json.loads((self.home / "server.json").read_text())

    def kill(self) -> None:
        """End the server as a power cut would. Its jobs go on."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the server in peace."""
        self._end(signal.SIGTERM)

    def clean_up(self) -> None:
        """End everything that runs for this home, however it was started."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
        for process in psutil.process_iter():
            try:
                if any(str(self.home) in value for value in process.environ().values()):
                    process.kill()
            except psutil.Error:  # gone, or not ours to look into
                continue

    def cli(self, *args: str, check: bool = True, **run: Any) -> subprocess.CompletedProcess[str]:
        """Run `lazulite ARGS` for this home.

        Args:
            args: words after `lazulite`.
            check: raise with both streams when the exit code is not 0.
            run: further arguments of `subprocess.run`, such as `cwd`.
        """
        done = subprocess.run(
            [LAZULITE, *args],
            env=self.environ,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
            **run,
        )
        if check and done.returncode != 0:
            command = " ".join(args)
            raise RuntimeError(
                f"lazulite {command}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Send JSON with the owner's token and return the JSON of the reply."""
        call = urllib.request.Request(
            self.about["http"] + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {(self.home / 'token').read_text().strip()}",
                "Content-Type": "application/json",
            },
        )
        with self._open(call, 60) as reply:
            text = reply.read()
        return json.loads(text) if text else None

    def job(self, name: str) -> dict[str, Any]:
        """Return the `properties` of a job in the default workspace."""
        return self.request("GET", f"{SCOPE}/jobs/{name}")["properties"]

    def children(self, name: str) -> dict[str, dict[str, Any]]:
        """Return the summaries of all jobs below a pipeline, by dotted node path."""
        return {child["path"]: child for child in next(self._news(name, 60))["children"]}

    def watch(self, name: str, timeout: float = 120) -> Iterator[dict[str, Any]]:
        """Yield each summary of the job and of those below as it changes, until it is final."""
        for news in self._news(name, timeout):
            yield from news.get("children", [])
            yield from (news[key] for key in ("job", "child") if key in news)

    def wait(self, name: str, timeout: float = 120) -> dict[str, Any]:
        """Wait until the job is final and return its `properties`."""
        for _ in self.watch(name, timeout):
            pass
        properties = self.job(name)
        if properties["status"] not in FINAL:
            raise RuntimeError(f"the watch of {name} ended while it was {properties['status']}")
        return properties

    def tail(self, lines: int = 60) -> str:
        """Return the last lines of the server's log."""
        texts = [
            p.read_text(errors="replace")
            for p in (self.log, self.home / "server.log")
            if p.exists()
        ]
        return "\n".join("\n".join(texts).splitlines()[-lines:])

    def _news(self, name: str, timeout: float) -> Iterator[dict[str, Any]]:
        call = urllib.request.Request(
            f"{self.about['http']}/lazulite/v1{SCOPE}/jobs/{name}/watch",
            headers={"Authorization": f"Bearer {(self.home / 'token').read_text().strip()}"},
        )
        with self._open(call, timeout) as reply:
            for line in reply:
                yield json.loads(line)

    def _open(self, call: urllib.request.Request, timeout: float) -> Any:
        """Open a URL; a refusal carries what the server said as its note."""
        try:
            return urllib.request.urlopen(call, timeout=timeout)
        except urllib.error.HTTPError as error:
            error.add_note(error.read().decode(errors="replace"))
            raise

    def _is_ready(self) -> bool:
        try:
            about = json.loads((self.home / "server.json").read_text())
            if self.process is not None and about["pid"] != self.process.pid:
                return False  # what the server before this one left
            with urllib.request.urlopen(about["http"] + "/readyz", timeout=5):
                self.about = about
                return True
        except (OSError, ValueError, urllib.error.HTTPError):
            return False

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(timeout=30)
            self.process = None


@contextmanager
def running(home: Path, **settings: str) -> Iterator[Server]:
    """Give a ready server and leave nothing of it behind."""
    server = Server(home, **settings)
    try:
        server.start()
        yield server
    finally:
        server.clean_up()
