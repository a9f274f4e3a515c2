"""Experiments on MLflow's wire."""

from __future__ import annotations

from lazulite.domain.access import Action
from lazulite.domain.errors import InvalidInput
from lazulite.domain.run import check_key
from lazulite.domain.search import Search
from lazulite.formats.mlflow import requests as ask
from lazulite.formats.mlflow.filter import parse_filter, parse_orders
from lazulite.formats.mlflow.names import EXPERIMENTS
from lazulite.formats.mlflow.replies import encode_experiment, encode_experiments
from lazulite.services import experiments
from lazulite.wire.http import Call, Reply
from lazulite.wire.mlflow.mount import Way

MAX_RESULTS = 50_000
MAX_TAG = 20_000  # characters


def create(call: Call) -> Reply:
    """Make an experiment. Its artifacts are in the workspace; another place is refused."""
    asked = ask.decode(call.body, ask.CreateExperiment)
    if asked.artifact_location:
        raise InvalidInput(
            f"artifact_location {asked.artifact_location[:200]!r} is refused: artifacts are kept "
            "in the workspace's datastore; leave it out",
            path="artifact_location",
        )
    tags = dict(_tag(tag.key, tag.value) for tag in asked.tags)
    made = experiments.create(call.services, call.here, asked.name, tags)
    return Reply(body={"experiment_id": str(made)})


def get(call: Call) -> Reply:
    """Return an experiment by its id."""
    asked = ask.convert(dict(call.query), ask.ExperimentId)
    found = experiments.get(call.services, call.here, asked.experiment_id)
    return Reply(body={"experiment": encode_experiment(found)})


def get_by_name(call: Call) -> Reply:
    """Return an experiment by its name."""
    asked = ask.convert(dict(call.query), ask.ExperimentName)
    found = experiments.named(call.services, call.here, asked.experiment_name)
    return Reply(body={"experiment": encode_experiment(found)})


def search(call: Call) -> Reply:
    """Search experiments; by GET or POST."""
    if call.body:
        asked = ask.decode(call.body, ask.SearchExperiments)
    else:
        query = dict(call.query)
        orders = [query.pop("order_by")] if "order_by" in query else []
        asked = ask.convert({**query, "order_by": orders}, ask.SearchExperiments)
    question = Search(
        condition=parse_filter(asked.filter or "", EXPERIMENTS),
        orders=parse_orders(asked.order_by, EXPERIMENTS),
        limit=ask.limited(asked.max_results, 1000, MAX_RESULTS),
        after=asked.page_token or None,
    )
    found = experiments.search(call.services, call.here, question, asked.view_type)
    return Reply(body=encode_experiments(found))


def update(call: Call) -> Reply:
    """Rename an experiment."""
    asked = ask.decode(call.body, ask.UpdateExperiment)
    experiments.rename(call.services, call.here, asked.experiment_id, asked.new_name)
    return Reply(body={})


def delete(call: Call) -> Reply:
    """Put an experiment into the bin."""
    asked = ask.decode(call.body, ask.ExperimentId)
    experiments.set_deleted(call.services, call.here, asked.experiment_id, deleted=True)
    return Reply(body={})


def restore(call: Call) -> Reply:
    """Take an experiment out of the bin."""
    asked = ask.decode(call.body, ask.ExperimentId)
    experiments.set_deleted(call.services, call.here, asked.experiment_id, deleted=False)
    return Reply(body={})


def set_tag(call: Call) -> Reply:
    """Set a tag."""
    asked = ask.decode(call.body, ask.ExperimentTag)
    tags = dict([_tag(asked.key, asked.value)])
    experiments.set_tags(call.services, call.here, asked.experiment_id, tags)
    return Reply(body={})


def delete_tag(call: Call) -> Reply:
    """Remove a tag."""
    asked = ask.decode(call.body, ask.ExperimentTag)
    experiments.set_tags(call.services, call.here, asked.experiment_id, {asked.key: None})
    return Reply(body={})


def ways() -> list[Way]:
    """Return the routes of experiments."""
    table = [
        ("POST", "create", Action.RUN, create),
        ("GET", "get", Action.READ, get),
        ("GET", "get-by-name", Action.READ, get_by_name),
        ("POST", "search", Action.READ, search),
        ("GET", "search", Action.READ, search),
        ("POST", "update", Action.MANAGE, update),
        ("POST", "delete", Action.MANAGE, delete),
        ("POST", "restore", Action.MANAGE, restore),
        ("POST", "set-experiment-tag", Action.RUN, set_tag),
        ("POST", "delete-experiment-tag", Action.RUN, delete_tag),
    ]
    return [Way(m, f"/experiments/{p}", a, e) for m, p, a, e in table]


def _tag(key: str, value: str) -> tuple[str, str]:
    if len(value) > MAX_TAG:
        raise InvalidInput(f"'value' exceeds the maximum length of {MAX_TAG} characters")
    return check_key(key, "key"), value
