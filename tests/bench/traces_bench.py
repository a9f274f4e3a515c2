"""Speed of traces beside `mlflow server`: `python -m tests.bench.traces_bench`.

Both servers run side by side and get the same requests. The traces to be searched are written into
both databases past the servers. `--traces` sets how many, `--alone` leaves MLflow out. It exits
with 1 when a goal was missed.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from lazulite.domain.ids import DEFAULT_WORKSPACE
from lazulite.domain.trace import Content, Span, SpanStatus, Trace, TraceState
from lazulite.ports.store import Tx
from lazulite.store.database import open_store
from tests.bench.table import columns, seconds
from tests.bench.tracking_bench import HEAD, Line
from tests.bench.tracking_peers import Peer, lazulite, mlflow
from tests.e2e.server import Server

API = "/api/3.0/mlflow/traces"
START = 1_767_225_600_000  # milliseconds since 1970
PATIENCE = 10.0  # seconds of one act on one server
Act = Callable[[Peer, str], object]
SEARCHES = {
    "newest 100": ("", 0.05),
    "100 by a tag": ("tags.team = 't7'", 0.05),
    "100 by state": ("status = 'ERROR'", 0.05),
    "100 by an attribute of a span": ("span.attributes.n LIKE '%77%'", None),
    "none by text": ("trace.text LIKE '%nowhere%'", None),
    "100 by the name of a span": ("span.name = 'step 7'", 0.05),
}
TAGS = 200  # different values of the tag that is searched
CLIENT = """
import sys, time
import mlflow
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment(experiment_id=sys.argv[2])

@mlflow.trace
def outer(x):
    with mlflow.start_span("inner", span_type="LLM") as span:
        span.set_inputs({"question": x})
        span.set_outputs({"answer": x})
    return x

outer(0)
mlflow.flush_trace_async_logging()
began = time.perf_counter()
for at in range(int(sys.argv[3])):
    outer(at)
