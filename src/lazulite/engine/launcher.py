"""From a job to a process: folders, inputs, outputs, variables, command. It waits for none."""

from __future__ import annotations

import os
import re
import shutil
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path

from lazulite.domain.errors import InvalidInput
from lazulite.domain.expression import render_command
from lazulite.domain.ids import ARTIFACT_STORE, StoragePath, parse_storage
from lazulite.domain.job import DataInput, Job, OutputValue
from lazulite.domain.workspace import Workspace
from lazulite.engine.live import LiveCommand
from lazulite.ports.compute import Launch
from lazulite.ports.environments import Environments, Prefix
from lazulite.ports.files import DataFiles, Snapshots

INHERITED = frozenset(
    (
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "LANGUAGE",
        "TZ",
        "TMPDIR",
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
        "CUDA_VISIBLE_DEVICES",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
    )
)  # what a job gets from the server's own environment; nothing else leaks
NOT_PLAIN = re.compile(r"[^\w./\-+@:,=%]")  # characters that a shell may read as its own
FETCH_TIMEOUT = 60.0  # seconds without a byte
STD_LOG = "user_logs/std_log.txt"
BUILD_LOG = "azureml-logs/20_image_build_log.txt"


def run_of(job: str) -> str:
    """Return the folder of a job's artifacts on the artifact datastore."""
    return f"ExperimentRun/dcid.{job}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Launcher:
    """Makes everything a process needs. Called in worker threads."""

    files: DataFiles
    snapshots: Snapshots
    environments: Environments
    runs: Path  # home/runs
    address: Callable[[], str]  # base URL of the server's HTTP listener
    mint: Callable[[Workspace, Job], str]  # token of a job
    environ: Mapping[str, str]  # the server's own environment

    def artifacts(self, job: Job) -> Path:
        """Return the folder of a job's artifacts."""
        return self.files.locate(job.workspace, ARTIFACT_STORE, run_of(job.name))

    def log(self, job: Job) -> Path:
        """Return the file of a job's stdout and stderr."""
        return self.artifacts(job) / STD_LOG

    def folder(self, job: Job) -> Path:
        """Return the run folder of a job."""
        return self.runs / str(job.workspace) / job.name

    def outline(self, job: Job, fence: str) -> Launch:
        """Return the launch without what only a start needs: enough to look, watch and stop."""
        folder = self.folder(job)
        return Launch(
            key=str(job.id),
            attempt=job.attempt,
            fence=fence,
            command="",
            cwd=folder / "wd",
            env={},
            log=self.log(job),
            records=folder / "records",
        )

    def prepare(self, live: LiveCommand, prefix: Prefix, fence: str) -> Launch:
        """Make the folders of the next attempt and return what to run.

        Raises:
            InvalidInput: an input is missing or the command cannot be filled.
            OSError: the file system refused.
        """
        job, outline = live.job, self.outline(live.job, fence)
        folder, artifacts = self.folder(job), self.artifacts(job)
        for path in (
            outline.records,
            outline.log.parent,
            artifacts / "outputs",
            artifacts / "logs",
        ):
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._code(live, outline.cwd, artifacts)
        inputs = {n: self._input(job, n, v, folder) for n, v in job.inputs.items()}
        outputs = {n: self._output(job, n, v) for n, v in job.outputs.items()}
        command = render_command(live.work.command, _values(inputs, outputs, job.name))
        env = {
            **self._base(prefix),
            **job_variables(job, live.workspace, live.root.job.name, self.address()),
            **{f"AZURE_ML_INPUT_{n}": v for n, v in inputs.items() if v is not None},
            **{f"AZURE_ML_OUTPUT_{n}": v for n, v in outputs.items()},
            "MLFLOW_TRACKING_TOKEN": self.mint(live.workspace, job),
            **prefix.variables,
            **live.work.environment_variables,
        }
        return Launch(
            key=outline.key,
            attempt=job.attempt,
            fence=fence,
            command=command,
            cwd=outline.cwd,
            env=env,
            log=outline.log,
            records=outline.records,
        )

    def _base(self, prefix: Prefix) -> dict[str, str]:
        own = {k: v for k, v in self.environ.items() if k in INHERITED or k.startswith("LC_")}
        path = self.environ.get("PATH", os.defpath)
        return {**own, "PATH": f"{prefix.bin}{os.pathsep}{path}", "PYTHONUNBUFFERED": "1"}

    def _code(self, live: LiveCommand, cwd: Path, artifacts: Path) -> None:
        if cwd.exists():
            shutil.rmtree(cwd)
        cwd.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if live.work.snapshot:
            self.snapshots.materialise(live.work.snapshot, cwd)
        else:
            cwd.mkdir(mode=0o700)
        for name in ("outputs", "logs"):
            own = cwd / name
            if own.is_dir():  # the snapshot has such a folder: its files are artifacts too
                shutil.copytree(own, artifacts / name, dirs_exist_ok=True)
                shutil.rmtree(own)
            if not own.exists():  # a file of that name is the user's: it stays
                own.symlink_to(artifacts / name)

    def _input(
        self, job: Job, name: str, value: str | DataInput | None, folder: Path
    ) -> str | None:
        if value is None or isinstance(value, str):
            return value
        mode = (value.mode or "").lower().replace("_", "")
        if mode == "direct":
            return value.uri
        storage = parse_storage(value.uri)
        if not isinstance(storage, StoragePath):
            fetched = _fetch(value.uri, folder / "inputs" / name)
            return str(_plain(fetched, folder / "links" / "inputs" / name))
        path = self.files.locate(job.workspace, storage.datastore, storage.path)
        if not path.exists():
            raise InvalidInput(
                f"inputs.{name}: nothing is at {value.uri}; upload it again or name another place",
                path=f"inputs.{name}",
            )
        found = _copy(path, folder / "inputs" / name) if mode == "download" else path
        return str(_plain(found, folder / "links" / "inputs" / name))

    def _output(self, job: Job, name: str, value: OutputValue) -> str:
        path = self.output_path(job, value)
        owned = f"/paths/azureml/{job.name}/" in value.uri
        if job.attempt > 1 and owned:
            _remove(path)  # an earlier attempt's leavings
        folder = path.parent if value.type == "uri_file" else path
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return str(_plain(path, self.folder(job) / "links" / "outputs" / name))

    def output_path(self, job: Job, value: OutputValue) -> Path:
        """Return where an output is on this machine."""
        storage = parse_storage(value.uri)
        if not isinstance(storage, StoragePath):
            raise InvalidInput(f"output {value.uri!r} is not a place on a datastore")
        return self.files.locate(job.workspace, storage.datastore, storage.path)


