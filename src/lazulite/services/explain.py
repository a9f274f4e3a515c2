"""Why was each node reused or run: its fingerprint beside the nearest earlier one's."""

from __future__ import annotations

import msgspec

from lazulite.domain.fingerprint import differences, fingerprint, parts
from lazulite.domain.job import CommandDef, Job, OutputSpec
from lazulite.domain.workspace import Workspace
from lazulite.ports.files import Entry
from lazulite.ports.store import Tx
from lazulite.services.context import Services
from lazulite.services.jobs import decode_work

Ran = tuple[Job, CommandDef]

MAX_FILES = 20  # changed files named per node
MAX_COMPARED = 20  # earlier jobs of a node that the nearest is sought among
_NOT_LISTED = "environment_variables."  # their values are never shown


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a fingerprint that is not what it was."""

    part: str  # code/train.py, environment, command, inputs.lr ...
    was: str | None  # None = it was not there
    now: str | None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a node ran, or did not."""

    path: str  # dotted node path; empty for the job itself
    job: str
    status: str
    reused_from: str | None
    fingerprint: str | None
    reason: str
    compared_with: str | None = None  # job whose fingerprint is nearest
    differs: list[Difference] = []


def explain(services: Services, workspace: Workspace, name: str) -> list[Explanation]:
    """Explain a job, or each command node below a pipeline, in the order they were made.

    Raises:
        NotFound: no job of this name.
    """

    def work(tx: Tx) -> list[tuple[str, Ran, Ran | None]]:
        found = []
        for path, job in _commands(tx, tx.jobs.get(workspace.id, name), ""):
            definition = _definition(tx, job)
            if definition is not None:
                ran = (job, definition)
                found.append((path, ran, _nearest(tx, ran)))
        return found

    rows = services.store.read(work)
    return [_explain(services, *row) for row in rows]


def _nearest(tx: Tx, ran: Ran) -> Ran | None:
    """Return the earlier job whose fingerprint differs in the fewest parts, the newest of those."""
    job, work = ran
    if job.reused_from is not None or not job.node:
        return None
    component = work.component or ""
    earlier = tx.executions.earlier(job.workspace, job.node, component, job.id, MAX_COMPARED)
    found = [(one, before) for one in earlier if (before := _definition(tx, one))]
    mine = _parts(job, work)
    return min(found, key=lambda one: len(differences(_parts(*one), mine)), default=None)


def _commands(tx: Tx, job: Job, path: str) -> list[tuple[str, Job]]:
    if job.kind == "Command":
        return [(path, job)]
    found: list[tuple[str, Job]] = []
    for child in tx.jobs.children(job.id):
        below = f"{path}.{child.node}" if path else str(child.node)
        found += _commands(tx, child, below)
    return found


def _definition(tx: Tx, job: Job) -> CommandDef | None:
    [(_, stored)] = tx.executions.load([job.id]) or [(job, None)]
    work = decode_work(stored) if stored else None
    return work if isinstance(work, CommandDef) else None


def _explain(
    services: Services,
    path: str,
    ran: Ran,
    nearest: Ran | None,
) -> Explanation:
    job, work = ran
    earlier, before = nearest or (None, None)
    differs: list[Difference] = []
    if job.reused_from:
        reason = f"reused from {job.reused_from}: nothing in its fingerprint differs"
    elif earlier is None or before is None:
        reason = "it ran: no earlier completed job of this node to reuse"
    elif earlier.fingerprint == job.fingerprint:
        reason = _same(work, earlier)
    else:
        differs = _differences(services, (earlier, before), (job, work))
        named = ", ".join(d.part for d in differs[:5]) or "its place of outputs"
        reason = f"it ran: not as in {earlier.name}: {named}"
    return Explanation(
        path=path,
        job=job.name,
        status=str(job.status),
        reused_from=job.reused_from,
        fingerprint=job.fingerprint,
        reason=reason,
        compared_with=earlier.name if earlier else None,
        differs=differs,
    )


def _same(work: CommandDef, earlier: Job) -> str:
    if not work.deterministic:
        return "it ran: the component says is_deterministic: false"
    return (
        f"it ran although {earlier.name} has the same fingerprint: force_rerun was set, or that "
        "job completed later or its outputs are gone"
    )


def _differences(
    services: Services, was: tuple[Job, CommandDef], now: tuple[Job, CommandDef]
) -> list[Difference]:
    old, new = _parts(*was), _parts(*now)
    found: list[Difference] = []
    for part in differences(old, new):
        if part == "code":
            found += _files(services, was[1].snapshot, now[1].snapshot)
        elif part.startswith(_NOT_LISTED):
            found.append(Difference(part=part, was="(hidden)", now="(hidden)"))
        elif part == "environment":
            found.append(Difference(part=part, was=was[1].environment, now=now[1].environment))
        else:
            found.append(Difference(part=part, was=old.get(part), now=new.get(part)))
    return found


def _parts(job: Job, work: CommandDef) -> dict[str, str]:
    """Return the parts as they were: the outputs' declared places are known from the work."""
    outputs: dict[str, OutputSpec] = {
        name: work.outputs.get(name, OutputSpec(type=value.type))
        for name, value in job.outputs.items()
    }
    found = parts(work, job.inputs, outputs)
    if fingerprint(found) != job.fingerprint:
        found["outputs"] = str(job.fingerprint)  # a node gave an output a place of its own
    return found


def _files(services: Services, was: str | None, now: str | None) -> list[Difference]:
    old, new = _entries(services, was), _entries(services, now)
    changed = sorted(p for p in old.keys() | new.keys() if old.get(p) != new.get(p))
    listed = [
        Difference(part=f"code/{path}", was=_short(old.get(path)), now=_short(new.get(path)))
        for path in changed[:MAX_FILES]
    ]
    if len(changed) > MAX_FILES:
        more = f"code: {len(changed) - MAX_FILES} more files"
        listed.append(Difference(part=more, was=was, now=now))
    return listed


def _entries(services: Services, tree: str | None) -> dict[str, Entry]:
    if tree is None:
        return {}
    return {entry.path: entry for entry in services.snapshots.entries(tree)}


def _short(entry: Entry | None) -> str | None:
    return f"{entry.digest[:12]} ({entry.size} bytes)" if entry else None