mlflow.flush_trace_async_logging()
print(time.perf_counter() - began)
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.traces_bench")
    parser.add_argument("--traces", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--client", type=int, default=200, help="traces of the real client")
    parser.add_argument("--alone", action="store_true")
    args = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # it would slow every start
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory(prefix="lazulite-bench-") as name, ExitStack() as stack:
        home = Path(name) / "home"
        _make(home, args.traces)
        peers = [stack.enter_context(lazulite(home))]
        if not args.alone:
            peers.append(stack.enter_context(mlflow(Path(name))))
        places = [_experiment(peer) for peer in peers]
        if not args.alone:
            _fill_mlflow(Path(name) / "mlflow.db", int(places[1]), args.traces)
        lines = _measured(peers, places, args.rounds, args.client)
    print(columns([HEAD, *(line.cells for line in lines)]))
    return 1 if any(line.missed for line in lines) else 0


def _measured(peers: Sequence[Peer], places: Sequence[str], rounds: int, many: int) -> list[Line]:
    pairs = list(zip(peers, places, strict=True))
    lines = []
    for what, faster, act in (
        ("OTLP, a trace of 100 spans", 5, lambda peer, _: _export(peer, 100)),
        ("OTLP, a trace of 2 spans", 5, lambda peer, _: _export(peer, 2)),
        ("what a trace is (POST traces)", 5, _start),
    ):
        took = [_timed(pair, act, rounds) for pair in pairs]
        wanted = faster if took[1:] else None
        lines.append(Line(what=what, ours=took[0], theirs=_theirs(took), faster=wanted))
        _tell(what, took)
    each = [[_client(peer, here, many) / many] for peer, here in pairs]
    lines.append(Line(what="a trace of the real client", ours=each[0], theirs=_theirs(each)))
    for what, (text, goal) in SEARCHES.items():  # MLflow's slowest last: it goes on with them
        took = [_timed(pair, partial(_search, text=text), rounds) for pair in pairs]
        lines.append(Line(what=f"search, {what}", ours=took[0], theirs=_theirs(took), at_most=goal))
        _tell(what, took)
    return lines


def _tell(what: str, took: Sequence[Sequence[float]]) -> None:
    """Say the best of each server at once: on a busy machine it says more than the median."""
    print(f"{what}: best {', '.join(seconds(min(one)) for one in took)}", flush=True)


def _theirs(took: Sequence[Sequence[float]]) -> Sequence[float]:
    return took[1] if len(took) > 1 else ()


def _timed(pair: tuple[Peer, str], act: Act, rounds: int) -> list[float]:
    """Return the seconds of each round; a server that takes longer than `PATIENCE` is let off."""
    peer, here = pair
    peer._headers["X-Mlflow-Experiment-Id"] = here
    peer._connection.timeout = PATIENCE
    found: list[float] = []
    for _ in range(rounds + 1):  # the first one warms up
        began = time.perf_counter()
        try:
            act(peer, here)
        except TimeoutError:
            peer._connection.close()
            return [PATIENCE]
        found.append(time.perf_counter() - began)
        if sum(found) > PATIENCE:
            return found
    return found[1:]


def _export(peer: Peer, spans: int) -> None:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    trace, root = uuid.uuid4().bytes, uuid.uuid4().bytes[:8]
    for at in range(spans):
        begun = (START + at) * 1_000_000
        span = scope.spans.add(trace_id=trace, name=f"step {at}", start_time_unix_nano=begun)
        span.span_id, span.end_time_unix_nano = (uuid.uuid4().bytes[:8], begun + 500_000)
        if at:
            span.parent_span_id = root
        else:
            span.span_id = root
        for key in ("mlflow.spanType", "model", "prompt", "answer"):
            span.attributes.add(key=key).value.string_value = f"{key} of {at} " * 3
        span.attributes.add(key="n").value.int_value = at
    peer.send("POST", "/v1/traces", request.SerializeToString(), "application/x-protobuf")


def _start(peer: Peer, here: str) -> None:
    info = {
        "trace_id": f"tr-{uuid.uuid4().hex}",
        "trace_location": {
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": {"experiment_id": here},
        },
        "request_time": "2026-01-01T00:00:00.001Z",
        "execution_duration": "0.5s",
        "state": "OK",
        "request_preview": "q",
        "response_preview": "a",
        "tags": {"mlflow.traceName": "f", "team": "new"},
        "trace_metadata": {f"mlflow.source.{at}": f"value {at}" for at in range(12)},
    }
    peer.call("POST", API, {"trace": {"trace_info": info}})


def _search(peer: Peer, here: str, text: str = "") -> None:
    places = [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": here}}]
    peer.call("POST", f"{API}/search", {"locations": places, "filter": text, "max_results": 100})


def _client(peer: Peer, here: str, many: int) -> float:
    url = f"http://{peer._connection.host}:{peer._connection.port}"
    token = peer._headers["Authorization"].removeprefix("Bearer ")
    env = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_TRACKING_TOKEN": token}
    words = [sys.executable, "-c", CLIENT, url, here, str(many)]
    found = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
    return float(found.stdout.split()[-1])


def _experiment(peer: Peer) -> str:
    path = "/api/2.0/mlflow/experiments"
    try:
        found = peer.call("GET", f"{path}/get-by-name?experiment_name=bench")["experiment"]
    except RuntimeError:
        found = peer.call("POST", f"{path}/create", {"name": "bench"})
    return str(found["experiment_id"])


def _make(home: Path, traces: int) -> None:
    server = Server(home)
    try:
        server.start()
        server.stop()
    finally:
        server.clean_up()
    with closing(open_store(f"sqlite:///{home / 'lazulite.db'}")) as store:
        for first in range(0, traces, 500):
            store.write(lambda tx, first=first: _part(tx, first, min(500, traces - first)))


def _part(tx: Tx, first: int, count: int) -> None:
    from datetime import UTC, datetime

    workspace = tx.workspaces.get(DEFAULT_WORKSPACE).id
    home = tx.experiments.ensure(workspace, "bench", datetime(2026, 1, 1, tzinfo=UTC)).id
    numbers = range(first, first + count)
    made = [
        Trace(
            trace=f"tr-{at:032x}",
            experiment=home,
            created=START + at,
            duration=at % 100,
            state=TraceState.ERROR if at % 50 == 0 else TraceState.OK,
            tags={"team": f"t{at % TAGS}"},
            metadata={"mlflow.trace.session": f"s{at % 1000}"},
        )
        for at in numbers
    ]
    rows = tx.traces.add(workspace, made)
    places = {one.trace: (row, home) for one, row in zip(made, rows, strict=True)}
    tx.spans.add(places, [span for at in numbers for span in _spans(at)])


def _spans(at: int) -> list[Span]:
    attributes = {"mlflow.spanType": "LLM", "n": at, "prompt": "a word " * 20}
    root = at.to_bytes(8)
    return [
        Span(
            trace=f"tr-{at:032x}",
            id=root if not number else uuid.uuid4().bytes[:8],
            parent=root if number else None,
            name=f"step {(at + number) % 100}",
            status=SpanStatus.OK,
            start=(START + at) * 1_000_000,
            end=(START + at) * 1_000_000 + 1000,
            content=Content(attributes=attributes),
        )
        for number in range(3)
    ]


def _fill_mlflow(path: Path, experiment: int, traces: int) -> None:
    rows = [(f"tr-{at:032x}", at) for at in range(traces)]
    infos = [
        (t, experiment, START + at, at % 100, "ERROR" if at % 50 == 0 else "OK", f"s{at % 1000}")
        for t, at in rows
    ]
    spans = [
        (
            *(t, experiment, span.id.hex(), span.parent and span.parent.hex()),
            *(span.name, "LLM", "OK", span.start, span.end),
            json.dumps({"attributes": {"n": str(at), "prompt": "a word " * 20}}),
        )
        for t, at in rows
        for span in _spans(at)
    ]
    tables = {
        "trace_info (request_id, experiment_id, timestamp_ms, execution_time_ms, status, "
        "session_id)": infos,
        "trace_tags (key, value, request_id)": [("team", f"t{at % TAGS}", t) for t, at in rows],
        "spans (trace_id, experiment_id, span_id, parent_span_id, name, type, status, "
        "start_time_unix_nano, end_time_unix_nano, content)": spans,
    }
    with closing(sqlite3.connect(path, timeout=60)) as db, db:
        for table, values in tables.items():
            marks = ",".join("?" * len(values[0]))
            db.executemany(f"INSERT INTO {table} VALUES ({marks})", values)


if __name__ == "__main__":
    sys.exit(main())
