"""Runs on MLflow's wire, and what is logged to them."""

from __future__ import annotations

from lazulite.domain.access import Action
from lazulite.domain.errors import InvalidInput, TooLarge
from lazulite.domain.run import Batch, RunStatus
from lazulite.formats.mlflow import requests as ask
from lazulite.formats.mlflow.replies import encode_head, encode_history, encode_run
from lazulite.services import tracking
from lazulite.wire.http import Call, Reply
from lazulite.wire.mlflow.mount import Way
from lazulite.wire.mlflow.searches import search

LIMIT = 1 << 20  # bytes of a body; MLflow's own for log-batch is a little lower
MAX_POINTS = 25_000  # of a page of history
_STATUSES = {status.value: status for status in RunStatus}


def create(call: Call) -> Reply:
    """Start a run."""
    asked = ask.decode(call.body, ask.CreateRun)
    draft = tracking.RunDraft(
        experiment=asked.experiment_id,
        name=asked.run_name,
        user=asked.user_id,
        start=asked.start_time,
        tags=tuple(ask.tag_of(tag, f"tags[{i}].") for i, tag in enumerate(asked.tags)),
    )
    run = tracking.start(call.services, call.here, draft, call.principal)
    return Reply(body={"run": encode_run(run)})


def get(call: Call) -> Reply:
    """Return a run."""
    asked = ask.convert(dict(call.query), ask.RunId)
    return Reply(body={"run": encode_run(tracking.get(call.services, call.here, asked.run))})


def update(call: Call) -> Reply:
    """Rename or end a run."""
    asked = ask.decode(call.body, ask.UpdateRun)
    if asked.status is not None and asked.status not in _STATUSES:
        raise InvalidInput(
            f"Invalid value {asked.status[:60]!r} for parameter 'status' supplied: use one of "
            f"{', '.join(_STATUSES)}",
            path="status",
        )
    edit = tracking.RunEdit(
        name=asked.run_name, status=_STATUSES.get(asked.status or ""), end=asked.end_time
    )
    run = tracking.update(call.services, call.here, asked.run, edit, call.principal)
    return Reply(body={"run_info": encode_head(run)})


def delete(call: Call) -> Reply:
    """Put a run into the bin."""
    run = ask.decode(call.body, ask.RunId).run
    tracking.set_deleted(call.services, call.here, run, call.principal, deleted=True)
    return Reply(body={})


def restore(call: Call) -> Reply:
    """Take a run out of the bin."""
    run = ask.decode(call.body, ask.RunId).run
    tracking.set_deleted(call.services, call.here, run, call.principal, deleted=False)
    return Reply(body={})


def log_metric(call: Call) -> Reply:
    """Log one point."""
    asked = ask.decode(call.body, ask.LogMetric)
    return _log(call, asked, ask.single(asked))


def log_param(call: Call) -> Reply:
    """Log one param."""
    asked = ask.decode(call.body, ask.LogParam)
    return _log(call, asked, Batch(params=[ask.param_of(asked)]))


def set_tag(call: Call) -> Reply:
    """Set one tag."""
    asked = ask.decode(call.body, ask.LogParam)
    return _log(call, asked, Batch(tags=[ask.tag_of(asked)]))


def delete_tag(call: Call) -> Reply:
    """Remove one tag."""
    asked = ask.decode(call.body, ask.LogParam)
    tracking.untag(call.services, call.here, asked.run, asked.key, call.principal)
    return Reply(body={})


def log_batch(call: Call) -> Reply:
    """Log many things, all or none."""
    if len(call.body) > ask.MAX_REQUEST:
        raise TooLarge(
            f"Batched logging API requests must be at most {ask.MAX_REQUEST} bytes, got one of "
            f"size {len(call.body)}"
        )
    asked = ask.decode(call.body, ask.LogBatch)
    return _log(call, asked, ask.batch_of(asked))


def history(call: Call) -> Reply:
    """Return the points of a metric."""
    asked = ask.convert(dict(call.query), ask.History)
    limit = ask.limited(asked.max_results, MAX_POINTS, MAX_POINTS)
    page = limit, asked.page_token or None
    found = tracking.history(call.services, call.here, asked.run, asked.metric_key, page)
    return Reply(body=encode_history(found))


def ways() -> list[Way]:
    """Return the routes of runs."""
    table = [
        ("POST", "/runs/create", Action.RUN, create),
        ("GET", "/runs/get", Action.READ, get),
        ("POST", "/runs/update", Action.RUN, update),
        ("POST", "/runs/delete", Action.RUN, delete),
        ("POST", "/runs/restore", Action.RUN, restore),
        ("POST", "/runs/log-metric", Action.RUN, log_metric),
        ("POST", "/runs/log-parameter", Action.RUN, log_param),
        ("POST", "/runs/set-tag", Action.RUN, set_tag),
        ("POST", "/runs/delete-tag", Action.RUN, delete_tag),
        ("POST", "/runs/log-batch", Action.RUN, log_batch),
        ("POST", "/runs/search", Action.READ, search),
        ("GET", "/metrics/get-history", Action.READ, history),
    ]
    return [Way(*row, limit=LIMIT) for row in table]


def _log(call: Call, asked: ask.RunId, batch: Batch) -> Reply:
    tracking.log(call.services, call.here, asked.run, batch, call.principal)
    return Reply(body={})
