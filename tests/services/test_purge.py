"""What a purge frees, to the byte; shared files count where their last name goes."""

from __future__ import annotations

import io
import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lazulite.domain.access import OWNER
from lazulite.domain.asset import Asset, AssetKind
from lazulite.domain.ids import DEFAULT_WORKSPACE
from lazulite.domain.job import JobKind, JobStatus
from lazulite.formats.azure.asset import AssetDraft
from lazulite.ports.blobs import Upload
from lazulite.ports.store import Tx
from lazulite.ports.uploads import UploadName
from lazulite.services import (
    artifacts,
    assets,
    jobs,
    models,
    purge,
    registry,
    tracking,
    versions,
    workspaces,
)
from lazulite.services.artifact_paths import ArtifactPath
from lazulite.services.context import Services
from tests.records import a_job
from tests.wire.live import make_services

WS = DEFAULT_WORKSPACE
FOREVER = 10**15
BIG = bytes(range(256)) * 1024  # 256 KiB
EIGHT_DAYS = 8 * 24 * 3600


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    (tmp_path / "home").mkdir()
    made = make_services(tmp_path / "home", lambda _: None)
    workspaces.ensure_default(made)
    yield made
    made.store.close()


def put(services: Services, where: ArtifactPath, data: bytes) -> None:
    place = artifacts.writable(services, WS, where, OWNER)
    services.files.root(place.workspace, place.datastore)
    services.files.blobs.put(place.blob, io.BytesIO(data), Upload(shared=place.is_shared))


def run(services: Services, *files: bytes, parent: str | None = None) -> str:
    tags = (("mlflow.parentRunId", parent),) if parent else ()
    name = tracking.start(services, WS, tracking.RunDraft(tags=tags), OWNER).head.name
    for number, data in enumerate(files):
        put(services, ArtifactPath("run", name, f"{number}.txt"), data)
    return name


def model(services: Services, of: str, *files: bytes) -> str:
    draft = models.ModelDraft(experiment="0", source_run=of)
    made = models.create(services, WS, draft, OWNER).model
    for number, data in enumerate(files):
        put(services, ArtifactPath("model", made, f"{number}.bin"), data)
    return made


def register(services: Services, made: str) -> str:
    registry.create(services, WS, "m", "", {})
    draft = versions.VersionDraft(name="m", source=f"models:/{made}")
    return versions.create(services, WS, draft, OWNER)[1].version


def bin_(services: Services, *runs: str) -> None:
    for name in runs:
        tracking.set_deleted(services, WS, name, OWNER, deleted=True)


def stored(services: Services) -> int:
    """Return the bytes of all files, each once."""
    root = services.files.root(1, "workspaceartifactstore").parent
    states = [one.stat() for one in root.rglob("*") if one.is_file()]
    return sum({state.st_ino: state.st_size for state in states}.values())


def empty(services: Services) -> dict[str, purge.Purged]:
    """Purge; check that the dry run said the same, and that it is what the disk has more."""
    said = purge.purge(services, WS, FOREVER, dry=True)
    before = stored(services)
    done = purge.purge(services, WS, FOREVER, dry=False)
    assert said == done
    assert before - stored(services) == sum(one.size for one in done if not one.kept)
    return {one.id: one for one in done}


def test_models_go_with_their_run(services: Services) -> None:
    one, other = run(services, b"12345"), run(services, b"123")
    mine, theirs = model(services, one, BIG, b"x"), model(services, other, b"y")
    bin_(services, one)
    found = empty(services)
    assert (found[one].files, found[one].size) == (3, 5 + len(BIG) + 1)
    with pytest.raises(Exception, match="not found"):
        models.get(services, WS, mine)
    assert models.get(services, WS, theirs)[0].source_run == other


