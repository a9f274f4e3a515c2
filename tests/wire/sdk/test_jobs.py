"""Jobs and pipelines by the unmodified SDK, on a whole server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lazulite import Workspace
from tests.e2e.server import Server
from tests.wire.sdk import SDK

pytestmark = [*SDK, pytest.mark.timeout(180)]

SCRIPT = """\
import os, sys, time
from pathlib import Path
source, target, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
print("reading", source.name, flush=True)
time.sleep(seconds)
target.mkdir(parents=True, exist_ok=True)
text = "".join(p.read_text() for p in sorted(source.rglob("*.txt")))
(target / "copy.txt").write_text(text + "+")
os.makedirs("outputs", exist_ok=True)
Path("outputs/note.txt").write_text("kept")
print("written", flush=True)
"""
STEP = """\
$schema: https://azuremlschemas.azureedge.net/latest/commandComponent.schema.json
name: step
version: "1"
type: command
inputs:
  source: {type: uri_folder}
  seconds: {type: number, default: 0}
outputs:
  target: {type: uri_folder}
code: ./src
environment:
  image: python:3.11-slim
command: python copy_step.py ${{inputs.source}} ${{outputs.target}} ${{inputs.seconds}}
"""
PIPELINE = """\
$schema: https://azuremlschemas.azureedge.net/latest/pipelineJob.schema.json
type: pipeline
display_name: from yaml
experiment_name: yaml
settings:
  default_compute: azureml:local
inputs:
  raw: {type: uri_folder, path: ./data}
outputs:
  final: {type: uri_folder}
jobs:
  one:
    type: command
    component: file:./step.yml
    inputs: {source: "${{parent.inputs.raw}}"}
  two:
    type: command
    component: file:./step.yml
    inputs: {source: "${{parent.jobs.one.outputs.target}}"}
    outputs: {target: "${{parent.outputs.final}}"}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with code, data, a component and a pipeline, new for each test."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "copy_step.py").write_text(SCRIPT)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text(tmp_path.name)
    (tmp_path / "step.yml").write_text(STEP)
    (tmp_path / "pipeline.yml").write_text(PIPELINE)
    return tmp_path


def copy_job(
    project: Path, seconds: float = 0, source: Any = None, target: Any = None, **extra: Any
) -> Any:
    """Return a command job with local code and data."""
    from azure.ai.ml import Input, Output, command
    from azure.ai.ml.entities import Environment

    line = "python copy_step.py ${{inputs.source}} ${{outputs.target}} ${{inputs.seconds}}"
    return command(
        code=project / "src",
        command=line,
        inputs={
            "source": Input(type="uri_folder", path=source or project / "data"),
            "seconds": seconds,
        },
        outputs={"target": target or Output(type="uri_folder")},
        environment=Environment(image="python:3.11-slim"),
        experiment_name="copies",
        **extra,
    )


