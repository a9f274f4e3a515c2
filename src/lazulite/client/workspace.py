"""`lazulite.Workspace`: a workspace in a notebook or script, without azure-ai-ml."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from html import escape
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from lazulite.client import jobs
from lazulite.client.documents import LocalFiles
from lazulite.client.download import bring, parts_of
from lazulite.client.session import Session, connect
from lazulite.client.submit import carry_out
from lazulite.domain.errors import LazuliteError
from lazulite.domain.ids import WorkspaceId
from lazulite.formats.yaml.read import Document, read
from lazulite.formats.yaml.shown_job import show_job


class JobFailed(LazuliteError):
    """A job that was waited for did not complete."""

    code = "JobFailed"


class Job:
    """A job as it was when it was last asked for; `refresh` asks again."""

    def __init__(self, session: Session, resource: Mapping[str, Any]) -> None:
        """Wrap what the server said."""
        self._session = session
        self._resource = resource

    @property
    def name(self) -> str:
        """Its name; the id of its MLflow run too."""
        return str(self._resource["name"])

    @property
    def status(self) -> str:
        """Azure ML's word."""
        return str(self._resource["properties"].get("status"))

    @property
    def is_final(self) -> bool:
        """It will not change its status any more."""
        return self.status in jobs.FINAL

    @property
    def display_name(self) -> str:
        """What people call it."""
        return str(self._resource["properties"].get("displayName") or self.name)

    @property
    def step(self) -> str | None:
        """Its name in its pipeline."""
        found = self._own.get("node")
        return None if found is None else str(found)

    @property
    def reused_from(self) -> str | None:
        """The job whose outputs it has."""
        found = self._own.get("reusedFrom")
        return None if found is None else str(found)

    @property
    def outputs(self) -> dict[str, str]:
        """Where each output is: an `azureml://` URI by name."""
        return {name: str(of.get("uri")) for name, of in (self._own.get("outputs") or {}).items()}

    @property
    def created(self) -> datetime | None:
        """When it was submitted."""
        found = (self._resource.get("systemData") or {}).get("createdAt")
        return datetime.fromisoformat(found.replace("Z", "+00:00")) if found else None

    @property
    def _own(self) -> dict[str, Any]:
        return self._resource["properties"].get("lazulite") or {}

    def to_dict(self) -> dict[str, Any]:
        """Return everything, in the shape of `lazulite job show`."""
        return show_job(self._resource)

    def refresh(self) -> Self:
        """Ask the server how it is now."""
        self._resource = jobs.get(self._session, self.name)
        return self

    def steps(self) -> Jobs:
        """Return the jobs of a pipeline's steps."""
        return Jobs(Job(self._session, one) for one in jobs.children(self._session, self.name))

    def wait(self, *, check: bool = True) -> Self:
        """Wait until it ends.

        Args:
            check: raise if it did not complete.

        Raises:
            JobFailed: it failed or was canceled; the message says why.
        """
        for _ in jobs.watch(self._session, self.name):
            pass
        self.refresh()
        if check and self.status != "Completed":
            error = self._own.get("error") or {}
            why = error.get("message") or "see its log"
            raise JobFailed(f"job {self.name} is {self.status}: {why}", job=self.name)
        return self

    def stream(self, to: TextIO | None = None) -> Self:
        """Write its log as it grows, and of a pipeline its steps' states, until it ends."""
        out = to or sys.stdout
        if self._resource["properties"].get("jobType") != "Pipeline":
            for piece in jobs.log(self._session, self.name, follow=True):
                out.write(piece.decode("utf-8", "replace"))
            return self.refresh()
        for change in jobs.watch(self._session, self.name):
            for step in [*change.get("children", ()), change.get("child")]:
                if step:
                    out.write(f"{step.get('path') or step.get('node')}: {step.get('status')}\n")
        return self.refresh()

    def log(self) -> str:
        """Return its log so far."""
        return b"".join(jobs.log(self._session, self.name)).decode("utf-8", "replace")

    def cancel(self) -> None:
        """Ask for it to be canceled."""
        jobs.cancel(self._session, self.name)

    def download(
        self, path: str | Path = ".", *, output: str | None = None, everything: bool = False
    ) -> Path:
        """Bring logs and artifacts, with `everything` also outputs, or one output; return where."""
        target = Path(path)
        self.refresh()
        parts = parts_of(self._resource, target, output=output, everything=everything)
        bring(self._session, parts, lambda _: None)
        return parts[0].target if len(parts) == 1 else target

    def __repr__(self) -> str:
        """Name and status."""
        return f"Job({self.name!r}, {self.status})"

    def _repr_html_(self) -> str:
        rows = {
            "name": self.name,
            "display name": self.display_name,
            "status": self.status,
            **{f"output {name}": uri for name, uri in self.outputs.items()},
        }
        cells = (f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in rows.items())
        return f"<table>{''.join(cells)}</table>"


