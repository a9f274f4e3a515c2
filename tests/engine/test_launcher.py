"""Folders, inputs, outputs and variables of a process."""

from __future__ import annotations

import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.engine.fakes import Lab, command
from tests.records import a_job

from lazulite.domain.errors import InvalidInput
from lazulite.domain.job import CommandDef, DataInput, Job, OutputValue
from lazulite.engine.launcher import Launcher
from lazulite.engine.live import LiveCommand
from lazulite.ports.compute import Launch
from lazulite.ports.environments import Prefix

PREFIX = Prefix(key="k", bin=Path("/env/bin"), variables={"FROM_PREFIX": "1", "BOTH": "prefix"})
OUT = "azureml://datastores/workspaceblobstore/paths/azureml/j/o"


def prepared(lab: Lab, work: CommandDef | None = None, **fields: Any) -> Launch:
    job: Job = a_job(lab.workspace.id, "j", id=7, attempt=fields.pop("attempt", 1), **fields)
    live = LiveCommand(job=job, workspace=lab.workspace, work=work or command("true"))
    return lab.launcher.prepare(live, PREFIX, "fence")


def stored(lab: Lab, path: str, text: str = "x") -> DataInput:
    """Write a file into the default datastore."""
    file = lab.files.locate(lab.workspace.id, "workspaceblobstore", path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return DataInput(type="uri_file", uri=f"azureml://datastores/workspaceblobstore/paths/{path}")


def test_a_process_gets_azures_and_mlflows_variables_and_no_secret_of_the_server(lab: Lab) -> None:
    env = prepared(lab, command("true", environment_variables={"OWN": "1", "BOTH": "job"})).env
    ids = lab.workspace.ids
    assert env["AZUREML_RUN_ID"] == env["MLFLOW_RUN_ID"] == env["AZUREML_ROOT_RUN_ID"] == "j"
    assert env["AZUREML_ARM_WORKSPACE_NAME"] == ids.name
    assert env["MLFLOW_TRACKING_URI"] == f"http://127.0.0.1:1/mlflow/v1.0{ids.arm}"
    assert env["MLFLOW_TRACKING_TOKEN"] == "token-of-j"
    assert env["PATH"] == "/env/bin:/bin"
    assert (env["FROM_PREFIX"], env["OWN"], env["BOTH"], env["HOME"]) == (
        "1",
        "1",
        "job",
        "/home/ann",
    )
    assert "MY_SECRET" not in env


def test_the_shells_wish_about_byte_code_does_not_leak(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Lab,
        "launcher",
        Launcher(
            files=lab.files,
            snapshots=lab.snapshots,
            environments=lab.environments,
            runs=lab.folder / "runs",
            address=lambda: "",
            mint=lambda *_: "",
            environ={"PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C", "VIRTUAL_ENV": "/v"},
        ),
    )
    env = prepared(lab).env
    assert env["LC_ALL"] == "C"
    assert not {"PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV"} & env.keys()


def test_inputs_and_outputs_fill_the_command_and_the_variables(lab: Lab) -> None:
    data = stored(lab, "d/a.csv")
    text = "run ${{inputs.d}} ${{inputs.n}} ${{outputs.o}} $[[${{inputs.m}}]]"
    launch = prepared(
        lab,
        command(text),
        inputs={"d": data, "n": "3", "m": None},
        outputs={"o": OutputValue(type="uri_folder", uri=OUT)},
    )
    _, file, number, folder = launch.command.split()
    assert (Path(file).read_text(), number) == ("x", "3")
    assert Path(folder).is_dir()
    assert launch.env["AZURE_ML_INPUT_d"] == file
    assert launch.env["AZURE_ML_OUTPUT_o"] == folder
    assert "AZURE_ML_INPUT_m" not in launch.env


def test_outputs_and_logs_lead_to_the_artifacts(lab: Lab) -> None:
    launch = prepared(lab)
    (launch.cwd / "outputs" / "model.txt").write_text("m")
    (launch.cwd / "logs" / "log.txt").write_text("l")
    artifacts = lab.launcher.artifacts(a_job(lab.workspace.id, "j"))
    assert (artifacts / "outputs/model.txt").read_text() == "m"
    assert (artifacts / "logs/log.txt").read_text() == "l"
    assert launch.log == artifacts / "user_logs/std_log.txt"


def test_a_snapshot_with_an_outputs_folder_makes_its_files_artifacts(
    lab: Lab, tmp_path: Path
) -> None:
    code = tmp_path / "code"
    (code / "outputs").mkdir(parents=True)
    (code / "outputs/given.txt").write_text("g")
    (code / "logs").write_text("a file of this name")
    (code / "main.py").write_text("pass")
    tree = lab.snapshots.ingest(code)
    for attempt in (1, 2):
        launch = prepared(lab, command("true", snapshot=tree), attempt=attempt)
        assert (launch.cwd / "main.py").read_text() == "pass"
        assert (launch.cwd / "outputs").is_symlink()
        assert (launch.cwd / "outputs/given.txt").read_text() == "g"
        assert (launch.cwd / "logs").is_file()


def test_download_copies_and_a_mount_does_not(lab: Lab) -> None:
    data = stored(lab, "d/a.csv")
    folder = DataInput(type="uri_folder", uri=data.uri.removesuffix("/a.csv"), mode="download")
    file = DataInput(type="uri_file", uri=data.uri, mode="Download")
    for _ in range(2):  # a second attempt copies anew
        launch = prepared(lab, inputs={"folder": folder, "file": file, "mount": data})
        own = launch.cwd.parent / "inputs"
        assert Path(launch.env["AZURE_ML_INPUT_folder"]) == own / "folder"
        assert (own / "folder/a.csv").read_text() == "x"
        assert Path(launch.env["AZURE_ML_INPUT_file"]) == own / "file/a.csv"
        assert own not in Path(launch.env["AZURE_ML_INPUT_mount"]).parents
        (own / "folder/a.csv").write_text("changed")
    assert Path(launch.env["AZURE_ML_INPUT_mount"]).read_text() == "x"


@pytest.mark.parametrize("leads", ["out", "up", "round"])
def test_a_link_out_of_a_folder_is_not_downloaded(lab: Lab, tmp_path: Path, leads: str) -> None:
    data = stored(lab, "links/sub/a.csv")
    folder = DataInput(type="uri_folder", uri=data.uri.removesuffix("/sub/a.csv"), mode="download")
    place = Path(prepared(lab, inputs={"d": data}).env["AZURE_ML_INPUT_d"]).parent
    (tmp_path / "secret").mkdir()
    target = {"out": tmp_path / "secret", "up": place.parent, "round": place}[leads]
    (place / "link").symlink_to(target)
    with pytest.raises(InvalidInput, match="points out of its folder or in a circle"):
        prepared(lab, inputs={"d": folder})


def test_links_inside_are_downloaded_and_what_has_no_content_is_not(lab: Lab) -> None:
    data = stored(lab, "mixed/a.csv")
    folder = DataInput(type="uri_folder", uri=data.uri.removesuffix("/a.csv"), mode="download")
    place = Path(prepared(lab, inputs={"d": data}).env["AZURE_ML_INPUT_d"]).parent
    (place / "b.csv").symlink_to("a.csv")
    (place / "nothing").symlink_to("none")
    os.mkfifo(place / "pipe")
    got = Path(prepared(lab, inputs={"d": folder}).env["AZURE_ML_INPUT_d"])
    assert sorted(one.name for one in got.iterdir()) == ["a.csv", "b.csv"]


def test_direct_gives_the_address(lab: Lab) -> None:
    data = DataInput(type="uri_folder", uri="azureml://datastores/d/paths/x", mode="direct")
    assert prepared(lab, inputs={"d": data}).env["AZURE_ML_INPUT_d"] == data.uri


def test_data_that_is_gone_is_named(lab: Lab) -> None:
    gone = DataInput(type="uri_file", uri="azureml://datastores/workspaceblobstore/paths/gone")
    with pytest.raises(InvalidInput, match=r"nothing is at azureml://.*gone") as caught:
        prepared(lab, inputs={"d": gone})
    assert caught.value.path == "inputs.d"


def test_a_retry_clears_what_the_last_attempt_wrote_into_its_own_outputs(lab: Lab) -> None:
    own = OutputValue(type="uri_folder", uri=OUT)
    file = OutputValue(type="uri_file", uri=f"{OUT}.csv")
    explicit = OutputValue(
        type="uri_folder", uri="azureml://datastores/workspaceblobstore/paths/shared"
    )
    outputs = {"own": own, "file": file, "explicit": explicit}
    env = prepared(lab, outputs=outputs).env
    for name, inside in (("own", "a"), ("file", ""), ("explicit", "a")):
        (Path(env[f"AZURE_ML_OUTPUT_{name}"]) / inside).write_text("old")
    prepared(lab, outputs=outputs, attempt=2)
    assert list(Path(env["AZURE_ML_OUTPUT_own"]).iterdir()) == []
    assert not Path(env["AZURE_ML_OUTPUT_file"]).exists()
    assert (Path(env["AZURE_ML_OUTPUT_explicit"]) / "a").exists()


def test_the_folder_of_a_file_output_is_made_and_the_file_is_not(lab: Lab) -> None:
    launch = prepared(lab, outputs={"o": OutputValue(type="uri_file", uri=OUT)})
    place = Path(launch.env["AZURE_ML_OUTPUT_o"])
    assert place.parent.is_dir()
    assert not place.exists()


def test_an_output_that_is_no_place_is_refused(lab: Lab) -> None:
    with pytest.raises(InvalidInput, match="not a place on a datastore"):
        prepared(lab, outputs={"o": OutputValue(type="uri_folder", uri="https://h/x")})


# --- public addresses ----------------------------------------------------------------------------


class Web(http.server.BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.send_response(404 if "gone" in self.path else 200)
        self.end_headers()
        self.wfile.write(b"a,b")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def web() -> Iterator[Any]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
    server.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("path", "name"), [("/d/a.csv?x=/y", "a.csv"), ("/", "127"), ("/..", "data")]
)
def test_a_public_file_is_fetched_once(lab: Lab, web: Any, path: str, name: str) -> None:
    uri = f"http://127.0.0.1:{web.server_port}{path}"
    for attempt in (1, 2):
        launch = prepared(lab, inputs={"d": DataInput(type="uri_file", uri=uri)}, attempt=attempt)
        file = Path(launch.env["AZURE_ML_INPUT_d"])
        assert file.read_bytes() == b"a,b"
        assert file.name.startswith(name)
        assert file.parent == launch.cwd.parent / "inputs/d"
    assert len(web.asked) == 1


@pytest.mark.parametrize(
    ("uri", "what"),
    [
        ("http://127.0.0.1:{port}/gone.csv", "could not be downloaded: HTTP Error 404"),
        ("http://127.0.0.1:{port}/a b", "could not be downloaded"),
        ("http://127.0.0.1:x/a", "could not be downloaded"),
        ("s3://bucket/a", "upload the data or give an https:// address"),
    ],
)
def test_what_cannot_be_fetched_says_why(lab: Lab, web: Any, uri: str, what: str) -> None:
    data = DataInput(type="uri_file", uri=uri.replace("{port}", str(web.server_port)))
    with pytest.raises(InvalidInput, match=what):
        prepared(lab, inputs={"d": data})


@pytest.mark.parametrize(
    "uri",
    [
        "http://user:s3cret@127.0.0.1:{port}/gone.csv?sig=s3cret",
        "http://127.0.0.1:{port}/a b?sig=s3cret",
        "wasbs://c@a/x?sig=s3cret",
    ],
)
def test_what_cannot_be_fetched_keeps_its_secrets(lab: Lab, web: Any, uri: str) -> None:
    value = DataInput(type="uri_file", uri=uri.format(port=web.server_port))
    with pytest.raises(InvalidInput) as caught:
        prepared(lab, inputs={"d": value})
    assert "s3cret" not in str(caught.value)
