"""Tables of jobs."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from lazulite.cli.output import Column
from lazulite.cli.words import ago, between, status_style

_HEX = re.compile(r"[0-9a-f]{32,}")  # a digest tells a person nothing but that it differs


def _timeline(job: dict[str, Any]) -> dict[str, Any]:
    return (job.get("lazulite") or {}).get("timeline") or {}


def _status(job: dict[str, Any]) -> str:
    own = job.get("lazulite") or {}
    if own.get("reusedFrom"):
        return f"{job.get('status')} (reused from {own['reusedFrom']})"
    return str(job.get("status"))


def _took(job: dict[str, Any]) -> str:
    timeline = _timeline(job)
    begun = timeline.get("starting") or timeline.get("running") or timeline.get("created")
    return between(begun, timeline.get("ended"), datetime.now(UTC))


def _created(job: dict[str, Any]) -> str:
    return ago((job.get("creation_context") or {}).get("created_at"), datetime.now(UTC))


JOB_COLUMNS = (
    Column("Name", "name"),
    Column("Status", _status, status_style),
    Column("Type", "type", spare=True),
    Column("Display name", "display_name", spare=True),
    Column("Experiment", "experiment_name", spare=True),
    Column("Created", _created),
    Column("Took", _took),
)
CHILD_COLUMNS = (
    Column("Step", lambda job: (job.get("lazulite") or {}).get("node")),
    *JOB_COLUMNS[:3],
    Column("Took", _took),
)
EXPLAIN_COLUMNS = (
    Column("Step", "path"),
    Column("Status", "status", status_style),
    Column("Reused from", "reusedFrom"),
    Column("Differs in", lambda node: "; ".join(differences(node)) or _reason(node)),
)


def _reason(node: dict[str, Any]) -> object:
    return None if node.get("reusedFrom") else node.get("reason")


def differences(node: dict[str, Any]) -> list[str]:
    """Return what a step has otherwise than the nearest earlier one, a phrase per part."""
    return [
        f"{one.get('part')}: {_brief(one.get('was'))} -> {_brief(one.get('is'))}"
        for one in node.get("differs") or ()
    ]


def _brief(value: object) -> str:
    text = "nothing" if value is None else _HEX.sub(lambda found: f"{found[0][:8]}...", str(value))
    return text if len(text) <= 60 else f"{text[:57]}..."
