"""Who may do what: one table for every route family. It does not verify tokens."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from lazulite.domain.errors import Denied


class Action(StrEnum):
    """What a request does to the workspace."""

    READ = "read"
    WRITE = "write"  # submit jobs, register assets
    MANAGE = "manage"  # computes and datastores; cancel and delete jobs
    RUN = "run"  # write to one run: logs, metrics, artifacts
    SECRETS = "secrets"  # read credentials of datastores
    ADMIN = "admin"  # create and delete workspaces, stop the server


class Role(StrEnum):
    """What a caller is. More roles come with users."""

    OWNER = "owner"
    JOB = "job"


GRANTS: dict[Role, frozenset[Action]] = {
    Role.OWNER: frozenset(Action),
    Role.JOB: frozenset({Action.READ, Action.WRITE, Action.RUN}),
}


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """A verified caller."""

    name: str
    role: Role
    workspace: str | None = None  # WorkspaceId.key; None = every workspace
    run: str | None = None  # the job's own run, for Role.JOB


OWNER = Principal(name="owner", role=Role.OWNER)


def authorize(principal: Principal, action: Action, workspace: str | None) -> None:
    """Let the call pass, or raise.

    Args:
        principal: the verified caller.
        action: what the route does.
        workspace: `WorkspaceId.key` of the workspace the route is in; None outside one.

    Raises:
        Denied: the role lacks the action, or the caller belongs to another workspace.
    """
    if action not in GRANTS[principal.role]:
        raise Denied(f"{principal.role} '{principal.name}' may not {action} here")
    if principal.workspace is not None and principal.workspace != workspace:
        raise Denied(f"{principal.role} '{principal.name}' belongs to another workspace")
