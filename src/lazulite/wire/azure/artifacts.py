"""Artifacts as Azure ML's own clients ask for them: names here, content by signed blob URLs.

A run's are below run history, all others' in a container of the artifact service. What is uploaded
again replaces what was there, although the clients ask not to overwrite: as MLflow does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlencode

from lazulite.domain.access import Action
from lazulite.domain.errors import NotFound
from lazulite.formats.azure.artifact import (
    Container,
    decode_paths,
    encode_artifact,
    encode_content,
)
from lazulite.formats.azure.datastore import blob_path
from lazulite.formats.mlflow.plugin import FOLDER, MODELS, REGISTERED, UPLOADS
from lazulite.ports.blobs import Blob
from lazulite.services import artifacts
from lazulite.services.artifact_paths import ArtifactPath
from lazulite.services.artifacts import Place
from lazulite.wire.azure.arm import SCOPE
from lazulite.wire.blob import REPLACE
from lazulite.wire.http import Call, Reply, Route

_RUNS = "/history/v1.0" + SCOPE
_RUN = (
    "/runs/{run}/artifacts",
    "/experiments/{experiment}/runs/{run}/artifacts",
    "/experimentids/{experiment}/runs/{run}/artifacts",
)
_HELD = f"/artifact/v2.0{SCOPE}/artifacts/{{origin}}/{{container}}"
_DCID = "dcid."


class Held(NamedTuple):
    """What a request is about."""

    within: Container
    whose: ArtifactPath  # its path is empty
    folder: str = ""  # with a slash at its end; all paths of the container begin with it

    def below(self, path: str) -> str:
        """Return a path of the container as one below its owner's root.

        Raises:
            NotFound: the container has no such folder.
        """
        if not path.startswith(self.folder):
            raise NotFound(f"'{path[:300]}' is not in container '{self.within.name}'")
        return path.removeprefix(self.folder)


def of_run(call: Call) -> Held:
    """Return the run that the path names."""
    run = call.params["run"]
    return Held(Container("ExperimentRun", f"{_DCID}{run}"), ArtifactPath("run", run, ""))


def of_container(call: Call) -> Held:
    """Return the container that the path names.

    Raises:
        NotFound: its origin is unknown.
    """
    origin, name = call.params["origin"], unquote(call.params["container"])
    within = Container(origin, name)
    if origin == MODELS:
        return Held(within, ArtifactPath("model", name, ""), f"{FOLDER}/")
    if origin == REGISTERED:
        return Held(within, ArtifactPath("version", name, ""), f"{FOLDER}/")
    if origin == UPLOADS:
        return Held(within, ArtifactPath("upload", name, ""))
    if origin == "ExperimentRun":
        return Held(within, ArtifactPath("run", name.removeprefix(_DCID), ""))
    raise NotFound(f"there are no artifacts of origin '{origin[:80]}'")


def page(find: Callable[[Call], Held], call: Call) -> Reply:
    """List one page of all files of a container."""
    held = find(call)
    place = artifacts.readable(call.services, call.here, held.whose)
    found = artifacts.page(call.services, place, call.query.get("continuationToken", ""))
    start = len(place.root) + 1
    blobs = [one for one in found.items if isinstance(one, Blob)]
    body: dict[str, Any] = {
        "value": [
            encode_artifact(held.within, held.folder + one.path[start:], one.modified, one.etag)
            for one in blobs
        ]
    }
    if found.next is not None:
        query = urlencode({"continuationToken": found.next})
        body |= {
            "continuationToken": found.next,
            "nextLink": f"{call.base}{quote(call.path)}?{query}",
        }
    return Reply(body=body)


def content(find: Callable[[Call], Held], call: Call) -> Reply:
    """Say where the content of a file is.

    Raises:
        NotFound: there is no such file.
    """
    held, path = find(call), call.query.get("path", "")
    where = held.whose._replace(path=held.below(path))
    place = artifacts.readable(call.services, call.here, where)
    try:
        call.services.files.blobs.head(place.blob)
    except NotFound:
        raise NotFound(f"{where.kind} '{where.owner}' has no artifact '{path[:300]}'") from None
    return Reply(body=encode_content(held.within, path, _url(call, place)))


def announce(find: Callable[[Call], Held], call: Call) -> Reply:
    """Say where to upload files; nothing is kept until their content comes."""
    held = find(call)
    root = artifacts.writable(call.services, call.here, held.whose, call.principal)
    made, contents = {}, {}
    for path in decode_paths(call.json()):
        place = artifacts.below(call.services, root, held.below(path))
        made[path] = encode_artifact(held.within, path, None, None)
        contents[path] = encode_content(held.within, path, _url(call, place, write=True))
    body = {"artifacts": made, "artifactContentInformation": contents, "errors": {}}
    return Reply(body=body)


def routes() -> list[Route]:
    """Return the routes of artifacts."""
    roots = [*((_RUNS + run, of_run) for run in _RUN), (_HELD, of_container)]
    table = [
        ("GET", "", Action.READ, page),
        ("GET", "/contentinfo", Action.READ, content),
        ("POST", "/batch/metadata", Action.RUN, announce),
    ]
    return [
        Route(method=method, path=root + rest, action=action, endpoint=partial(endpoint, find))
        for root, find in roots
        for method, rest, action, endpoint in table
    ]


def _url(call: Call, place: Place, *, write: bool = False) -> str:
    path = blob_path(place.workspace, place.datastore, place.path)
    signed = call.tokens.sign_url(call.base, path, write=write)
    return f"{signed}&{urlencode(REPLACE)}" if write else signed
