"""The registry on MLflow's wire: names, and their versions."""

from __future__ import annotations

from urllib.parse import parse_qs, quote

from lazulite.domain.access import Action
from lazulite.domain.model import check_stage
from lazulite.domain.run import MAX_KEY, check_key
from lazulite.domain.search import Search
from lazulite.formats.mlflow import models as shape
from lazulite.formats.mlflow.filter import parse_filter, parse_orders
from lazulite.formats.mlflow.models import RegistryRequest
from lazulite.formats.mlflow.names import MODEL_VERSIONS, REGISTERED_MODELS, Names
from lazulite.formats.mlflow.requests import convert, decode, limited, missing
from lazulite.services import registry, versions
from lazulite.wire.http import Call, Reply
from lazulite.wire.mlflow.mount import Way

MAX_RESULTS = 10_000
_MAX_TAG = 100_000  # characters; a prompt's text is one


def create(call: Call) -> Reply:
    """Register a name."""
    asked = _read(call, "name")
    tags = {_key(tag.key): tag.value[:_MAX_TAG] for tag in asked.tags}
    args = str(asked.name), asked.description or "", tags
    return _named(registry.create(call.services, call.here, *args))


def get(call: Call) -> Reply:
    """Return a name."""
    asked = _read(call, "name")
    return _named(registry.get(call.services, call.here, str(asked.name)))


def update(call: Call) -> Reply:
    """Describe a name."""
    asked = _read(call, "name")
    args = str(asked.name), asked.description or ""
    return _named(registry.describe(call.services, call.here, *args))


def rename(call: Call) -> Reply:
    """Rename a name."""
    asked = _read(call, "name", "new_name")
    args = str(asked.name), str(asked.new_name)
    return _named(registry.rename(call.services, call.here, *args))


def delete(call: Call) -> Reply:
    """Delete a name."""
    registry.delete(call.services, call.here, str(_read(call, "name").name))
    return Reply(body={})


def search(call: Call) -> Reply:
    """Search names."""
    page = registry.search(call.services, call.here, _question(call, REGISTERED_MODELS))
    body = {"registered_models": [shape.encode_name(*found) for found in page.items]}
    return Reply(body=body | ({"next_page_token": page.next} if page.next else {}))


def set_tag(call: Call) -> Reply:
    """Tag a name."""
    asked = _read(call, "name", "key")
    args = str(asked.name), _key(str(asked.key)), (asked.value or "")[:_MAX_TAG]
    registry.set_tag(call.services, call.here, *args)
    return Reply(body={})


def delete_tag(call: Call) -> Reply:
    """Remove a tag of a name."""
    asked = _read(call, "name", "key")
    registry.set_tag(call.services, call.here, str(asked.name), str(asked.key), None)
    return Reply(body={})


def set_alias(call: Call) -> Reply:
    """Let an alias mean a version."""
    asked = _read(call, "name", "alias", "version")
    args = str(asked.name), str(asked.alias), asked.version
    registry.set_alias(call.services, call.here, *args)
    return Reply(body={})


def delete_alias(call: Call) -> Reply:
    """Remove an alias."""
    asked = _read(call, "name", "alias")
    registry.set_alias(call.services, call.here, str(asked.name), str(asked.alias), None)
    return Reply(body={})


def get_alias(call: Call) -> Reply:
    """Return the version that an alias means."""
    asked = _read(call, "name", "alias")
    args = str(asked.name), str(asked.alias)
    return _version(versions.of_alias(call.services, call.here, *args))


def latest(call: Call) -> Reply:
    """Return the newest version of each stage."""
    asked = _read(call, "name")
    model, found = registry.get(call.services, call.here, str(asked.name))
    newest = shape.latest(found, [check_stage(stage) for stage in asked.stages])
    return Reply(body={"model_versions": [shape.encode_version(model, one) for one in newest]})


def create_version(call: Call) -> Reply:
    """Register a version."""
    asked = _read(call, "name", "source")
    draft = versions.VersionDraft(
        name=str(asked.name),
        source=str(asked.source),
        run=asked.run_id,
        model=asked.model_id,
        link=asked.run_link,
        description=asked.description,
        tags={_key(tag.key): tag.value[:_MAX_TAG] for tag in asked.tags},
    )
    return _version(versions.create(call.services, call.here, draft, call.principal))


def get_version(call: Call) -> Reply:
    """Return a version."""
    return _version(versions.get(call.services, call.here, *_which(_read(call, *_VERSION))))


def update_version(call: Call) -> Reply:
    """Describe a version."""
    asked = _read(call, *_VERSION)
    args = *_which(asked), asked.description or ""
    return _version(versions.describe(call.services, call.here, *args))


