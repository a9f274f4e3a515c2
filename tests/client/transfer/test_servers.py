"""Servers: MLflow's own, one that lies about names, one that dies."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from lazulite.client.rest import Unreachable
from lazulite.client.session import Session
from lazulite.client.transfer.ends import import_from
from lazulite.client.transfer.move import Wanted
from lazulite.domain.errors import InvalidInput
from tests.client.transfer.conftest import ENVIRON, make
from tests.client.transfer.test_export import send
from tests.client.transfer.test_import import bring, here, new, there

RUN = {
    "info": {
        "run_id": "ab12",
        "experiment_id": "1",
        "status": "FINISHED",
        "start_time": "1000",
        "end_time": "2000",
        "artifact_uri": "s3://bucket/1/ab12/artifacts",
        "lifecycle_stage": "active",
    },
    "data": {"metrics": [{"key": "m", "value": 1.0, "timestamp": "1", "step": "0"}]},
}
FILES = {
    "": ["good.txt", "../up.txt", "/etc/passwd", "a\\b", "folder/"],
    "folder": ["folder/in.txt", "folder/..", "elsewhere/x.txt"],
}
Answer = Callable[[str, dict[str, list[str]]], Any]


def answers(path: str, query: dict[str, list[str]]) -> Any:
    """What a small MLflow server says."""
    if path.endswith("experiments/search"):
        return {"experiments": [{"experiment_id": "1", "name": "e", "lifecycle_stage": "active"}]}
    if path.endswith("runs/search"):
        return {"runs": [RUN]}
    if path.endswith("metrics/get-history"):
        return {"metrics": RUN["data"]["metrics"] + [{"key": "m", "value": "NaN", "step": 1}]}
    if path.endswith("artifacts/list"):
        found = FILES[query.get("path", [""])[0]]
        listed = [{"path": n.rstrip("/"), "is_dir": n.endswith("/"), "file_size": 2} for n in found]
        return {"files": listed}
    return b"hi" if path == "/get-artifact" else None


@contextmanager
def small_server(answer: Answer) -> Iterator[str]:
    """Serve what a function says; None is 404, an Exception hangs up."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            found = answer(parts.path, parse_qs(parts.query))
            if isinstance(found, Exception):
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            raw = found if isinstance(found, bytes) else json.dumps(found or {}).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def test_names_of_a_server_that_lead_out_are_told_and_not_followed(session: Session) -> None:
    with small_server(answers) as url:
        report = bring(session, url)
    run = here(session)["runs"]["ab12"]
    assert run["files"] == {"good.txt": b"hi", "folder/in.txt": b"hi"}
    assert run["points"] == [("m", 0, 1, "1.0"), ("m", 1, 0, "nan")]
    assert report.of["artifacts"].skipped == 5


def test_a_file_that_comes_short_is_not_kept(session: Session) -> None:
    def short(path: str, query: dict[str, list[str]]) -> Any:
        return b"h" if path == "/get-artifact" else answers(path, query)

    with small_server(short) as url:
        report = bring(session, url)
    assert here(session)["runs"]["ab12"]["files"] == {}
    assert any("good.txt was to have 2 bytes, and 1 came" in line for line in report.words())


@pytest.mark.parametrize("at", ["get-history", "artifacts/list", "/get-artifact"])
def test_a_server_that_dies_leaves_nothing_that_looks_whole(session: Session, at: str) -> None:
    def dying(path: str, query: dict[str, list[str]]) -> Any:
        return OSError() if path.endswith(at) else answers(path, query)

    with small_server(dying) as url, pytest.raises(Unreachable, match="no answer from the MLflow"):
        bring(session, url)
    run = here(session)["runs"]["ab12"]
    assert (run["said"][2], run["said"][4]) == ("RUNNING", None)
    with small_server(answers) as url:
        bring(session, url)
    assert here(session)["runs"]["ab12"]["said"][2] == "FINISHED"


@pytest.mark.parametrize("found", [{}, {"info": 1}, {"info": {"run_id": "x"}}, [], None])
def test_a_server_that_talks_nonsense_is_told_so(session: Session, found: Any) -> None:
    def odd(path: str, query: dict[str, list[str]]) -> Any:
        return {"runs": [found]} if path.endswith("runs/search") else answers(path, query)

    with small_server(odd) as url, pytest.raises(InvalidInput, match="no MLflow server does"):
        bring(session, url)


@pytest.fixture(scope="module")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """MLflow's own server, and the folder of its database and artifacts."""
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", "sqlite:///mlflow.db", "--artifacts-destination", "./mlartifacts"),
    ]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=folder, env=ENVIRON, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _await(port, server, folder / "log")
        yield f"http://127.0.0.1:{port}", folder
    finally:
        server.terminate()
        server.wait(20)


def _await(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 90
    while time.monotonic() < until and server.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
        finally:
            connection.close()
    raise AssertionError(log.read_text())


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_mlflows_server_and_its_database_are_one_store(
    mlflow_server: tuple[str, Path], session: Session, tmp_path: Path, folder_store: Path
) -> None:
    url, folder = mlflow_server
    make(tmp_path / "client", url)
    report = bring(session, url)
    assert report.words() == []
    assert here(session) == there(url)
    assert new(bring(session, url)) == {}
    shutil.copytree(folder / "mlartifacts", tmp_path / "kept")
    again = import_from(
        session, str(folder / "mlflow.db"), tmp_path / "kept", Wanted(), lambda _: None
    )
    assert new(again) == {}
    assert again.of["artifacts"].there == report.of["artifacts"].new
    sent = send(session, url, experiments=("deleted exp",))
    assert (sent.words(), new(sent)) == ([], {})  # it came from there
    bring(session, folder_store / "mlruns")
    before = here(session)
    # MLflow's server takes no `#` in a name, and its client cuts the name there
    assert [line for line in send(session, url).words() if "#" not in line] == []
    assert new(bring(session, url, experiments=("exp 🎉 / one",))) == {}
    assert here(session) == before