def test_shared_bytes_count_when_the_last_name_goes(services: Services) -> None:
    names = [run(services) for _ in range(4)]
    for name in names:
        model(services, name, BIG)
    bin_(services, names[0], names[1])
    assert {one.size for one in empty(services).values()} == {0}
    bin_(services, names[2], names[3])
    assert sorted(one.size for one in empty(services).values()) == [0, len(BIG)]
    assert stored(services) == 0


def test_a_run_stays_while_the_registry_uses_a_model_of_it(services: Services) -> None:
    name = run(services, b"1")
    kept, lost = model(services, name, BIG), model(services, name, b"2")
    version = register(services, kept)
    bin_(services, name)
    assert empty(services)[name].kept == "model 'm:1' is registered from it"
    assert models.get(services, WS, lost)
    services.store.write(lambda tx: tx.assets.delete(1, AssetKind.MODEL, "m", version))
    assert empty(services)[name].size == 1 + len(BIG) + 1


def test_what_is_below_a_run_goes_with_it_and_counts_once(services: Services) -> None:
    parent = run(services, b"1")
    child = run(services, b"22", parent=parent)
    grandchild = run(services, b"333", parent=child)
    model(services, grandchild, b"4444")
    bin_(services, parent, child)
    assert sum(one.size for one in empty(services).values()) == 10


def test_headers_that_were_kept_go_too(services: Services, tmp_path: Path) -> None:
    name = run(services)
    made = model(services, name, b"x")
    place = artifacts.readable(services, WS, ArtifactPath("model", made, "0.bin")).blob
    services.files.blobs.describe(
        place, lambda now: type(now)(content_type="image/png"), lambda _: None
    )
    about = tmp_path / "home/files/stores/1/.blobs/workspaceartifactstore/about"
    assert [one for one in about.rglob("*") if one.is_file()]
    bin_(services, name)
    purge.purge(services, WS, FOREVER, dry=False)
    assert not [one for one in about.rglob("*") if one.is_file()]


def swept(services: Services) -> dict[str, tuple[int, int]]:
    """Sweep; check that the dry run said the same and that nothing is left."""
    said = purge.sweep(services, WS, dry=True)
    assert purge.sweep(services, WS, dry=False) == said
    assert purge.sweep(services, WS, dry=True) == []
    return {one.what: (one.files, one.size) for one in said}


def test_files_of_deleted_models_are_swept_but_not_those_in_use(services: Services) -> None:
    name = run(services)
    gone, used, registered = (model(services, name, BIG + bytes([n])) for n in range(3))
    register(services, registered)
    for one in (gone, registered):
        models.delete(services, WS, one, OWNER)
    assert swept(services) == {"files of deleted models": (1, len(BIG) + 1)}
    for one in (used, registered):
        assert services.files.locate(1, "workspaceartifactstore", f"LoggedModels/{one}").is_dir()


def abandon(services: Services, home: Path, age: float) -> None:
    place = artifacts.writable(services, WS, ArtifactPath("run", run(services), "f"), OWNER)
    services.files.root(1, "workspaceartifactstore")
    upload = UploadName(place.blob, "u")
    services.files.uploads.begin(upload)
    services.files.uploads.put(upload, 1, io.BytesIO(b"12345"), {})
    services.files.blobs.put_block(place.blob, "a", io.BytesIO(b"123"), {})
    beside = home / "files/stores/1/.blobs/workspaceartifactstore"
    for folder in (*(beside / "uploads").iterdir(), *(beside / "blocks").iterdir()):
        os.utime(folder, (time.time() - age,) * 2)


