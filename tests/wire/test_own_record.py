"""What a job was made of: its record, and its code as a tar file."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lazulite.client.code import bring_code
from lazulite.client.rest import Address, Connection
from lazulite.client.session import Session
from lazulite.config import Settings
from lazulite.domain.errors import Conflict, NotFound
from lazulite.domain.ids import DEFAULT_WORKSPACE
from lazulite.domain.job import (
    CommandDef,
    DataInput,
    Job,
    JobKind,
    JobStatus,
    OutputValue,
    Timeline,
)
from lazulite.domain.pipeline import PipelineDef
from lazulite.domain.usage import Host, Usage
from lazulite.services.jobs import encode_work
from tests.wire.live import SCOPE, Live

HERE = f"/lazulite/v1{SCOPE}/jobs"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
BLOBS = "azureml://datastores/workspaceblobstore/paths"
GIT = {"mlflow.source.git.commit": "c0ffee", "azureml.git.dirty": "True", "other": "x"}
LARGE = bytes(range(256)) * 3000


@pytest.fixture(scope="module")
def code(live: Live, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("code")
    (folder / "lib").mkdir(parents=True)
    (folder / "train.py").write_text("print()")
    (folder / "lib" / "größe.bin").write_bytes(LARGE)
    (folder / "run.sh").write_text("")
    (folder / "run.sh").chmod(0o755)
    return live.services.snapshots.ingest(folder)


@pytest.fixture(scope="module")
def step(live: Live, code: str) -> Job:
    """A step that ended, of a pipeline whose code is in git."""
    work = CommandDef(command="python train.py", snapshot=code, environment="env", inputs={})
    inputs = {
        "made": DataInput(type="uri_folder", uri=f"{BLOBS}/azureml/p--prep/out/"),
        "raw": DataInput(type="uri_folder", uri=f"{BLOBS}/raw"),
        "lr": "0.1",
    }
    outputs = {"model": OutputValue(type="uri_folder", uri=f"{BLOBS}/azureml/p--step/model/")}

    def store(tx):  # type: ignore[no-untyped-def]
        row = tx.workspaces.get(DEFAULT_WORKSPACE).id
        common = {
            "workspace": row,
            "experiment": "e",
            "timeline": Timeline(created=NOW),
            "created_by": "ann",
            "modified_at": NOW,
        }
        parent = Job(name="p", display_name="p", kind=JobKind.PIPELINE, properties=GIT, **common)
        parent = tx.jobs.add(parent, encode_work(PipelineDef(nodes={})))
        tx.executions.claim("t", [parent.id])
        child = Job(
            name="p--step",
            display_name="step",
            kind=JobKind.COMMAND,
            parent=parent.id,
            root=parent.id,
            node="step",
            inputs=inputs,
            outputs=outputs,
            environment_key="key",
            **common,
        )
        [child] = tx.executions.spawn("t", [(child, encode_work(work))])
        host = tx.executions.host(Host(name="box", cpus=4, python="3.11.9"))
        usage = Usage(cpu=1.5, wall=2.0)
        change = {"status": JobStatus.COMPLETED, "host": host, "usage": usage, "ended": NOW}
        tx.executions.advance("t", [(child.id, change)])
        return child

    stored: Job = live.services.store.write(store)
    return stored


@pytest.fixture
def session(live: Live) -> Iterator[Session]:
    address = Address(url=live.http, token=live.tokens.owner)
    settings = Settings(home=live.home)
    made = Session(connection=Connection(address), workspace=DEFAULT_WORKSPACE, settings=settings)
    yield made
    made.close()


def test_a_record_tells_what_a_step_was_made_of(live: Live, step: Job, code: str) -> None:
    found = live.get(f"{HERE}/{step.name}/record").body
    assert (found["job"], found["parent"], found["root"]) == ("p--step", "p", "p")
    assert found["code"] == {"digest": code, "files": 3, "size": 7 + len(LARGE)}
    assert found["source"] == {k: v for k, v in GIT.items() if k != "other"}
    assert found["command"] == "python train.py"
    assert found["environment"] == {"id": "env", "key": "key", "python": "3.11.9"}
    assert found["inputs"]["lr"] == "0.1"
    assert found["inputs"]["made"]["origin"] == "p--prep/out"
    assert "origin" not in found["inputs"]["raw"]
    assert found["outputs"]["model"]["uri"].endswith("/p--step/model/")
    assert found["host"] == {"name": "box", "cpus": 4, "python": "3.11.9"}
    assert found["usage"] == {"cpu": 1.5, "wall": 2.0}


def test_a_pipeline_has_no_code_of_its_own(live: Live, step: Job) -> None:
    found = live.get(f"{HERE}/p/record").body
    assert (found["code"], found["command"], found["root"]) == (None, None, None)
    answer = live.get(f"{HERE}/p/code")
    assert answer.status == 409
    assert "lazulite job list -p p" in answer.message
    assert live.get(f"{HERE}/none/record").status == 404


def test_code_comes_as_a_tar_file(live: Live, step: Job) -> None:
    answer = live.get(f"{HERE}/{step.name}/code")
    assert answer.headers["content-type"] == "application/x-tar"
    with tarfile.open(fileobj=io.BytesIO(answer.raw)) as archive:
        names = {one.name: one.mode for one in archive}
    assert names == {"train.py": 0o644, "lib/größe.bin": 0o644, "run.sh": 0o755}


def test_code_is_brought_as_it_was(session: Session, step: Job, tmp_path: Path) -> None:
    target = tmp_path / "got"
    assert bring_code(session, step.name, target) == 3
    assert (target / "lib" / "größe.bin").read_bytes() == LARGE
    assert (target / "run.sh").stat().st_mode & 0o111
    with pytest.raises(Conflict, match="pipeline"):
        bring_code(session, "p", target)
    with pytest.raises(NotFound):
        bring_code(session, "none", target)
    (tmp_path / "busy" / "train.py").mkdir(parents=True)
    with pytest.raises(Conflict, match="in the way"):
        bring_code(session, step.name, tmp_path / "busy")
