"""Runs as tracking sees them: search, look, compare, curves, artifacts, delete and restore."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from lazulite.client.session import Session
from lazulite.domain.errors import NotFound
from lazulite.domain.run import JOB_SOURCE, SOURCE_TYPE
from lazulite.domain.usage import PREFIX

PAGE = 1000  # runs asked for at once
SAMPLES = 80  # points of a curve for a terminal
_VIEWS = {None: "ALL", False: "ACTIVE_ONLY", True: "DELETED_ONLY"}


def search(
    session: Session,
    text: str = "",
    *,
    orders: Sequence[str] = (),
    experiments: Sequence[str] = (),
    deleted: bool | None = False,
    most: int | None = None,
) -> list[dict[str, Any]]:
    """Return runs, flat: id, name, status, times, params, metrics, tags.

    Args:
        session: the workspace.
        text: a filter.
        orders: what they are sorted by; newest first where these leave a choice.
        experiments: names; none = every one.
        deleted: only those in the bin; None = those too.
        most: at most so many.

    Raises:
        InvalidInput: the filter or an order is not one.
        NotFound: there is no such experiment.
    """
    body: dict[str, Any] = {
        "filter": text,
        "order_by": list(orders),
        "experiment_ids": [experiment_id(session, name) for name in experiments] or ["*"],
        "run_view_type": _VIEWS[deleted],
    }
    found: list[dict[str, Any]] = []
    for page in _pages(session, body, most):
        found += [flat(run) for run in page]
    return found[:most]


def get(session: Session, run: str) -> dict[str, Any]:
    """Return one run, flat.

    Raises:
        NotFound: there is none.
    """
    reply = _of(session, run, "GET", f"runs/get?run_id={quote(run, safe='')}")
    return flat(reply["run"])


def whole(session: Session, run: str) -> dict[str, Any]:
    """Return one run, flat; if it is a job, with what belongs to it as `job`.

    Raises:
        NotFound: there is none.
    """
    found = get(session, run)
    if found["tags"].get(SOURCE_TYPE) == JOB_SOURCE:
        path = session.own(f"jobs/{quote(run, safe='')}/record")
        found["job"] = session.connection.json("GET", path)
    return found


def curve(session: Session, run: str, key: str, points: int = SAMPLES) -> list[dict[str, Any]]:
    """Return a metric in few points, with every peak."""
    query = f"run_ids={quote(run, safe='')}&metric_key={quote(key, safe='')}&max_results={points}"
    reply = _call(session, "GET", f"metrics/get-history-bulk-interval?{query}")
    found: list[dict[str, Any]] = reply.get("metrics", [])
    return found


def files(session: Session, run: str, path: str = "") -> list[dict[str, Any]]:
    """Return a file of a run, or all files below a folder: path and size.

    Raises:
        NotFound: there is no such run, file or folder.
    """
    path = path.strip("/")
    found = list(artifacts(session, run, path))
    if found or not path:
        return found
    beside = list(_listed(session, run, path.rpartition("/")[0]))
    if not any(one["path"] == path for one in beside):
        how = f"see them with: lazulite run artifacts {run}"
        raise NotFound(f"run '{run}' has no file or folder '{path}'; {how}")
    return [_file(one) for one in beside if one["path"] == path and not one["is_dir"]]


def artifacts(session: Session, run: str, path: str = "") -> Iterator[dict[str, Any]]:
    """Yield every file of a run below a folder: path and size."""
    for one in _listed(session, run, path):
        if one["is_dir"]:
            yield from artifacts(session, run, one["path"])
        else:
            yield _file(one)


def _listed(session: Session, run: str, path: str) -> list[dict[str, Any]]:
    query = f"run_id={quote(run, safe='')}&path={quote(path, safe='')}"
    found: list[dict[str, Any]] = _of(session, run, "GET", f"artifacts/list?{query}").get(
        "files", []
    )
    return found


def _file(one: Mapping[str, Any]) -> dict[str, Any]:
    return {"path": one["path"], "size": one["file_size"]}


def set_deleted(session: Session, run: str, *, deleted: bool) -> None:
    """Put a run into the bin, or take it out.

    Raises:
        NotFound: there is no such run.
    """
    _of(session, run, "POST", f"runs/{'delete' if deleted else 'restore'}", {"run_id": run})


def purge(session: Session, *, before: int | None, dry: bool) -> list[dict[str, Any]]:
    """Free disk, or say what would be freed: id, name, files, size, kept of each run in the bin.

    What nothing used any more follows, with the name of its kind and without an id.

    Args:
        session: the workspace.
        before: only runs created before this time, in milliseconds since 1970; None = all.
        dry: delete nothing.
    """
    body: dict[str, Any] = {"dryRun": dry} | ({} if before is None else {"before": before})
    reply = session.connection.json("POST", session.own("runs/purge"), body, repeat=True)
    swept = [{"id": None, "name": one.pop("what"), **one} for one in reply.get("swept", [])]
    return [*reply["value"], *swept]


def differing(runs: Sequence[Mapping[str, Any]], *, everything: bool) -> list[dict[str, Any]]:
    """Return a row per param, metric and tag, with the value of each run; those that differ."""
    rows = []
    for part in ("params", "metrics", "tags"):
        keys = sorted({key for run in runs for key in run[part] if everything or _is_told(key)})
        for key in keys:
            values = [run[part].get(key) for run in runs]
            if everything or any(not _same(value, values[0]) for value in values):
                named = {run["id"]: value for run, value in zip(runs, values, strict=True)}
                rows.append({"what": f"{part}.{key}", **named})
    return rows


def _same(one: object, other: object) -> bool:
    return one == other or (one != one and other != other)  # NaN is no news beside NaN


def _is_told(key: str) -> bool:
    return not key.startswith(("mlflow.", PREFIX))


def flat(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run without the nesting of the wire."""
    info, data = run["info"], run["data"]
    return {
        "id": info["run_id"],
        "name": info["run_name"],
        "status": info["status"],
        "experiment_id": info["experiment_id"],
        "start_time": info["start_time"],
        "end_time": info.get("end_time"),
        "user": info["user_id"],
        "deleted": info["lifecycle_stage"] == "deleted",
        "metrics": {one["key"]: one["value"] for one in data.get("metrics", [])},
        "params": {one["key"]: one["value"] for one in data.get("params", [])},
        "tags": {one["key"]: one["value"] for one in data.get("tags", [])},
    }