def _values(
    inputs: Mapping[str, str | None], outputs: Mapping[str, str], name: str
) -> dict[str, str | None]:
    values: dict[str, str | None] = {f"inputs.{n}": v for n, v in inputs.items()}
    values |= {f"outputs.{n}": v for n, v in outputs.items()}
    return {**values, "name": name}


def job_variables(job: Job, workspace: Workspace, root: str, address: str) -> dict[str, str]:
    """Return the variables Azure ML and MLflow set in a job."""
    ids = workspace.ids
    return {
        "AZUREML_RUN_ID": job.name,
        "AZUREML_ROOT_RUN_ID": root,
        "AZUREML_EXPERIMENT_NAME": job.experiment,
        "AZUREML_EXPERIMENT_ID": str(job.experiment_id),
        "AZUREML_EXPERIMENT_SCOPE": f"{ids.arm}/experiments/{job.experiment}",
        "AZUREML_WORKSPACE_SCOPE": ids.arm,
        "AZUREML_SERVICE_ENDPOINT": address,
        "AZUREML_ARM_SUBSCRIPTION": ids.subscription,
        "AZUREML_ARM_RESOURCEGROUP": ids.resource_group,
        "AZUREML_ARM_WORKSPACE_NAME": ids.name,
        "AZUREML_ARM_PROJECT_NAME": job.experiment,
        "MLFLOW_TRACKING_URI": f"{address}/mlflow/v1.0{ids.arm}",
        "MLFLOW_RUN_ID": job.name,
        "MLFLOW_EXPERIMENT_NAME": job.experiment,
        "MLFLOW_EXPERIMENT_ID": str(job.experiment_id),
    }


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _plain(path: Path, links: Path) -> Path:
    """Return a path that a shell reads as one word: the path, or a link to it with a plain name.

    Paths go into the text of a command as they are, as on Azure ML; `$(...)` in the name of
    somebody's file must not run.
    """
    if not NOT_PLAIN.search(str(path)):
        return path
    link = links / (NOT_PLAIN.sub("_", path.name) or "data")
    links.mkdir(parents=True, exist_ok=True, mode=0o700)
    link.unlink(missing_ok=True)
    link.symlink_to(path)
    return link


def _copy(source: Path, target: Path) -> Path:
    _remove(target)
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if source.is_dir():
        shutil.copytree(source, target, ignore=partial(_left_out, os.path.realpath(source)))
        return target
    target.mkdir(mode=0o700)
    return Path(shutil.copy(source, target / source.name))


def _left_out(root: str, folder: str, names: list[str]) -> list[str]:
    """Name what has no content: pipes, devices, symlinks to nothing.

    Raises:
        InvalidInput: a symlink leads out of `root`, or in a circle.
    """
    paths = [Path(folder, name) for name in names]
    above = {os.path.realpath(one) for one in (Path(folder), *Path(folder).parents)}
    for path in paths:
        real = os.path.realpath(path)
        if path.is_symlink() and (not real.startswith(f"{root}/") or real in above):
            raise InvalidInput(
                f"symlink {str(path)!r} points out of its folder or in a circle, to {real!r}; "
                "copy the file in its place"
            )
    return [path.name for path in paths if not (path.is_file() or path.is_dir())]


def _fetch(url: str, folder: Path) -> Path:
    """Download a public file once."""
    if not url.startswith(("https://", "http://")):
        shown = url.partition("?")[0]
        raise InvalidInput(f"{shown!r} cannot be read: upload the data or give an https:// address")
    name = url.partition("?")[0].partition("#")[0].rstrip("/").rpartition("/")[2]
    target = folder / ("data" if name.strip(".") == "" else name)
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = target.with_name(target.name + ".part")
    try:
        with (
            urllib.request.urlopen(url, timeout=FETCH_TIMEOUT) as source,  # noqa: S310 - scheme checked
            partial.open("wb") as sink,
        ):
            shutil.copyfileobj(source, sink)
    except (OSError, HTTPException, ValueError) as error:
        why = str(error).replace(url.partition("?")[2] or "?", "...")
        raise InvalidInput(f"{_shown(url)} could not be downloaded: {why}") from error
    return partial.rename(target)


def _shown(url: str) -> str:
    """Return a URL without what may be secret in it: who asks, and a signature."""
    scheme, _, rest = url.partition("?")[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
