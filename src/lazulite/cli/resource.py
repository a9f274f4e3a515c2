"""What computes, datastores and workspaces have in common: creating from a file or options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from lazulite.cli.call import Call


def plan_of(
    call: Call,
    noun: str,
    file: Path | None,
    assignments: tuple[str, ...],
    fields: dict[str, Any],
) -> Any:
    """Return the plan of a file, changed by options, or of options alone."""
    from lazulite.cli.document import read_plan

    content = {key: value for key, value in fields.items() if value is not None}
    if file is None and not content and not assignments:
        raise click.UsageError(f"describe the {noun} with -f FILE or with options")
    given = tuple(f"{key}={json.dumps(value)}" for key, value in content.items()) if file else ()
    plan = read_plan(call, noun, file, (*given, *assignments), content)
    call.warn(plan.warnings)
    return plan