def test_a_command_is_submitted_streamed_and_downloaded(
    worker: Any, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = worker.jobs.create_or_update(copy_job(project, 2, display_name="copy", tags={"k": "v"}))
    worker.jobs.stream(job.name)
    assert "reading data" in capsys.readouterr().out
    done = worker.jobs.get(job.name)
    assert (done.status, done.display_name, done.tags["k"]) == ("Completed", "copy", "v")
    worker.jobs.download(job.name, download_path=project / "down", all=True)
    down = project / "down"
    assert (down / "named-outputs/target/copy.txt").read_text() == f"{project.name}+"
    assert "written" in (down / "artifacts/user_logs/std_log.txt").read_text()
    assert (down / "artifacts/outputs/note.txt").read_text() == "kept"
    worker.jobs.download(job.name, download_path=project / "one", output_name="target")
    assert (project / "one/named-outputs/target/copy.txt").exists()


def test_a_command_that_fails_says_why(worker: Any, project: Path) -> None:
    from azure.ai.ml.exceptions import JobException

    (project / "src" / "copy_step.py").write_text(
        "import time; time.sleep(1); raise SystemExit('no luck')"
    )
    job = worker.jobs.create_or_update(copy_job(project))
    with pytest.raises(JobException, match="no luck"):
        worker.jobs.stream(job.name)


def test_a_running_command_is_canceled(worker: Any, project: Path) -> None:
    job = worker.jobs.create_or_update(copy_job(project, 600))
    worker.jobs.begin_cancel(job.name).result()
    worker.jobs.stream(job.name)
    final = _final(worker, job.name)
    assert final.status == "Canceled"


def test_a_completed_command_cannot_be_canceled(worker: Any, project: Path) -> None:
    from azure.core.exceptions import ResourceExistsError

    done = worker.jobs.create_or_update(copy_job(project))
    _final(worker, done.name)
    with pytest.raises(ResourceExistsError, match="is Completed already"):
        worker.jobs.begin_cancel(done.name).result()


def test_a_job_is_archived_listed_and_described_anew(worker: Any, project: Path) -> None:
    from azure.ai.ml.constants import ListViewType

    job = worker.jobs.create_or_update(copy_job(project))
    worker.jobs.archive(job.name)
    assert job.name not in {j.name for j in worker.jobs.list()}
    archived = worker.jobs.list(list_view_type=ListViewType.ARCHIVED_ONLY)
    assert job.name in {j.name for j in archived}
    worker.jobs.restore(job.name)
    assert job.name in {j.name for j in worker.jobs.list()}
    job.display_name, job.tags = "other words", {"new": "tag"}
    assert worker.jobs.create_or_update(job).display_name == "other words"
    assert worker.jobs.get(job.name).tags["new"] == "tag"
    assert worker.jobs.show_services(job.name) is None
    _final(worker, job.name)


def test_a_pipeline_of_yaml_components_runs_and_is_reused(worker: Any, project: Path) -> None:
    from azure.ai.ml import Input, load_component
    from azure.ai.ml.dsl import pipeline

    step = load_component(project / "step.yml")

    @pipeline(display_name="two steps", default_compute="local")
    def two_steps(raw):
        first = step(source=raw)
        second = step(source=first.outputs.target)
        return {"final": second.outputs.target}

    raw = Input(type="uri_folder", path=str(project / "data"))
    job = worker.jobs.create_or_update(two_steps(raw), experiment_name="dsl")
    worker.jobs.stream(job.name)
    worker.jobs.download(job.name, download_path=project / "down", output_name="final")
    copied = project / "down/named-outputs/final/copy.txt"
    assert copied.read_text() == f"{project.name}++"
    children = list(worker.jobs.list(parent_job_name=job.name))
    assert {c.display_name for c in children} == {"first", "second"}
    assert {worker.jobs.get(c.name).status for c in children} == {"Completed"}
    again = worker.jobs.create_or_update(two_steps(raw), experiment_name="dsl")
    worker.jobs.stream(again.name)
    reused = [
        c.properties.get("azureml.isreused") for c in worker.jobs.list(parent_job_name=again.name)
    ]
    assert reused == ["true", "true"]


def test_a_pipeline_of_yaml_runs_as_it_is(worker: Any, project: Path) -> None:
    from azure.ai.ml import load_job

    job = worker.jobs.create_or_update(load_job(project / "pipeline.yml"))
    assert job.name in {listed.name for listed in worker.jobs.list()}
    worker.jobs.stream(job.name)
    worker.jobs.download(job.name, download_path=project / "down", all=True)
    copied = project / "down/named-outputs/final/copy.txt"
    assert copied.read_text() == f"{project.name}++"


def test_a_registered_component_runs_in_a_pipeline(worker: Any, project: Path) -> None:
    from azure.ai.ml import Input, load_component
    from azure.ai.ml.dsl import pipeline

    worker.components.create_or_update(load_component(project / "step.yml"))
    step = worker.components.get("step", "1")

    @pipeline(default_compute="local")
    def one_step(raw):
        step(source=raw)

    raw = Input(type="uri_folder", path=str(project / "data"))
    job = worker.jobs.create_or_update(one_step(raw))
    worker.jobs.stream(job.name)
    assert worker.jobs.get(job.name).status == "Completed"


def test_an_output_with_a_name_becomes_a_data_asset(worker: Any, project: Path) -> None:
    from azure.ai.ml import Output

    target = Output(type="uri_folder", name="copied", version="1")
    job = worker.jobs.create_or_update(copy_job(project, target=target))
    assert _final(worker, job.name).status == "Completed"
    assert worker.data.get("copied", "1").type == "uri_folder"
    following = worker.jobs.create_or_update(copy_job(project, source="azureml:copied:1"))
    assert _final(worker, following.name).status == "Completed"


def test_an_unchanged_script_runs_a_command_and_a_pipeline(
    plain_worker: Any, project: Path
) -> None:
    from azure.ai.ml import load_job

    command = plain_worker.jobs.create_or_update(copy_job(project))
    flow = plain_worker.jobs.create_or_update(load_job(project / "pipeline.yml"))
    plain_worker.jobs.stream(flow.name)
    assert _final(plain_worker, command.name).status == "Completed"
    assert plain_worker.jobs.get(flow.name).status == "Completed"
    plain_worker.jobs.download(command.name, download_path=project / "down", all=True)
    assert (project / "down/named-outputs/target/copy.txt").exists()


def _final(client: Any, name: str) -> Any:
    client.jobs.stream(name)
    return client.jobs.get(name)


def test_what_the_command_line_submitted_is_read(
    worker: Any, engine: Server, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAZULITE_HOME", str(engine.home))
    with Workspace() as workspace:
        name = workspace.submit(project / "pipeline.yml").wait().name
    job = worker.jobs.get(name)
    assert list(job.jobs) == ["one", "two"]
    component = worker.components.get(*job.jobs["one"].component.split(":"))
    assert component.command.startswith("python copy_step.py")
