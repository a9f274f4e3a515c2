"""Traces: search, look, delete."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from lazulite.client.runs import experiment_id
from lazulite.client.session import Session
from lazulite.domain.errors import NotFound

PAGE = 500  # traces asked for at once
_BATCH = 100  # traces deleted at once
_NAME = "mlflow.traceName"
_HIDDEN = ("mlflow.traceRequestId", "mlflow.spanType", "mlflow.spanFunctionName")


def search(
    session: Session,
    text: str = "",
    *,
    orders: Sequence[str] = (),
    experiments: Sequence[str] = (),
    most: int | None = None,
) -> list[dict[str, Any]]:
    """Return traces, flat, without their spans.

    Args:
        session: the workspace.
        text: a filter.
        orders: what they are sorted by; newest first where these leave a choice.
        experiments: names; none = every one.
        most: at most so many.

    Raises:
        InvalidInput: the filter or an order is not one.
        NotFound: there is no such experiment.
    """
    places = [
        {"mlflow_experiment": {"experiment_id": experiment_id(session, name)}}
        for name in experiments
    ]
    body = {"locations": places, "filter": text, "order_by": list(orders)}
    found: list[dict[str, Any]] = []
    for page in _pages(session, body, most):
        found += [flat(one) for one in page]
    return found[:most]


def get(session: Session, trace: str) -> dict[str, Any]:
    """Return one trace, flat, with its spans: roots first, then by start.

    Raises:
        NotFound: there is none.
    """
    reply = _of(session, trace, f"traces/get?trace_id={quote(trace, safe='')}&allow_partial=true")
    whole = reply["trace"]
    return {**flat(whole["trace_info"]), "spans": [_span(one) for one in whole.get("spans", [])]}


def delete(session: Session, traces: Sequence[str]) -> int:
    """Delete traces, and say how many there were.

    Raises:
        NotFound: one of them does not exist; none is deleted then.
    """
    homes: dict[str, list[str]] = {}
    for trace in traces:
        info = _of(session, trace, f"traces/{quote(trace, safe='')}")["trace"]["trace_info"]
        homes.setdefault(flat(info)["experiment_id"], []).append(trace)
    gone = 0
    for home, names in homes.items():
        for first in range(0, len(names), _BATCH):
            body = {"experiment_id": home, "request_ids": names[first : first + _BATCH]}
            gone += _call(session, "POST", "traces/delete-traces", body)["traces_deleted"]
    return gone


def _of(session: Session, trace: str, rest: str) -> Any:
    """Ask for a trace."""
    missing = f"trace '{trace}' does not exist in this workspace; see: lazulite trace list"
    if not trace:
        raise NotFound(missing)
    try:
        return _call(session, "GET", rest)
    except NotFound as error:
        if not error.message.startswith("Trace "):
            raise  # the workspace is what is not there
        raise NotFound(missing) from None


def delete_before(session: Session, experiment: str, before: int) -> int:
    """Delete the traces of an experiment that were made by then, in milliseconds since 1970.

    Raises:
        NotFound: there is no such experiment.
    """
    body = {"experiment_id": experiment_id(session, experiment), "max_timestamp_millis": before}
    found: int = _call(session, "POST", "traces/delete-traces", body)["traces_deleted"]
    return found


def flat(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trace without the nesting of the wire."""
    duration = info.get("execution_duration")
    tags = info.get("tags", {})
    return {
        "id": info["trace_id"],
        "name": tags.get(_NAME),
        "state": info.get("state", "STATE_UNSPECIFIED"),
        "time": info["request_time"],
        "seconds": None if duration is None else float(duration.removesuffix("s")),
        "experiment_id": info["trace_location"]["mlflow_experiment"]["experiment_id"],
        "client_request_id": info.get("client_request_id"),
        "request": info.get("request_preview"),
        "response": info.get("response_preview"),
        "tags": tags,
        "metadata": info.get("trace_metadata", {}),
        "assessments": info.get("assessments", []),
    }


def _span(sent: Mapping[str, Any]) -> dict[str, Any]:
    attributes = _values(sent.get("attributes", []))
    end = sent.get("end_time_unix_nano")
    begun = sent["start_time_unix_nano"]
    return {
        "id": _hex(sent["span_id"]),
        "parent": _hex(sent["parent_span_id"]) if "parent_span_id" in sent else None,
        "name": sent["name"],
        "type": attributes.get("mlflow.spanType"),
        "status": sent["status"].get("code", "STATUS_CODE_UNSET").removeprefix("STATUS_CODE_"),
        "message": sent["status"].get("message", ""),
        "start": begun,
        "seconds": None if end is None else (end - begun) / 1e9,
        "attributes": {k: v for k, v in attributes.items() if k not in _HIDDEN},
        "events": [
            {"name": one["name"], "attributes": _values(one.get("attributes", []))}
            for one in sent.get("events", [])
        ],
    }


def _values(pairs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {one["key"]: _value(one.get("value", {})) for one in pairs}


def _value(sent: Mapping[str, Any]) -> Any:
    for kind, value in sent.items():
        if kind == "array_value":
            return [_value(one) for one in value.get("values", [])]
        return _values(value.get("values", [])) if kind == "kvlist_value" else value
    return None


def _hex(text: str) -> str:
    return base64.b64decode(text).hex()


def _pages(
    session: Session, body: dict[str, Any], most: int | None
) -> Iterator[list[dict[str, Any]]]:
    left, token = most, ""
    while left is None or left > 0:
        count = PAGE if left is None else min(left, PAGE)
        asked = {**body, "max_results": count, "page_token": token}
        reply = _call(session, "POST", "traces/search", asked)
        page = reply.get("traces", [])
        yield page
        token = reply.get("next_page_token", "")
        if not token:
            return
        left = None if left is None else left - len(page)


def _call(session: Session, method: str, rest: str, body: Any = None) -> Any:
    path = f"/mlflow/v1.0{session.workspace.arm}/api/3.0/mlflow/{rest}"
    return session.connection.json(method, path, body, repeat=True)