def _pages(
    session: Session, body: dict[str, Any], most: int | None
) -> Iterator[list[dict[str, Any]]]:
    left, token = most, ""
    while left is None or left > 0:
        count = PAGE if left is None else min(left, PAGE)
        asked = {**body, "max_results": count, "page_token": token}
        reply = _call(session, "POST", "runs/search", asked)
        page = reply.get("runs", [])
        yield page
        token = reply.get("next_page_token", "")
        if not token:
            return
        left = None if left is None else left - len(page)


def experiment_id(session: Session, name: str) -> str:
    """Return the id of an experiment.

    Raises:
        NotFound: there is none of that name.
    """
    query = f"experiment_name={quote(name, safe='')}"
    try:
        reply = _call(session, "GET", f"experiments/get-by-name?{query}")
    except NotFound:
        raise NotFound(f"experiment '{name}' does not exist in this workspace") from None
    return str(reply["experiment"]["experiment_id"])


def missing(run: str) -> NotFound:
    """Return the error that there is no such run."""
    return NotFound(f"run '{run}' does not exist in this workspace; see: lazulite run list")


def _of(session: Session, run: str, method: str, rest: str, body: Any = None) -> Any:
    """Ask something of a run."""
    if not run:
        raise missing(run)
    try:
        return _call(session, method, rest, body)
    except NotFound as error:
        if not error.message.startswith("Run "):
            raise  # the workspace is what is not there
        raise missing(run) from None


def experiment_name(session: Session, experiment: str) -> str:
    """Return the name of an experiment."""
    reply = _call(session, "GET", f"experiments/get?experiment_id={quote(experiment, safe='')}")
    return str(reply["experiment"]["name"])


def _call(session: Session, method: str, rest: str, body: Any = None) -> Any:
    path = f"/mlflow/v1.0{session.workspace.arm}/api/2.0/mlflow/{rest}"
    return session.connection.json(method, path, body, repeat=True)