def test_uploads_that_nobody_finished_are_swept_after_a_week(
    services: Services, tmp_path: Path
) -> None:
    abandon(services, tmp_path / "home", 3600)
    assert swept(services) == {}
    abandon(services, tmp_path / "home", EIGHT_DAYS)
    assert swept(services) == {"abandoned uploads": (4, 16)}


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let eight days pass for what asks for the time."""
    now = time.time

    def pass_() -> None:
        monkeypatch.setattr(time, "time", lambda: now() + EIGHT_DAYS)

    return pass_


def test_code_that_nothing_names_is_swept_after_a_week(
    services: Services, tmp_path: Path, later: Callable[[], None]
) -> None:
    trees = []
    for name in ("used", "unused", "asked"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "own.py").write_text(name)
        (folder / "same.py").write_text("same")
        trees.append(services.snapshots.ingest(folder))
    used, unused, asked = trees
    keep = {used}
    assert all(one.files == 0 for one in services.snapshots.sweep(keep, dry=False))
    later()
    os.utime(tmp_path / f"home/files/trees/{asked[:2]}/{asked[2:]}", (time.time(),) * 2)
    said = services.snapshots.sweep(keep, dry=True)
    assert [one.files for one in said] == [1, 1]
    assert services.snapshots.sweep(keep, dry=False) == said
    for tree in (used, asked):
        services.snapshots.materialise(tree, tmp_path / f"made-{tree[:8]}")
    with pytest.raises(Exception, match="does not exist"):
        services.snapshots.entries(unused)


def test_code_that_a_version_names_is_known(services: Services) -> None:
    now, digest, other = services.clock.now(), "ab" * 32, "cd" * 32
    code = Asset(
        kind=AssetKind.CODE,
        name="c",
        version="1",
        body={"codeUri": f"lazulite://snapshots/{digest}"},
        digest=other,
        created_at=now,
        created_by="t",
        modified_at=now,
    )
    services.store.write(lambda tx: tx.assets.add(1, code))
    assert services.store.read(lambda tx: tx.assets.snapshots()) == {digest, other}


def as_azure_registers(services: Services, uri: str, version: str = "1") -> None:
    target = assets.named(services, AssetKind.MODEL, "a", version, OWNER)
    body = {"modelUri": uri, "modelType": "custom_model"}
    assets.put(services, WS, target, AssetDraft(body=body, anonymous=False, stage=None))


STORE = "azureml://datastores/workspaceartifactstore/paths"


@pytest.mark.parametrize(
    "uri",
    [
        STORE + "/ExperimentRun/dcid.{run}/0.txt",
        STORE + "/ExperimentRun//dcid.{run}/0.txt",
        STORE + "/./ExperimentRun/dcid.{run}",
        DEFAULT_WORKSPACE.arm.join(("azureml:/", STORE.removeprefix("azureml:/")))
        + "/ExperimentRun/dcid.{run}/0.txt",
        STORE + "/LoggedModels/{model}/0.bin",
        "azureml://jobs/{run}/outputs/artifacts/paths/0.txt",
        "azureml://jobs/{run}/outputs/model",
        "runs:/{run}/0.txt",
        "models:/{model}",
    ],
)
def test_a_run_stays_whatever_address_of_it_is_registered(services: Services, uri: str) -> None:
    name = run(services, b"1")
    made = model(services, name, b"2")
    as_azure_registers(services, uri.format(run=name, model=made))
    bin_(services, name)
    assert empty(services)[name].kept == "model 'a:1' is registered from it"
    assert models.get(services, WS, made)


def test_every_version_counts_however_many_there_are(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge, "_AT_ONCE", 2)
    names = [run(services, b"1") for _ in range(5)]
    for number, name in enumerate(names, 1):
        as_azure_registers(services, f"{STORE}/ExperimentRun/dcid.{name}", str(number))
    bin_(services, *names)
    assert all(one.kept for one in empty(services).values())


def test_an_address_that_cannot_be_stops_no_purge(services: Services) -> None:
    as_azure_registers(services, "azureml://datastores/a/paths/../b")
    name = run(services, b"1")
    bin_(services, name)
    assert not empty(services)[name].kept
    assert swept(services) == {}


def test_runs_may_be_nested_deeper_than_any_stack(services: Services) -> None:
    parent: str | None = None
    heads = []

    def work(tx: Tx) -> None:
        nonlocal parent
        for _ in range(1005):
            draft = a_job(1, uuid.uuid4().hex, kind=JobKind.RUN)
            heads.append(tx.runs.start(draft, parent).name)
            parent = heads[-1]

    services.store.write(work)
    put(services, ArtifactPath("run", heads[-1], "f"), b"123")
    bin_(services, heads[0])
    assert empty(services)[heads[0]].size == 3
    with pytest.raises(Exception, match="not found"):
        tracking.get(services, WS, heads[-1])


def test_a_run_that_is_taken_out_of_the_bin_meanwhile_stays(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, gone = run(services, b"1"), run(services, b"2")
    bin_(services, kept, gone)
    space = type(services.files.space)
    pooled = space.pooled

    def restored(self: Any, workspace: int) -> Any:
        tracking.set_deleted(services, WS, kept, OWNER, deleted=False)
        return pooled(self, workspace)

    monkeypatch.setattr(space, "pooled", restored)
    found = {one.id: one.kept for one in purge.purge(services, WS, FOREVER, dry=False)}
    assert found == {gone: None, kept: "it was taken out of the bin"}
    assert artifacts.usage(services, WS, ArtifactPath("run", kept, "")) == (1, 1)


def test_a_run_that_is_registered_meanwhile_stays(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = run(services, b"1")
    bin_(services, name)
    space = type(services.files.space)
    pooled = space.pooled

    def registered(self: Any, workspace: int) -> Any:
        as_azure_registers(services, f"{STORE}/ExperimentRun/dcid.{name}")
        return pooled(self, workspace)

    monkeypatch.setattr(space, "pooled", registered)
    [found] = purge.purge(services, WS, FOREVER, dry=False)
    assert found.kept == "model 'a:1' is registered from it"
    assert artifacts.usage(services, WS, ArtifactPath("run", name, "")) == (1, 1)


def test_a_model_that_is_logged_during_a_sweep_stays(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = run(services)
    space = type(services.files.space)
    folders, made = space.folders, []

    def logged(self: Any, *where: Any) -> Any:
        made.append(model(services, of, b"precious"))
        return folders(self, *where)

    monkeypatch.setattr(space, "folders", logged)
    assert purge.sweep(services, WS, dry=False) == []
    for one in made:
        assert artifacts.usage(services, WS, ArtifactPath("model", one, "")) == (1, 8)


def test_files_of_runs_whose_deletion_was_cut_off_are_swept_after_a_week(
    services: Services,
) -> None:
    kept, cut = run(services, b"1"), run(services, b"22")
    services.store.write(lambda tx: jobs.remove(tx, tx.jobs.get(1, cut)))  # and then kill -9
    assert swept(services) == {}
    for one in (kept, cut):
        folder = services.files.locate(1, "workspaceartifactstore", f"ExperimentRun/dcid.{one}")
        os.utime(folder, (time.time() - EIGHT_DAYS,) * 2)
    assert swept(services) == {"files of deleted runs": (1, 2)}
    assert artifacts.usage(services, WS, ArtifactPath("run", kept, "")) == (1, 1)


def test_working_folders_of_completed_jobs_are_swept_after_a_week(
    services: Services, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    services = replace(services, runs=runs)
    statuses = {"done": JobStatus.COMPLETED, "bad": JobStatus.FAILED, "busy": JobStatus.RUNNING}
    for name, status in statuses.items():
        job = a_job(1, name, status=status)
        services.store.write(lambda tx, job=job: tx.jobs.add(job, None))
    for name in (*statuses, "gone"):
        folder = runs / "1" / name
        (folder / "wd").mkdir(parents=True)
        (folder / "wd" / "f").write_bytes(b"12345")
        os.utime(folder, (time.time() - EIGHT_DAYS,) * 2)
    assert swept(services) == {"working folders of completed jobs": (2, 10)}
    assert sorted(one.name for one in (runs / "1").iterdir()) == ["bad", "busy"]
