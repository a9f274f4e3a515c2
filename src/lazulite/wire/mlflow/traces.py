"""Traces on MLflow's wire; their spans come by `otlp.py`."""

from __future__ import annotations

from urllib.parse import parse_qs

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from lazulite.domain.access import Action
from lazulite.domain.errors import NotFound, TooLarge, Unsupported
from lazulite.domain.run import MAX_TAG, check_key
from lazulite.domain.search import Search
from lazulite.domain.trace import Changes
from lazulite.formats.mlflow import trace_assessments as said
from lazulite.formats.mlflow import traces as shape
from lazulite.formats.mlflow.filter import parse_filter, parse_orders
from lazulite.formats.mlflow.names import TRACES
from lazulite.formats.mlflow.requests import decode, limited, missing
from lazulite.services import assessments, traces
from lazulite.wire.http import Call, Reply, respond
from lazulite.wire.mlflow.mount import APIS, Way, below

NEW_APIS = ("/api/3.0/mlflow", "/ajax-api/3.0/mlflow")
_ONE = "/traces/{trace}"
_ASSESSMENT = "/traces/{trace}/assessments/{assessment}"
_PAUSES = (0.2, 0.4, 0.8, 1.6)  # seconds: spans may come after what the whole is


def start(call: Call) -> Reply:
    """Take in what a client says a trace is."""
    sent = decode(call.body, shape.StartTrace).trace.trace_info
    trace = shape.trace_of(sent, _now(call))
    where = shape.experiment_of(sent)
    told = traces.tell(call.services, call.here, where, trace, call.principal)
    return _reply(shape.encode_trace(told))


def info(call: Call) -> Reply:
    """Return what a trace is."""
    found = traces.get(call.services, call.here, call.params["trace"])
    return _reply(shape.encode_trace(found))


async def get(call: Call, _: Request) -> Response:
    """Return a trace with its spans; wait a little for those that are on their way."""
    name = call.query.get("trace_id")
    if not name:
        raise missing("trace_id")
    partial = call.query.get("allow_partial", "").lower() == "true"

    def look() -> traces.Whole:
        found = traces.whole(call.services, call.here, [name])
        if not found:
            raise NotFound(f"Trace with ID {name[:300]} is not found.")
        return found[0]

    for pause in (*_PAUSES, None):
        found = await anyio.to_thread.run_sync(look)
        if partial or traces.is_complete(found):
            body = {"trace": shape.encode_whole(*found)}
            return await anyio.to_thread.run_sync(respond, Reply(body=body))
        if pause is not None:
            await anyio.sleep(pause)
    raise NotFound(f"Trace with ID {name[:300]} is not fully exported yet, please try again later.")


def batch_get(call: Call) -> Reply:
    """Return traces with their spans; those that are not there, or not whole yet, are left out."""
    found = traces.whole(call.services, call.here, _names(call))
    return Reply(body={"traces": [shape.encode_whole(*one) for one in found if one[1]]})


def batch_info(call: Call) -> Reply:
    """Return what traces are."""
    names = _few(decode(call.body, shape.TraceIds).trace_ids)
    found = traces.some(call.services, call.here, names)
    return Reply(body={"trace_infos": [shape.encode_trace(one) for one in found]})


def search(call: Call) -> Reply:
    """Search traces."""
    asked = decode(call.body, shape.SearchTraces)
    places = [one.mlflow_experiment for one in asked.locations]
    question = Search(
        condition=parse_filter(asked.filter or "", TRACES),
        orders=parse_orders(asked.order_by, TRACES),
        limit=limited(asked.max_results, 100, shape.MAX_RESULTS),
        after=asked.page_token or None,
    )
    where = [one.experiment_id for one in places if one is not None]
    if asked.locations and not where:
        return Reply(body={"traces": []})  # of a kind of place that is not here
    page = traces.search(call.services, call.here, where, question)
    body = {"traces": [shape.encode_trace(one) for one in page.items]}
    return Reply(body=body | ({"next_page_token": page.next} if page.next else {}))


def set_tag(call: Call) -> Reply:
    """Set a tag."""
    asked = decode(call.body, shape.TraceTag)
    value = asked.value[:MAX_TAG]
    return _relabel(call, Changes(tags={check_key(asked.key, "key"): value}))


def delete_tag(call: Call) -> Reply:
    """Remove a tag."""
    key = decode(call.body, shape.TraceTag).key if call.body else call.query.get("key", "")
    return _relabel(call, Changes(tags={key: None}))


