"""Spans in: OpenTelemetry's protocol over HTTP, as MLflow's clients and any exporter speak it."""

from __future__ import annotations

import threading

from lazulite.domain.access import Action
from lazulite.domain.errors import InvalidInput, TooLarge
from lazulite.formats.otlp import JSON, PROTOBUF, decode, inflate
from lazulite.services import traces
from lazulite.wire.http import Call, Reply
from lazulite.wire.intake import LARGE
from lazulite.wire.mlflow.mount import Way

MAX_BODY = 16 * 1024 * 1024  # bytes as they come, which may be compressed
_EXPERIMENT, _RUN = "x-mlflow-experiment-id", "x-mlflow-run-id"
_one_large = threading.Lock()  # small requests can be large ones that came compressed


def export(call: Call) -> Reply:
    """Take in spans, all or none. A request that comes again changes nothing."""
    media = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in (PROTOBUF, JSON):
        raise InvalidInput(
            f"Invalid Content-Type: {media[:60]!r}. Expected: {PROTOBUF} or {JSON}",
            path="content-type",
        )
    encoding = call.headers.get("content-encoding", "").strip().lower()
    try:
        body = inflate(call.body, encoding, LARGE)
    except TooLarge:  # as `wire.intake` does with what is large as it comes
        with _one_large:
            _keep(call, inflate(call.body, encoding), media)
    else:
        _keep(call, body, media)
    return Reply(raw=b"{}" if media == JSON else b"", media_type=media)


def _keep(call: Call, body: bytes, media: str) -> None:
    sent = traces.Ingest(
        batches=decode(body, media),
        experiment=call.headers.get(_EXPERIMENT),
        run=call.headers.get(_RUN),
    )
    traces.log(call.services, call.here, sent, call.principal)


def ways() -> list[Way]:
    """Return the route."""
    return [Way("POST", "/v1/traces", Action.RUN, export, limit=MAX_BODY)]
