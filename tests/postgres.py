"""A throw-away PostgreSQL cluster for tests, from the system's binaries.

    python tests/postgres.py start DIR     # makes it in DIR, starts it, prints its URL
    python tests/postgres.py stop DIR      # stops it and deletes DIR

It listens on a free port of 127.0.0.1 alone, asks for a password, and keeps nothing safe from a
power cut. PostgreSQL refuses to run as root: root runs it as `postgres`, or as `nobody`.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": 300,
    "shared_buffers": "64MB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_locks_per_transaction": 256,
}
TRIES = 5  # another process may take the port we found


def binaries() -> Path:
    """Return the folder of initdb and pg_ctl: the newest installed."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    folders = [
        *Path("/usr/lib/postgresql").glob("*/bin"),
        *Path("/opt/homebrew/opt").glob("postgresql*/bin"),
        *Path("/usr/local/opt").glob("postgresql*/bin"),
        *Path("/usr").glob("pgsql-*/bin"),
    ]
    folders = [folder for folder in folders if (folder / "initdb").exists()]
    if not folders:
        raise SystemExit("no PostgreSQL here: install it (apt-get install postgresql)")
    return max(folders, key=lambda folder: [int(n) for n in folder.parts if n.isdigit()])


def start(folder: Path) -> str:
    """Make a cluster, start it, and return its URL."""
    folder.mkdir(parents=True)
    # not in `folder`: the user that root runs it as may not be let in there
    data = Path(tempfile.mkdtemp(prefix="lazulite-postgres-", dir="/tmp"))
    (folder / "cluster").write_text(str(data))
    if os.geteuid() == 0:
        account = pwd.getpwnam(_account())
        os.chown(data, account.pw_uid, account.pw_gid)
    password = secrets.token_hex(8)
    secret = data / "password"
    secret.write_text(password)
    if os.geteuid() == 0:
        os.chown(secret, account.pw_uid, account.pw_gid)
    init = ["--username=lazulite", f"--pwfile={secret}", "--auth=scram-sha-256"]
    _run("initdb", f"--pgdata={data / 'db'}", *init, "--encoding=UTF8", "--no-locale", "--no-sync")
    port = _start(data)
    return f"postgresql://lazulite:{password}@127.0.0.1:{port}/postgres"


def stop(folder: Path) -> None:
    """Stop a cluster and delete it."""
    data = Path((folder / "cluster").read_text())
    if (data / "db" / "postmaster.pid").exists():
        _run("pg_ctl", "stop", f"--pgdata={data / 'db'}", "--mode=immediate", "--wait")
    shutil.rmtree(data)
    shutil.rmtree(folder)


def _start(data: Path) -> int:
    options = " ".join(f"-c {name}='{value}'" for name, value in SETTINGS.items())
    for attempt in range(TRIES):
        port = _free_port()
        arguments = [f"--pgdata={data / 'db'}", f"--log={data / 'log'}", "--wait"]
        try:
            _run("pg_ctl", "start", *arguments, f"--options={options} -p {port}")
        except SystemExit:
            if attempt == TRIES - 1:
                raise
        else:
            return port
    raise AssertionError("unreachable")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _account() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _run(program: str, *arguments: str) -> None:
    who = {"user": _account(), "extra_groups": []} if os.geteuid() == 0 else {}
    # its output goes to a file: the server would hold a pipe open as long as it lives
    with tempfile.TemporaryFile() as output:
        command = [str(binaries() / program), *arguments]
        ended = subprocess.run(
            command, check=False, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/",
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"}, **who,
        )  # fmt: skip
        if ended.returncode:
            output.seek(0)
            raise SystemExit(f"{program}: {output.read().decode()}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["start", folder]:
            print(start(Path(folder)))
        case ["stop", folder]:
            stop(Path(folder))
        case _:
            raise SystemExit(__doc__)
