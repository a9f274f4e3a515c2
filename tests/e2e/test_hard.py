"""Hard cases that need the whole program: odd commands, links, secrets, races, homes."""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError

import pytest

from tests.e2e.server import SCOPE, Server

BARE = "{image: 'python:3'}"


def write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def test_a_command_keeps_its_quotes_newlines_and_unicode(
    shared_server: Server, tmp_path: Path
) -> None:
    job = write(
        tmp_path / "job.yml",
        "command: |\n  printf '%s\\n' \"it's\" 'a \"b\"' '$HOME'\n  echo \"héllo 🎉\"\n"
        f"environment: {BARE}\n",
    )
    shared_server.cli("job", "create", "-f", job, "-n", "quotes", "--stream")
    printed = shared_server.cli("job", "stream", "-n", "quotes").stdout
    assert printed.splitlines() == ["it's", 'a "b"', "$HOME", "héllo 🎉"]


def test_a_link_out_of_the_code_folder_is_refused(shared_server: Server, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    job = write(tmp_path / "job.yml", f"command: cat x\ncode: src\nenvironment: {BARE}\n")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "x").symlink_to(tmp_path / "secret.txt")
    done = shared_server.cli("job", "create", "-f", job, "-n", "link", check=False)
    assert done.returncode == 1
    assert "x" in done.stderr
    assert "link" in done.stderr
    with pytest.raises(HTTPError):
        shared_server.job("link")


def test_a_secret_variable_reaches_the_job_and_is_never_shown(
    shared_server: Server, tmp_path: Path
) -> None:
    job = write(
        tmp_path / "job.yml",
        'command: test "${#API_KEY}" = 7\n'
        f"environment: {BARE}\nenvironment_variables: {{API_KEY: hunter2, MODE: plain}}\n",
    )
    shown = shared_server.cli("job", "create", "-f", job, "-n", "secret", "--stream")
    assert shared_server.wait("secret")["status"] == "Completed"
    shown_again = shared_server.cli("job", "show", "-n", "secret").stdout
    body = shared_server.request("GET", f"{SCOPE}/jobs/secret")
    listed = shared_server.request("GET", f"{SCOPE}/jobs")
    for text in (shown.stdout, shown.stderr, shown_again, json.dumps(body), json.dumps(listed)):
        assert "hunter2" not in text
    assert "hunter2" not in shared_server.tail(10_000)
    assert json.loads(shown_again)["environment_variables"]["MODE"] == "plain"


def test_two_clients_create_one_version_and_one_gets_the_conflict(shared_server: Server) -> None:
    start = threading.Barrier(8)

    def create(number: int) -> int:
        start.wait(30)
        body = {"dataType": "uri_file", "dataUri": f"https://example.com/{number}.csv"}
        try:
            shared_server.request("PUT", f"{SCOPE}/data/raced/versions/1", {"properties": body})
        except HTTPError as error:
            return error.code
        return 201

    with ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(create, range(8)))
    assert answers == [201] + [409] * 7


