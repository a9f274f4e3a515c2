"""Our own routes for imports: runs with the ids, times and states they had in another store."""

from __future__ import annotations

from lazulite.domain.access import Action
from lazulite.domain.errors import InvalidInput
from lazulite.formats.mlflow import transfer as t
from lazulite.formats.mlflow.requests import decode
from lazulite.services import import_models, imports
from lazulite.services.artifact_paths import ArtifactPath
from lazulite.wire.azure.arm import SCOPE
from lazulite.wire.http import Call, Reply, Route
from lazulite.wire.own import PREFIX


def experiment(call: Call) -> Reply:
    """Make an experiment, unless it is there."""
    sent = decode(call.body, t.SentExperiment)
    return Reply(body=imports.place_experiment(call.services, call.here, sent))


def begin(call: Call) -> Reply:
    """Make runs that are not there."""
    asked = decode(call.body, t.BeginRuns)
    return Reply(body=imports.begin(call.services, call.here, asked, call.principal))


def points(call: Call) -> Reply:
    """Add points of metrics."""
    imports.log(call.services, call.here, decode(call.body, t.LogSeries))
    return Reply(body={})


def finish(call: Call) -> Reply:
    """Give runs their end."""
    asked = decode(call.body, t.FinishRuns)
    return Reply(body=imports.finish(call.services, call.here, asked))


def files(call: Call) -> Reply:
    """List every file of the run, or else the logged model, that the query names."""
    run, model = call.query.get("run"), call.query.get("model")
    if bool(run) == bool(model):
        raise InvalidInput("name either a `run` or a `model`", path="run")
    where = ArtifactPath("run", run, "") if run else ArtifactPath("model", str(model), "")
    return Reply(body=imports.files(call.services, call.here, where))


def models(call: Call) -> Reply:
    """Make logged models that are not there."""
    asked = decode(call.body, t.BeginModels)
    return Reply(body=import_models.begin(call.services, call.here, asked))


def model(call: Call) -> Reply:
    """Give a logged model its status."""
    import_models.finish(call.services, call.here, decode(call.body, t.EndedModel))
    return Reply(body={})


def name(call: Call) -> Reply:
    """Make a registered model with versions and aliases, where they are free."""
    sent = decode(call.body, t.SentName)
    return Reply(body=import_models.place_name(call.services, call.here, sent, call.principal))


def routes() -> list[Route]:
    """Return the routes of imports. They manage: a job may not make runs of any age and name."""
    table = [
        ("POST", "experiment", experiment),
        ("POST", "begin", begin),
        ("POST", "points", points),
        ("POST", "finish", finish),
        ("GET", "files", files),
        ("POST", "models", models),
        ("POST", "model", model),
        ("POST", "name", name),
    ]
    path = f"{PREFIX}{SCOPE}/runs/import/"
    return [Route(method=m, path=path + p, action=Action.MANAGE, endpoint=e) for m, p, e in table]
