"""The names that filters and orders may use, and what each takes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from lazulite.domain.search import Entity


class Kind(StrEnum):
    """What an operand is compared with."""

    TEXT = "text"
    NUMBER = "number"
    TIME = "time"  # milliseconds since 1970, or a date in quotes
    EITHER = "either"  # text, or a number to compare as one


class Attribute(msgspec.Struct, frozen=True):
    """One attribute: its one spelling, and what it takes."""

    name: str
    kind: Kind


class Names(msgspec.Struct, frozen=True):
    """What may be searched in one kind of thing."""

    entities: Mapping[str, Entity]
    attributes: Mapping[str, Attribute]


_ENTITIES = {
    **dict.fromkeys(("metric", "metrics"), Entity.METRIC),
    **dict.fromkeys(("param", "params", "parameter", "parameters"), Entity.PARAM),
    **dict.fromkeys(("tag", "tags"), Entity.TAG),
    **dict.fromkeys(("attribute", "attributes", "attr", "run"), Entity.ATTRIBUTE),
    **dict.fromkeys(("dataset", "datasets"), Entity.DATASET),
}


def _attributes(
    texts: tuple[str, ...], times: tuple[str, ...], numbers: tuple[str, ...], same: dict[str, str]
) -> dict[str, Attribute]:
    kinds = [(texts, Kind.TEXT), (times, Kind.TIME), (numbers, Kind.NUMBER)]
    found = {name: Attribute(name, kind) for names, kind in kinds for name in names}
    return found | {other: found[name] for other, name in same.items()}


RUNS = Names(
    _ENTITIES,
    _attributes(
        (
            *("status", "run_name", "run_id", "user_id", "artifact_uri", "experiment_id"),
            *("experiment_name", "kind", "parent_run_id", "root_run_id", "ancestor_id"),
        ),
        ("start_time", "end_time"),
        ("duration",),
        {
            **dict.fromkeys(("run name", "Run name", "Run Name"), "run_name"),
            **dict.fromkeys(("created", "Created"), "start_time"),
            **dict.fromkeys(("User", "user"), "user_id"),
        },
    ),
)
EXPERIMENTS = Names(
    {name: of for name, of in _ENTITIES.items() if of in (Entity.TAG, Entity.ATTRIBUTE)},
    _attributes(("name", "experiment_id"), ("creation_time", "last_update_time"), (), {}),
)
DATASET_KEYS = frozenset({"name", "digest", "context"})
_MODEL_TIMES = {
    **dict.fromkeys(("creation_time",), "creation_timestamp"),
    **dict.fromkeys(("last_updated_time",), "last_updated_timestamp"),
}
_TIMES = ("creation_timestamp", "last_updated_timestamp")
LOGGED_MODELS = Names(
    _ENTITIES,
    _attributes(
        ("name", "model_id", "model_type", "status", "source_run_id"), _TIMES, (), _MODEL_TIMES
    ),
)
REGISTERED_MODELS = Names(
    EXPERIMENTS.entities,
    _attributes(("name",), _TIMES, (), {**_MODEL_TIMES, "timestamp": "last_updated_timestamp"}),
)
MODEL_VERSIONS = Names(
    EXPERIMENTS.entities,
    _attributes(
        ("name", "run_id", "source_path", "current_stage", "model_id"),
        _TIMES,
        ("version_number",),
        {"source": "source_path", "version": "version_number"},
    ),
)
SPAN_KEYS = ("name", "type", "status")
_ASSESSED = {of.value: of for of in (Entity.FEEDBACK, Entity.EXPECTATION)}
TRACES = Names(
    {
        **EXPERIMENTS.entities,
        **dict.fromkeys(("trace", "traces"), Entity.ATTRIBUTE),
        **dict.fromkeys(("metadata", "request_metadata", "trace_metadata"), Entity.METADATA),
        **dict.fromkeys(("span", "spans"), Entity.SPAN),
        **_ASSESSED,
    },
    _attributes(
        ("trace_id", "status", "client_request_id", "name", "run_id", "text", "experiment_id"),
        ("timestamp", "end_time"),
        ("execution_time",),
        {
            "request_id": "trace_id",
            "state": "status",
            "timestamp_ms": "timestamp",
            "request_time": "timestamp",
            "end_time_ms": "end_time",
            "execution_time_ms": "execution_time",
            "execution_duration": "execution_time",
        },
    ),
)