def link(call: Call) -> Reply:
    """Link traces to a run."""
    asked = decode(call.body, shape.LinkTraces)
    traces.link(call.services, call.here, asked.run_id, asked.trace_ids, call.principal)
    return Reply(body={})


def delete(call: Call) -> Reply:
    """Delete traces."""
    asked = decode(call.body, shape.DeleteTraces)
    doomed = traces.Doomed(
        experiment=asked.experiment_id,
        before=asked.max_timestamp_millis,
        most=asked.max_traces,
        names=asked.request_ids,
    )
    gone = traces.delete(call.services, call.here, doomed)
    return Reply(body={"traces_deleted": gone})


def assess(call: Call) -> Reply:
    """Keep feedback or an expectation."""
    sent = decode(call.body, said.CreateAssessment).assessment
    new = said.assessment_of(sent, _now(call))
    trace = call.params["trace"]
    made = assessments.create(call.services, call.here, trace, new, call.principal)
    return Reply(body={"assessment": said.encode_assessment(trace, made)})


def get_assessment(call: Call) -> Reply:
    """Return one."""
    trace, one = call.params["trace"], call.params["assessment"]
    found = assessments.get(call.services, call.here, trace, one)
    return Reply(body={"assessment": said.encode_assessment(trace, found)})


def update_assessment(call: Call) -> Reply:
    """Change one."""
    fields, metadata, kind = said.edit_of(decode(call.body, said.UpdateAssessment))
    edit = assessments.Edit(fields=fields, metadata=metadata, kind=kind)
    place = call.params["trace"], call.params["assessment"]
    new = assessments.update(call.services, call.here, place, edit, call.principal)
    return Reply(body={"assessment": said.encode_assessment(place[0], new)})


def delete_assessment(call: Call) -> Reply:
    """Delete one."""
    trace, one = call.params["trace"], call.params["assessment"]
    assessments.delete(call.services, call.here, trace, one, call.principal)
    return Reply(body={})


def unbuilt(call: Call) -> Reply:
    """Say that this is not built.

    Raises:
        Unsupported: always.
    """
    raise Unsupported(f"'{call.path[-100:]}' of MLflow's API is not built in Lazulite")


def ways() -> list[Way]:
    """Return the routes of traces."""
    old = [
        ("PATCH", f"{_ONE}/tags", Action.RUN, set_tag),
        ("DELETE", f"{_ONE}/tags", Action.RUN, delete_tag),
        ("POST", "/traces/link-to-run", Action.RUN, link),
        ("POST", "/traces/delete-traces", Action.MANAGE, delete),
    ]
    new = [
        ("POST", "/traces", Action.RUN, start),
        ("POST", "/traces/search", Action.READ, search),
        ("GET", _ONE, Action.READ, info),
        ("GET", "/traces/batchGet", Action.READ, batch_get),
        ("POST", "/traces/batchGetInfos", Action.READ, batch_info),
        ("POST", f"{_ONE}/assessments", Action.RUN, assess),
        ("GET", _ASSESSMENT, Action.READ, get_assessment),
        ("PATCH", _ASSESSMENT, Action.RUN, update_assessment),
        ("DELETE", _ASSESSMENT, Action.RUN, delete_assessment),
        ("POST", _ONE, Action.READ, unbuilt),  # metrics, calculate-filter-correlation ...
        ("PATCH", _ONE, Action.READ, unbuilt),
        ("DELETE", _ONE, Action.READ, unbuilt),
    ]
    whole = Way("GET", "/traces/get", Action.READ, stream=get)
    made = [Way(*row) for row in new]
    return [
        *below((*APIS, *NEW_APIS), [Way(*row) for row in old]),
        *below(NEW_APIS, [*made, whole]),
    ]


def _relabel(call: Call, changes: Changes) -> Reply:
    traces.relabel(call.services, call.here, call.params["trace"], changes, call.principal)
    return Reply(body={})


def _names(call: Call) -> list[str]:
    return _few(parse_qs(call.search).get("trace_ids", []))


def _few(names: list[str]) -> list[str]:
    if not names:
        raise missing("trace_ids")
    if len(names) > shape.MAX_TRACES:
        raise TooLarge(f"at most {shape.MAX_TRACES} traces can be got at once: ask for fewer")
    return names


def _now(call: Call) -> int:
    return int(call.services.clock.now().timestamp() * 1000)


def _reply(body: shape.Json) -> Reply:
    return Reply(body={"trace": {"trace_info": body}})
