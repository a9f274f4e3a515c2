"""Use cases of traces: what clients send, in two parts and in any order, and what they ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from lazulite.domain.access import Principal, Role
from lazulite.domain.errors import InvalidInput, NotFound, TooLarge
from lazulite.domain.ids import WorkspaceId
from lazulite.domain.run import Experiment
from lazulite.domain.search import Search
from lazulite.domain.trace import RUN, SIZES, Changes, Span, Trace
from lazulite.domain.trace_merge import Outline, fresh, grown, outline, told
from lazulite.ports.listed import Listed
from lazulite.ports.store import Tx
from lazulite.services import tracking
from lazulite.services.context import Services
from lazulite.services.experiments import find, rows_of

MAX_SPANS_SIZE = 128 * 1024 * 1024  # bytes of the spans of one answer
MAX_LINKS = 100  # traces that one request links, as in MLflow
MAX_TOLD = 50_000  # tags and metadata that the spans of one request make, of all their traces
_PART = 500  # traces that one transaction deletes

T = TypeVar("T")
Whole = tuple[Trace, list[Span]]


class Ingest(msgspec.Struct, frozen=True, kw_only=True):
    """Spans that came in one request."""

    batches: Sequence[tuple[Mapping[str, Any], Sequence[Span]]]  # each with what made them
    experiment: str | None = None  # id; None = that of the job that sends them
    run: str | None = None  # to link the traces to


def tell(
    services: Services, ids: WorkspaceId, experiment: str | None, trace: Trace, who: Principal
) -> Trace:
    """Store what a client says a whole trace is; its spans come, or came, by `log`.

    Raises:
        NotFound: there is no such experiment.
        InvalidInput: it is deleted.
        Denied: the trace is of another job's run.
    """

    def work(tx: Tx) -> Trace:
        workspace = tx.workspaces.get(ids).id
        home = _home(services, tx, workspace, experiment, who)
        new = _attributed(msgspec.structs.replace(trace, experiment=home.id, finalized=True), who)
        _check_own(tx, workspace, new, who)
        found = tx.traces.find(workspace, [trace.trace])
        if found:
            _check_own(tx, workspace, found[0], who)
            new = told(found[0], new)
            tx.traces.save(new)
        else:
            new = msgspec.structs.replace(new, id=tx.traces.add(workspace, [new])[0])
            if not trace.assessments:
                return new  # as it is stored
        tx.assessments.put(new, trace.assessments)
        return tx.traces.get(workspace, trace.trace)

    return services.store.write(work)


def log(services: Services, ids: WorkspaceId, sent: Ingest, who: Principal) -> None:
    """Store spans; those that are there already are replaced, traces that are new are made.

    Raises:
        NotFound: there is no such experiment, or no such run.
        InvalidInput: it is deleted.
        Denied: a trace is of another job's run.
        TooLarge: the traces would have too many tags.
    """
    seen: list[Outline] = []
    for resource, spans in sent.batches:
        by_trace: dict[str, list[Span]] = {}
        for span in spans:
            by_trace.setdefault(span.trace, []).append(span)
        seen += [outline(own, resource) for own in by_trace.values()]
    every = [span for _, spans in sent.batches for span in spans]
    if sum(len(one.tags) + len(one.metadata) for one in seen) > MAX_TOLD:
        raise TooLarge("the resources of these traces have too many attributes: send fewer at once")

    def work(tx: Tx) -> None:
        workspace = tx.workspaces.get(ids).id
        home = _home(services, tx, workspace, sent.experiment, who)
        known = {one.trace: one for one in tx.traces.find(workspace, [s.trace for s in seen])}
        for one in known.values():
            _check_own(tx, workspace, one, who)
        later = _add_new(tx, workspace, known, [(s, fresh(s, home.id)) for s in seen], who)
        places = {one.trace: (one.id, one.experiment) for one in known.values()}
        tx.spans.add(places, every)
        for outlined in later:
            _grow(tx, known, outlined)
        if sent.run:
            _link(tx, workspace, sent.run, [row for row, _ in places.values()], who)

    services.store.write(work)


def get(services: Services, ids: WorkspaceId, trace: str) -> Trace:
    """Return what a trace is.

    Raises:
        NotFound: there is none.
    """
    return services.store.read(lambda tx: tx.traces.get(tx.workspaces.get(ids).id, trace))


def some(services: Services, ids: WorkspaceId, traces: Sequence[str]) -> list[Trace]:
    """Return those of the traces that exist."""
    return services.store.read(lambda tx: tx.traces.find(tx.workspaces.get(ids).id, traces))


def whole(services: Services, ids: WorkspaceId, traces: Sequence[str]) -> list[Whole]:
    """Return those of the traces that exist, with their spans.

    Raises:
        TooLarge: the spans are too many for one answer.
    """

    def work(tx: Tx) -> list[Whole]:
        found = tx.traces.find(tx.workspaces.get(ids).id, traces)
        spans = tx.spans.of([one.id for one in found], MAX_SPANS_SIZE)
        return [(one, spans[one.id]) for one in found]

    return services.store.read(work)


def is_complete(found: Whole) -> bool:
    """Tell whether as many spans have come as the client said there are."""
    trace, spans = found
    try:
        sizes = msgspec.json.decode(trace.metadata.get(SIZES, "{}"))
    except msgspec.DecodeError:
        return bool(spans)
    wanted = sizes.get("num_spans") if isinstance(sizes, dict) else None
    return bool(spans) and (not isinstance(wanted, int) or len(spans) >= wanted)


def search(
    services: Services, ids: WorkspaceId, experiments: Sequence[str], asked: Search
) -> Listed[Trace]:
    """Return one page of the traces that a search finds; no experiment named means every one."""

    def work(tx: Tx) -> Listed[Trace]:
        workspace = tx.workspaces.get(ids).id
        rows = rows_of(tx, workspace, experiments)
        return tx.traces.search(workspace, rows if experiments else None, asked)

    return services.store.read(work)


def relabel(
    services: Services, ids: WorkspaceId, trace: str, changes: Changes, who: Principal
) -> None:
    """Set or remove tags.

    Raises:
        NotFound: there is no such trace, or no such tag to remove.
        Denied: the trace is of another job's run.
    """
    changed(services, ids, trace, who, lambda tx, found: tx.traces.relabel(found, changes))


def link(
    services: Services, ids: WorkspaceId, run: str, traces: Sequence[str], who: Principal
) -> None:
    """Link traces to a run; those that do not exist are left out.

    Raises:
        NotFound: there is no such run.
        InvalidInput: they are too many, or the run is deleted.
        Denied: the run is another job's.
    """
    if len(traces) > MAX_LINKS:
        raise InvalidInput(
            f"Cannot link more than {MAX_LINKS} traces to a run in a single request. "
            f"Provided {len(traces)} traces."
        )

    def work(tx: Tx) -> None:
        workspace = tx.workspaces.get(ids).id
        found = tx.traces.find(workspace, traces)
        _link(tx, workspace, run, [one.id for one in found], who)

    services.store.write(work)


class Doomed(msgspec.Struct, frozen=True, kw_only=True):
    """Which traces of an experiment to delete; None = it does not narrow."""

    experiment: str
    before: int | None = None  # created then or earlier, in milliseconds since 1970
    most: int | None = None
    names: Sequence[str] | None = None


def delete(services: Services, ids: WorkspaceId, doomed: Doomed) -> int:
    """Delete traces with all that belongs to them, and say how many.

    Raises:
        NotFound: there is no such experiment.
        InvalidInput: it is not said which.
    """
    if (doomed.before is None) == (not doomed.names):
        raise InvalidInput(
            "Either `max_timestamp_millis` or `trace_ids` must be specified, but not both."
        )
    if doomed.names and doomed.most is not None:
        raise InvalidInput("`max_traces` can't be specified if `trace_ids` is specified.")
    if doomed.most is not None and doomed.most <= 0:
        raise InvalidInput(f"`max_traces` must be a positive integer, received {doomed.most}.")

    gone = 0
    names = list(doomed.names or [])
    while doomed.most is None or gone < doomed.most:
        part = _PART if doomed.most is None else min(_PART, doomed.most - gone)
        some, names = (names[:_PART], names[_PART:]) if doomed.names else (None, [])

        def work(tx: Tx, part: int = part, some: Sequence[str] | None = some) -> int:
            home = find(tx, tx.workspaces.get(ids).id, doomed.experiment, None)
            return tx.traces.delete(home.id, doomed.before, part, some)

        deleted = services.store.write(work)  # not all at once: other writers wait meanwhile
        gone += deleted
        if not names and (doomed.names or deleted < part):
            break
    return gone


def changed(
    services: Services,
    ids: WorkspaceId,
    trace: str,
    who: Principal,
    act: Callable[[Tx, Trace], T],
) -> T:
    """Do something to a trace that the caller may change, in one transaction.

    Raises:
        NotFound: there is no such trace.
        Denied: it is of another job's run.
    """

    def work(tx: Tx) -> T:
        workspace = tx.workspaces.get(ids).id
        found = tx.traces.get(workspace, trace)
        _check_own(tx, workspace, found, who)
        return act(tx, found)

    return services.store.write(work)


def check_own(services: Services, ids: WorkspaceId, trace: str, who: Principal) -> None:
    """See that the caller may change a trace.

    Raises:
        NotFound: there is no such trace.
        Denied: it is of another job's run.
    """

    def work(tx: Tx) -> None:
        workspace = tx.workspaces.get(ids).id
        _check_own(tx, workspace, tx.traces.get(workspace, trace), who)

    services.store.read(work)


def _home(
    services: Services, tx: Tx, workspace: int, experiment: str | None, who: Principal
) -> Experiment:
    """Return the experiment that traces go to."""
    if experiment is None and who.run:
        experiment = str(tx.runs.head(workspace, who.run).experiment)
    if experiment is None:
        raise InvalidInput(
            "the request names no experiment: send its id in the header X-Mlflow-Experiment-Id",
            path="experiment_id",
        )
    found = find(tx, workspace, experiment, services.clock.now())
    if found.deleted:
        raise InvalidInput(
            f"The experiment {found.id} must be in the 'active' state. Current state is deleted."
        )
    return found


def _add_new(
    tx: Tx,
    workspace: int,
    known: dict[str, Trace],
    seen: Sequence[tuple[Outline, Trace]],
    who: Principal,
) -> list[Outline]:
    """Store traces that spans are the first to tell of, and return what is told of the others."""
    new: dict[str, Trace] = {}
    later = []
    for outlined, trace in seen:
        if trace.trace in known or trace.trace in new:
            later.append(outlined)
        else:
            new[trace.trace] = _attributed(trace, who)
    rows = tx.traces.add(workspace, list(new.values()))
    for row, trace in zip(rows, new.values(), strict=True):
        known[trace.trace] = msgspec.structs.replace(trace, id=row)
    return later


def _grow(tx: Tx, known: dict[str, Trace], outlined: Outline) -> None:
    """Write what more spans say of a trace; they are stored already."""
    old = known[outlined.trace]
    new = grown(old, outlined, tx.spans.nodes(old.id) if outlined.nodes else ())
    tx.traces.save(new)
    known[outlined.trace] = msgspec.structs.replace(
        new, tags={**old.tags, **new.tags}, metadata={**old.metadata, **new.metadata}
    )


def _attributed(trace: Trace, who: Principal) -> Trace:
    """Return a trace of a job's as one of its run, unless it names another."""
    if not who.run or RUN in trace.metadata:
        return trace
    return msgspec.structs.replace(trace, metadata={**trace.metadata, RUN: who.run})


def _link(tx: Tx, workspace: int, run: str, traces: Sequence[int], who: Principal) -> None:
    found = tracking.require_writable(tx, workspace, run, who)
    tx.traces.link(found.id, traces)


def _check_own(tx: Tx, workspace: int, trace: Trace, who: Principal) -> None:
    """Keep a job from the traces of another job's run."""
    run = trace.metadata.get(RUN)
    if who.role is not Role.JOB or run is None or run == who.run:
        return
    try:
        tracking.require_writable(tx, workspace, run, who)
    except NotFound:
        return  # a run of elsewhere, or one that is gone
