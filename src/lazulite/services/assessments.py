"""Use cases of what is said of traces: feedback and expectations."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import msgspec

from lazulite.domain.access import Principal
from lazulite.domain.errors import InvalidInput, NotFound
from lazulite.domain.ids import WorkspaceId
from lazulite.domain.trace import Assessment, Trace
from lazulite.ports.store import Tx
from lazulite.services.context import Services
from lazulite.services.traces import changed


def create(
    services: Services, ids: WorkspaceId, trace: str, said: Assessment, who: Principal
) -> Assessment:
    """Keep an assessment; one that it overrides is no longer valid.

    Raises:
        NotFound: there is no such trace, or none to override.
        Denied: the trace is of another job's run.
    """
    new = named(said, _now(services))

    def work(tx: Tx, found: Trace) -> Assessment:
        if new.overrides:
            old = tx.assessments.get(found, new.overrides)
            tx.assessments.put(found, [msgspec.structs.replace(old, valid=False)])
        tx.assessments.put(found, [new])
        return new

    return changed(services, ids, trace, who, work)


def get(services: Services, ids: WorkspaceId, trace: str, assessment: str) -> Assessment:
    """Return one.

    Raises:
        NotFound: there is no such trace, or no such assessment.
    """

    def work(tx: Tx) -> Assessment:
        return tx.assessments.get(tx.traces.get(tx.workspaces.get(ids).id, trace), assessment)

    return services.store.read(work)


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """What a client wants to change: fields of `Assessment` by name; metadata is added."""

    fields: Mapping[str, Any]
    metadata: Mapping[str, str] = {}
    kind: str | None = None  # of the value among the fields, if one is


def update(
    services: Services,
    ids: WorkspaceId,
    place: tuple[str, str],
    edit: Edit,
    who: Principal,
) -> Assessment:
    """Change an assessment. Its source, span and kind stay what they are.

    Args:
        services: the ports.
        ids: the workspace.
        place: ids of the trace and of the assessment.
        edit: the change.
        who: the caller.

    Raises:
        NotFound: there is no such trace, or no such assessment.
        InvalidInput: the value is of another kind.
        Denied: the trace is of another job's run.
    """
    trace, assessment = place

    def work(tx: Tx, found: Trace) -> Assessment:
        old = tx.assessments.get(found, assessment)
        if edit.kind and edit.kind != old.kind:
            raise InvalidInput(
                f"Cannot update {edit.kind} value on a {old.kind.capitalize()} assessment."
            )
        new = msgspec.structs.replace(
            old,
            **edit.fields,
            metadata={**old.metadata, **edit.metadata},
            modified=_now(services),
        )
        tx.assessments.put(found, [new])
        return new

    return changed(services, ids, trace, who, work)


def delete(
    services: Services, ids: WorkspaceId, trace: str, assessment: str, who: Principal
) -> None:
    """Delete an assessment, if it is there; one that it overrode is valid again.

    Raises:
        Denied: the trace is of another job's run.
    """

    def work(tx: Tx, found: Trace) -> None:
        old = tx.assessments.get(found, assessment)
        tx.assessments.delete(found, assessment)
        before = [one for one in found.assessments if one.id == old.overrides]
        tx.assessments.put(found, [msgspec.structs.replace(one, valid=True) for one in before])

    try:
        changed(services, ids, trace, who, work)
    except NotFound:
        return  # as MLflow: what is not there need not be deleted


def named(said: Assessment, now: int) -> Assessment:
    """Return an assessment with an id and times, if it has none.

    Args:
        said: the assessment.
        now: milliseconds since 1970.
    """
    return msgspec.structs.replace(
        said,
        id=said.id or f"a-{uuid.uuid4().hex}",
        created=said.created or now,
        modified=said.modified or now,
    )


def _now(services: Services) -> int:
    return int(services.clock.now().timestamp() * 1000)
