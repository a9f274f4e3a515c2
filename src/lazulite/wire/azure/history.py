"""Run history and dataset resolution: what the SDK asks beside ARM to stream, list and download."""

from __future__ import annotations

from typing import Any

from lazulite.domain.access import Action
from lazulite.domain.errors import InvalidInput
from lazulite.domain.ids import ARTIFACT_STORE
from lazulite.formats.azure.datastore import blob_path
from lazulite.formats.azure.envelope import convert
from lazulite.formats.azure.run import decode_edit, encode_details, encode_run
from lazulite.services import jobs, runs
from lazulite.services.runs import Run
from lazulite.wire.azure.arm import SCOPE
from lazulite.wire.http import Call, Reply, Route

_HISTORY = "/history/v1.0" + SCOPE
_RUN = (
    "/runs/{run}",
    "/experiments/{experiment}/runs/{run}",
    "/experimentids/{experiment}/runs/{run}",
)
_MAX_REFERENCES = 1000  # in one call


def get(call: Call) -> Reply:
    """Return a run."""
    return Reply(body=_encode(runs.get(call.services, call.here, call.params["run"])))


def details(call: Call) -> Reply:
    """Return a run with its logs as URLs that need no header."""
    run = runs.get(call.services, call.here, call.params["run"])
    logs = {name: _log_url(call, run, name) for name in runs.log_files(call.services, run)}
    return Reply(body=encode_details(run.job, logs, parent=run.parent, root=run.root))


def children(call: Call) -> Reply:
    """List the runs of a pipeline's nodes."""
    found = runs.children(call.services, call.here, call.params["run"])
    return Reply(body={"value": [_encode(run) for run in found]})


def patch(call: Call) -> Reply:
    """Archive, rename or tag a run."""
    edit = decode_edit(call.json())
    run = runs.get(call.services, call.here, call.params["run"])
    job = jobs.edit(
        call.services,
        run.workspace,
        run.job.name,
        display_name=edit.display_name,
        description=edit.description,
        tags=None if edit.tags is None else {**run.job.tags, **edit.tags},
        properties=None if edit.properties is None else {**run.job.properties, **edit.properties},
        archived=edit.archived,
    )
    return Reply(body=encode_run(job, parent=run.parent, root=run.root))


def run_data(call: Call) -> Reply:
    """Return a run by the id in the body, its outputs as references to resolve."""
    name = convert(call.json().get("runId"), str, "runId")
    run = runs.get(call.services, call.here, name)
    return Reply(body={"runMetadata": _encode(run), "runDefinition": None})


def service_instances(call: Call) -> Reply:
    """Return the interactive services of a run: none."""
    runs.get(call.services, call.here, call.params["run"])
    return Reply(body={"instances": {}})


def resolve_uris(call: Call) -> Reply:
    """Say where outputs and data assets are."""
    values = convert(call.json().get("values") or [], list[str], "values")
    if len(values) > _MAX_REFERENCES:
        raise InvalidInput(f"ask for at most {_MAX_REFERENCES} references at once", path="values")
    found: dict[str, Any] = {}
    for value in values:
        uri, kind = runs.resolve_uri(call.services, call.here, value)
        found[value] = {"uri": uri, "type": kind}
    return Reply(body={"values": found})


def routes() -> list[Route]:
    """Return the routes of run history."""
    table = [
        *(("GET", _HISTORY + run, Action.READ, get) for run in _RUN),
        *(("PATCH", _HISTORY + run, Action.WRITE, patch) for run in _RUN),
        *(("GET", f"{_HISTORY}{run}/details", Action.READ, details) for run in _RUN),
        *(("GET", f"{_HISTORY}{run}/children", Action.READ, children) for run in _RUN),
        ("GET", _HISTORY + "/runs/{run}/serviceinstances/{node}", Action.READ, service_instances),
        ("POST", _HISTORY + "/rundata", Action.READ, run_data),
        (
            "POST",
            f"/data/v1.0{SCOPE}/dataversion/batchGetResolvedUris",
            Action.READ,
            resolve_uris,
        ),
    ]
    return [Route(method=m, path=p, action=a, endpoint=e) for m, p, a, e in table]


def _encode(run: Run) -> dict[str, Any]:
    return encode_run(run.job, parent=run.parent, root=run.root)


def _log_url(call: Call, run: Run, name: str) -> str:
    file = f"{runs.log_folder(run.job)}/{name}"
    return call.tokens.sign_url(call.base, blob_path(run.workspace.id, ARTIFACT_STORE, file))