def delete_version(call: Call) -> Reply:
    """Delete a version."""
    versions.delete(call.services, call.here, *_which(_read(call, *_VERSION)))
    return Reply(body={})


def search_versions(call: Call) -> Reply:
    """Search versions."""
    page = versions.search(call.services, call.here, _question(call, MODEL_VERSIONS))
    body = {"model_versions": [shape.encode_version(*found) for found in page.items]}
    return Reply(body=body | ({"next_page_token": page.next} if page.next else {}))


def transition(call: Call) -> Reply:
    """Move a version to a stage."""
    asked = _read(call, *_VERSION, "stage")
    archive = asked.archive_existing_versions
    args = _which(asked), str(asked.stage)
    return _version(versions.transition(call.services, call.here, *args, archive=archive))


def set_version_tag(call: Call) -> Reply:
    """Tag a version."""
    asked = _read(call, *_VERSION, "key")
    value = (asked.value or "")[:_MAX_TAG]
    versions.set_tag(call.services, call.here, _which(asked), _key(str(asked.key)), value)
    return Reply(body={})


def delete_version_tag(call: Call) -> Reply:
    """Remove a tag of a version."""
    asked = _read(call, *_VERSION, "key")
    versions.set_tag(call.services, call.here, _which(asked), str(asked.key), None)
    return Reply(body={})


def download_uri(call: Call) -> Reply:
    """Say where the files of a version are: with the proxy, whatever datastore they are on."""
    name, version = _which(_read(call, *_VERSION))
    versions.get(call.services, call.here, name, version)
    place = f"registered/{quote(name, safe=' ')}:{version}/artifacts"
    return Reply(body={"artifact_uri": f"mlflow-artifacts:/{place}"})


def ways() -> list[Way]:
    """Return the routes of the registry."""
    read, write = Action.READ, Action.WRITE
    table = [
        ("POST", "/registered-models/create", write, create),
        ("GET", "/registered-models/get", read, get),
        ("PATCH", "/registered-models/update", write, update),
        ("POST", "/registered-models/rename", write, rename),
        ("DELETE", "/registered-models/delete", write, delete),
        ("GET", "/registered-models/search", read, search),
        ("POST", "/registered-models/set-tag", write, set_tag),
        ("DELETE", "/registered-models/delete-tag", write, delete_tag),
        ("POST", "/registered-models/alias", write, set_alias),
        ("DELETE", "/registered-models/alias", write, delete_alias),
        ("GET", "/registered-models/alias", read, get_alias),
        ("POST", "/registered-models/get-latest-versions", read, latest),
        ("GET", "/registered-models/get-latest-versions", read, latest),
        ("POST", "/model-versions/create", write, create_version),
        ("GET", "/model-versions/get", read, get_version),
        ("PATCH", "/model-versions/update", write, update_version),
        ("DELETE", "/model-versions/delete", write, delete_version),
        ("GET", "/model-versions/search", read, search_versions),
        ("POST", "/model-versions/transition-stage", write, transition),
        ("POST", "/model-versions/set-tag", write, set_version_tag),
        ("DELETE", "/model-versions/delete-tag", write, delete_version_tag),
        ("GET", "/model-versions/get-download-uri", read, download_uri),
    ]
    return [Way(*row) for row in table]


_VERSION = ("name", "version")


def _read(call: Call, *needed: str) -> RegistryRequest:
    """Read a request from its body or, where there is none, its query."""
    asked = (
        decode(call.body, RegistryRequest)
        if call.body
        else convert(_query(call, "stages"), RegistryRequest)
    )
    for field in needed:
        if not getattr(asked, field):
            raise missing(field)
    return asked


def _query(call: Call, *lists: str) -> dict[str, object]:
    found = parse_qs(call.search, keep_blank_values=True)
    return {key: values if key in lists else values[-1] for key, values in found.items()}


def _question(call: Call, names: Names) -> Search:
    asked = convert(_query(call, "order_by"), shape.SearchRegistry)
    return Search(
        condition=parse_filter(asked.filter or "", names),
        orders=parse_orders(asked.order_by, names),
        limit=limited(asked.max_results, 100, MAX_RESULTS),
        after=asked.page_token or None,
    )


def _which(asked: RegistryRequest) -> tuple[str, str]:
    return str(asked.name), str(asked.version)


def _key(key: str) -> str:
    return check_key(key[: MAX_KEY + 1], "key")


def _named(found: registry.Named) -> Reply:
    return Reply(body={"registered_model": shape.encode_name(*found)})


def _version(found: versions.Version) -> Reply:
    return Reply(body={"model_version": shape.encode_version(*found)})
