"""Settings of one Lazulite home, read once and typed. It creates nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lazulite.domain.errors import InvalidInput

DEFAULT_HTTP_PORT = 5080
DEFAULT_HTTPS_PORT = 5443


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where things are and how the server runs. Paths are absolute."""

    home: Path
    http_port: int = DEFAULT_HTTP_PORT  # 0 = any free port
    https_port: int = DEFAULT_HTTPS_PORT
    database: str | None = None  # PostgreSQL URL; None = SQLite in the home
    slots: int | None = None  # local jobs at once; None = one per core
    grace: float = 10.0  # seconds between TERM and KILL on cancel
    body_memory: int = 64  # MB of JSON requests in memory, all together
    log_queue: int = 1024  # requests to log something that may wait for the database
    sample: float = 10.0  # seconds between two samples of what a job uses; 0 = none

    @property
    def database_url(self) -> str:
        """What SQLAlchemy connects to."""
        return self.database or f"sqlite:///{self.home / 'lazulite.db'}"

    @property
    def token_file(self) -> Path:
        """The owner's token, mode 0600."""
        return self.home / "token"

    @property
    def server_file(self) -> Path:
        """JSON of the running server: pid, http, https (URLs), started. Absent = none runs."""
        return self.home / "server.json"

    @property
    def ports_file(self) -> Path:
        """JSON of the ports that the last server of the home had: [http, https]."""
        return self.home / "ports.json"

    @property
    def lock_file(self) -> Path:
        """Locked (flock) by the server as long as it lives."""
        return self.home / "server.lock"

    @property
    def tls(self) -> Path:
        """Folder of ca.pem, server.pem, server.key and bundle.pem (ours + the system's roots)."""
        return self.home / "tls"

    @property
    def files(self) -> Path:
        """Folder of objects/, trees/ and stores/{workspace id}/{datastore}/."""
        return self.home / "files"

    @property
    def envs(self) -> Path:
        """Folder of built environments, one per key."""
        return self.home / "envs"

    @property
    def runs(self) -> Path:
        """Folder of run folders: {workspace id}/{job}/."""
        return self.home / "runs"

    @property
    def server_log(self) -> Path:
        """Where a detached server writes."""
        return self.home / "server.log"


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from `LAZULITE_*` variables.

    Raises:
        InvalidInput: a variable is not what it should be; the message names it.
    """
    env = os.environ if environ is None else environ
    home = env.get("LAZULITE_HOME") or "~/.lazulite"
    slots = env.get("LAZULITE_SLOTS")
    return Settings(
        home=Path(home).expanduser().resolve(),
        http_port=_whole(env, "LAZULITE_HTTP_PORT", DEFAULT_HTTP_PORT),
        https_port=_whole(env, "LAZULITE_HTTPS_PORT", DEFAULT_HTTPS_PORT),
        database=env.get("LAZULITE_DATABASE_URL") or None,
        slots=_whole(env, "LAZULITE_SLOTS", 1) if slots else None,
        grace=float(_whole(env, "LAZULITE_GRACE", 10)),
        body_memory=_whole(env, "LAZULITE_BODY_MEMORY", 64),
        log_queue=_whole(env, "LAZULITE_LOG_QUEUE", 1024),
        sample=float(_whole(env, "LAZULITE_SAMPLE_SECONDS", 10)),
    )


def _whole(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name) or str(default)
    if not text.isdigit():
        raise InvalidInput(f"{name}={text!r} is not a whole number", path=name)
    return int(text)