class Jobs(list[Job]):
    """Jobs, shown as a table."""

    def _repr_html_(self) -> str:
        head = "<tr><th>name</th><th>step</th><th>status</th><th>reused from</th></tr>"
        rows = ((job.name, job.step, job.status, job.reused_from) for job in self)
        cells = ("".join(f"<td>{escape(str(cell or ''))}</td>" for cell in row) for row in rows)
        return f"<table>{head}{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"


class Workspace:
    """A workspace of a Lazulite server, found as the command line finds it.

    The server of the home is started if none runs. Usable as a context manager.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        resource_group: str | None = None,
        subscription: str | None = None,
    ) -> None:
        """Connect; what is not given comes from variables, config.json and defaults."""
        options = {"workspace": name, "group": resource_group, "subscription": subscription}
        self._session = connect(options, say=_say)

    @property
    def id(self) -> WorkspaceId:
        """Subscription, resource group and name."""
        return self._session.workspace

    @property
    def tracking_uri(self) -> str | None:
        """What `mlflow.set_tracking_uri` takes, if the server tracks."""
        found = self._session.arm("GET", "")["properties"].get("mlFlowTrackingUri")
        return None if found is None else str(found)

    def submit(
        self,
        source: str | Path | Mapping[str, Any],
        *,
        name: str | None = None,
        changes: Mapping[str, Any] | None = None,
    ) -> Job:
        """Submit a job.

        Args:
            source: path of a YAML file, or the same as a dict, whose paths start here.
            name: of the job; None = one is made up.
            changes: fields to change, by dotted path: {"inputs.lr": 0.1}.

        Raises:
            InvalidInput: it is not valid; the message names file, line and field.
        """
        plan = read("job", _document(source, changes or {}), self.id, LocalFiles())
        if name is not None:
            plan = plan._replace(name=name)
        for text in plan.warnings:
            _say(f"warning: {text}")
        return Job(self._session, carry_out(self._session, plan))

    def job(self, name: str) -> Job:
        """Return a job by its name."""
        return Job(self._session, jobs.get(self._session, name))

    def jobs(self, most: int | None = 50, *, archived: bool = False) -> Jobs:
        """Return jobs that are in no pipeline, newest first.

        Args:
            most: at most so many; None = all.
            archived: the archived ones instead.
        """
        view = "ArchivedOnly" if archived else "ActiveOnly"
        return Jobs(Job(self._session, one) for one in self._listed(view, most))

    def _listed(self, view: str, most: int | None) -> Iterator[dict[str, Any]]:
        yield from jobs.listed(self._session, view=view, most=most)

    def close(self) -> None:
        """Hang up."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        """Name and address."""
        return f"Workspace({self.id.name!r} at {self._session.connection.address.url})"

    def _repr_html_(self) -> str:
        rows = zip(("subscription", "resource group", "workspace"), self.id, strict=True)
        cells = (f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in rows)
        return f"<table>{''.join(cells)}</table>"


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _document(source: str | Path | Mapping[str, Any], changes: Mapping[str, Any]) -> Document:
    import json

    assignments = tuple(f"{path}={json.dumps(value)}" for path, value in changes.items())
    if isinstance(source, Mapping):
        here = Path.cwd() / "job"
        return Document(path=here, shown="job", content=source, assignments=assignments)
    path = Path(source)
    return Document(path=Path.cwd() / path, shown=str(path), assignments=assignments)