def test_a_folder_of_data_is_uploaded_once_and_linked_after(
    shared_server: Server, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with (data / "big.bin").open("wb") as file:
        for number in range(64):
            file.write(bytes([number]) * 1024 * 1024)
    job = write(
        tmp_path / "job.yml",
        "command: wc -c < ${{inputs.data}}/big.bin\n"
        f"environment: {BARE}\ninputs:\n  data: {{type: uri_folder, path: data}}\n",
    )
    objects = shared_server.home / "files" / "objects"

    def stored() -> list[Path]:
        return [p for p in objects.rglob("*") if p.is_file() and p.stat().st_size == 64 * 1024**2]

    shared_server.cli("job", "create", "-f", job, "-n", "upload-1", "--stream")
    [kept] = stored()
    before = kept.stat().st_mtime_ns
    shared_server.cli("job", "create", "-f", job, "-n", "upload-2", "--stream")
    assert [p.stat().st_mtime_ns for p in stored()] == [before]
    uris = {shared_server.job(f"upload-{k}")["inputs"]["data"]["uri"] for k in (1, 2)}
    assert len(uris) == 1
    store = shared_server.home / "files" / "stores" / "1" / "workspaceblobstore"
    [linked] = (store / "LocalUpload").rglob("big.bin")
    assert linked.stat().st_size == 64 * 1024**2


def test_a_name_that_a_shell_would_run_is_only_a_name(
    shared_server: Server, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "$(touch pwned) it's.csv").write_text("1,2\n")
    job = write(
        tmp_path / "job.yml",
        "command: cat ${{inputs.data}} && cp ${{inputs.data}} ${{outputs.copy}}/copy.csv && ls\n"
        f"environment: {BARE}\ninputs:\n"
        '  data: {type: uri_file, path: "data/$(touch pwned) it\'s.csv"}\n'
        "outputs:\n  copy:\n    type: uri_folder\n"
        "    path: azureml://datastores/workspaceblobstore/paths/my; touch pwned/\n",
    )
    done = shared_server.cli("job", "create", "-f", job, "-n", "odd-names", "--stream")
    assert done.stdout.splitlines()[0] == "1,2"
    assert "pwned" not in done.stdout
    store = shared_server.home / "files" / "stores" / "1" / "workspaceblobstore"
    assert (store / "my; touch pwned" / "copy.csv").read_text() == "1,2\n"


def test_a_home_that_a_shell_would_read_is_refused(tmp_path: Path) -> None:
    done = Server(tmp_path / "my $(home)").cli("up", check=False)
    assert done.returncode == 1
    assert "LAZULITE_HOME" in done.stderr
    assert not (tmp_path / "my $(home)").exists()


def test_a_second_server_on_one_home_says_who_holds_it(shared_server: Server) -> None:
    done = shared_server.cli("up", check=False)
    assert done.returncode == 5
    assert str(shared_server.about["pid"]) in done.stderr
    assert "lazulite down" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_home_is_refused_with_the_mend(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    done = Server(home).cli("up", check=False)
    assert done.returncode == 6
    assert "LAZULITE_HOME" in done.stderr


def test_a_home_that_is_a_file_is_refused_with_the_mend(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("")
    done = Server(home).cli("up", check=False)
    assert done.returncode == 6
    assert "LAZULITE_HOME" in done.stderr
    assert "Traceback" not in done.stderr


class Stuck(BaseHTTPRequestHandler):
    """A package index that never answers while `go` is not set."""

    asked: threading.Event
    go: threading.Event

    def do_GET(self) -> None:
        self.asked.set()
        self.go.wait(60)
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_job_is_canceled_while_its_environment_is_built(
    shared_server: Server, tmp_path: Path
) -> None:
    class Handler(Stuck):
        asked = threading.Event()
        go = threading.Event()

    index = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=index.serve_forever)
    thread.start()
    try:
        job = write(
            tmp_path / "job.yml",
            "command: echo hi\nenvironment:\n  image: python:3\n  conda_file:\n"
            "    dependencies:\n    - pip:\n"
            f"      - --index-url http://127.0.0.1:{index.server_port}/simple\n"
            "      - never-there==1.0\n",
        )
        shared_server.cli("job", "create", "-f", job, "-n", "building")
        assert Handler.asked.wait(60)
        assert shared_server.job("building")["status"] == "Preparing"
        assert "being built" in shared_server.job("building")["lazulite"]["waitsFor"]
        shared_server.cli("job", "cancel", "-n", "building")
        assert shared_server.wait("building")["status"] == "Canceled"
    finally:
        Handler.go.set()
        index.shutdown()
        index.server_close()
        thread.join()


def test_a_request_without_a_token_is_refused_everywhere_but_health(shared_server: Server) -> None:
    import urllib.request

    base = shared_server.about["http"]
    with urllib.request.urlopen(f"{base}/healthz", timeout=10) as reply:
        assert reply.status == 200
    for path in (f"{SCOPE}/jobs", "/lazulite/v1/server", "/azureblob/1/workspaceblobstore/x"):
        with pytest.raises(HTTPError) as refused:
            urllib.request.urlopen(base + path, timeout=10)
        assert refused.value.code == 401
        refused.value.close()


def test_a_pipeline_of_five_hundred_nodes_completes(shared_server: Server) -> None:
    shared_server.request(
        "PUT", f"{SCOPE}/environments/bare/versions/1", {"properties": {"image": "python:3"}}
    )
    component = {
        "type": "command",
        "command": ": ${{inputs.k}}",
        "environment": "azureml:bare:1",
        "inputs": {"k": {"type": "integer"}},
    }
    jobs = {
        f"n{k}": {
            "type": "command",
            "component": component,
            "inputs": {"k": {"job_input_type": "literal", "value": str(k)}},
        }
        for k in range(500)
    }
    body = {"jobType": "Pipeline", "jobs": jobs, "inputs": {}, "outputs": {}, "settings": {}}
    shared_server.request("PUT", f"{SCOPE}/jobs/wide-500", {"properties": body})
    assert shared_server.wait("wide-500")["status"] == "Completed"
    shared_server.request("PUT", f"{SCOPE}/jobs/wide-501", {"properties": body})
    assert shared_server.wait("wide-501")["status"] == "Completed"
    nodes = shared_server.children("wide-501").values()
    assert len(nodes) == 500
    assert all(node["reusedFrom"] for node in nodes)


def named(server: Server, part: str) -> list[str]:
    """Return what is called so below the home; folders of other tests may go meanwhile."""
    folders = (server.home / "runs", server.home / "files" / "stores")
    steps = (step for folder in folders for step in os.walk(folder))
    found = (name for _, inner, files in steps for name in (*inner, *files))
    return [name for name in found if part in name]


def test_a_deleted_job_leaves_neither_record_nor_logs(
    shared_server: Server, tmp_path: Path
) -> None:
    job = write(
        tmp_path / "job.yml",
        f"type: pipeline\njobs:\n  a: {{type: command, command: exit 1, environment: {BARE}}}\n",
    )
    shared_server.cli("job", "create", "-f", job, "-n", "deleted")
    shared_server.wait("deleted")
    assert named(shared_server, "deleted--a")
    shared_server.request("DELETE", f"{SCOPE}/jobs/deleted")
    assert not named(shared_server, "deleted--a")
    for name in ("deleted", "deleted--a"):
        with pytest.raises(HTTPError) as gone:
            shared_server.job(name)
        assert gone.value.code == 404
        gone.value.close()


def test_a_stopped_compute_takes_no_jobs(shared_server: Server, tmp_path: Path) -> None:
    properties = {"computeType": "ComputeInstance", "properties": {"vmSize": "STANDARD_DS3_V2"}}
    body = {"location": "local", "properties": properties}
    shared_server.request("PUT", f"{SCOPE}/computes/ci", body)
    shared_server.request("POST", f"{SCOPE}/computes/ci/stop")
    job = write(
        tmp_path / "job.yml", f"command: 'true'\ncompute: azureml:ci\nenvironment: {BARE}\n"
    )
    done = shared_server.cli("job", "create", "-f", job, check=False)
    assert done.returncode == 5
    assert "compute 'ci' is stopped" in done.stderr
