"""Logged models on MLflow's wire."""

from __future__ import annotations

from lazulite.domain.access import Action
from lazulite.domain.errors import InvalidInput
from lazulite.domain.model import LoggedModel, ModelStatus
from lazulite.domain.run import ModelPoint
from lazulite.domain.search import Search
from lazulite.formats.mlflow import models as shape
from lazulite.formats.mlflow.filter import parse_filter, parse_orders
from lazulite.formats.mlflow.names import LOGGED_MODELS
from lazulite.formats.mlflow.requests import decode, limited, missing, param_of, tag_of
from lazulite.services import models
from lazulite.services.models import ModelEdit
from lazulite.wire.http import Call, Reply
from lazulite.wire.mlflow.mount import Way

_STATUSES = {1: ModelStatus.PENDING, 2: ModelStatus.READY, 3: ModelStatus.FAILED}
_ONE = "/logged-models/{model}"


def create(call: Call) -> Reply:
    """Make a logged model."""
    asked = decode(call.body, shape.CreateModel)
    draft = models.ModelDraft(
        experiment=asked.experiment_id,
        name=asked.name,
        model_type=asked.model_type,
        source_run=asked.source_run_id,
        params=dict(param_of(one, f"params[{i}].") for i, one in enumerate(asked.params)),
        tags=dict(tag_of(one, f"tags[{i}].") for i, one in enumerate(asked.tags)),
    )
    return _reply(models.create(call.services, call.here, draft, call.principal), [])


def get(call: Call) -> Reply:
    """Return a logged model."""
    return _reply(*models.get(call.services, call.here, call.params["model"]))


def finalize(call: Call) -> Reply:
    """Say that the files of a logged model are there, or failed."""
    asked = decode(call.body, shape.EditModel)
    status = _status(asked.status)
    return _reply(*_edit(call, ModelEdit(status=status)))


def set_tags(call: Call) -> Reply:
    """Set tags."""
    asked = decode(call.body, shape.EditModel)
    tags = dict(tag_of(one, f"tags[{i}].") for i, one in enumerate(asked.tags))
    return _reply(*_edit(call, ModelEdit(tags=tags)))


def delete_tag(call: Call) -> Reply:
    """Remove a tag."""
    _edit(call, ModelEdit(tags={call.params["key"]: None}))
    return Reply(body={})


def log_params(call: Call) -> Reply:
    """Add params."""
    asked = decode(call.body, shape.EditModel)
    params = dict(param_of(one, f"params[{i}].") for i, one in enumerate(asked.params))
    _edit(call, ModelEdit(params=params))
    return Reply(body={})


def delete(call: Call) -> Reply:
    """Delete a logged model."""
    models.delete(call.services, call.here, call.params["model"], call.principal)
    return Reply(body={})


def search(call: Call) -> Reply:
    """Search logged models."""
    asked = decode(call.body, shape.SearchModels)
    if not asked.experiment_ids:
        raise missing("experiment_ids")
    orders = [f"{one.field_name} {'ASC' if one.ascending else 'DESC'}" for one in asked.order_by]
    question = Search(
        condition=parse_filter(asked.filter or "", LOGGED_MODELS),
        orders=parse_orders(orders, LOGGED_MODELS),
        limit=limited(asked.max_results, 100, 1000),
        after=asked.page_token or None,
    )
    page = models.search(call.services, call.here, asked.experiment_ids, question)
    body = {"models": [shape.encode_model(*found) for found in page.items]}
    return Reply(body=body | ({"next_page_token": page.next} if page.next else {}))


def ways() -> list[Way]:
    """Return the routes of logged models."""
    table = [
        ("POST", "/logged-models", Action.RUN, create),
        ("POST", "/logged-models/search", Action.READ, search),
        ("GET", _ONE, Action.READ, get),
        ("PATCH", _ONE, Action.RUN, finalize),
        ("DELETE", _ONE, Action.RUN, delete),
        ("PATCH", _ONE + "/tags", Action.RUN, set_tags),
        ("DELETE", _ONE + "/tags/{key}", Action.RUN, delete_tag),
        ("POST", _ONE + "/params", Action.RUN, log_params),
    ]
    return [Way(*row) for row in table]


def _edit(call: Call, change: ModelEdit) -> models.Found:
    who = call.params["model"], change, call.principal
    return models.edit(call.services, call.here, *who)


def _reply(model: LoggedModel, points: list[ModelPoint]) -> Reply:
    return Reply(body={"model": shape.encode_model(model, points)})


def _status(sent: str | int | None) -> ModelStatus:
    if isinstance(sent, int) and sent in _STATUSES:
        return _STATUSES[sent]
    if isinstance(sent, str) and sent in set(ModelStatus):
        return ModelStatus(sent)
    raise InvalidInput(f"Invalid value {str(sent)[:60]!r} for parameter 'status' supplied")
