"""What runs take in and give out, on MLflow's wire."""

from __future__ import annotations

from lazulite.domain.access import Action
from lazulite.domain.errors import InvalidInput
from lazulite.formats.mlflow import models as shape
from lazulite.formats.mlflow.requests import decode
from lazulite.services import lineage
from lazulite.wire.http import Call, Reply
from lazulite.wire.mlflow.mount import Way

MAX_DATASETS = 1000  # in one call, as in MLflow
MAX_EXPERIMENTS = 20  # in one search for datasets, as in MLflow


def log_inputs(call: Call) -> Reply:
    """Say what a run takes in."""
    asked = decode(call.body, shape.LogInputs)
    if len(asked.datasets) > MAX_DATASETS:
        raise InvalidInput(f"at most {MAX_DATASETS} datasets can be logged at once")
    taken = lineage.Taken(
        datasets=[shape.dataset_of(one) for one in asked.datasets],
        models={one.model_id: one.step for one in asked.models},
    )
    lineage.log(call.services, call.here, asked.run, taken, call.principal)
    return Reply(body={})


def log_outputs(call: Call) -> Reply:
    """Say which models a run gives out."""
    asked = decode(call.body, shape.LogOutputs)
    given = lineage.Taken(models={one.model_id: one.step for one in asked.models}, output=True)
    lineage.log(call.services, call.here, asked.run, given, call.principal)
    return Reply(body={})


def search_datasets(call: Call) -> Reply:
    """List the data that runs of experiments took in."""
    wanted = decode(call.body, shape.SearchDatasets).experiment_ids
    what = "SearchDatasets request"
    if not wanted:
        raise InvalidInput(f"{what} must specify at least one experiment_id.")
    if len(wanted) > MAX_EXPERIMENTS:
        raise InvalidInput(
            f"{what} cannot specify more than {MAX_EXPERIMENTS} experiment_ids. "
            f"Received {len(wanted)} experiment_ids."
        )
    found = lineage.datasets(call.services, call.here, wanted)
    return Reply(body={"dataset_summaries": [shape.encode_summary(one) for one in found]})


def ways() -> list[Way]:
    """Return the routes."""
    return [
        Way("POST", "/runs/log-inputs", Action.RUN, log_inputs),
        Way("POST", "/runs/outputs", Action.RUN, log_outputs),
        Way("POST", "/experiments/search-datasets", Action.READ, search_datasets),
    ]
