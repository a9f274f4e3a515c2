"""What makes two jobs the same, part by part, so that a difference can be named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from lazulite.domain.job import CommandDef, DataInput, OutputSpec

Inputs = Mapping[str, str | DataInput | None]


def parts(work: CommandDef, inputs: Inputs, outputs: Mapping[str, OutputSpec]) -> dict[str, str]:
    """Return the named parts of a job's fingerprint.

    Args:
        work: what it runs.
        inputs: resolved; every DataInput with its digest, else its URI stands for its content.
        outputs: the declared outputs with the node's overrides; only an explicit place counts.
    """
    found = {
        "command": work.command,
        "code": work.snapshot or "",
        "environment": work.environment_key,
        "instances": str(work.resources.instance_count),
    }
    for name, value in inputs.items():
        found[f"inputs.{name}"] = _identity(value)
    for name, text in work.environment_variables.items():
        found[f"environment_variables.{name}"] = hashlib.blake2b(text.encode()).hexdigest()[:32]
    for name, spec in outputs.items():
        found[f"outputs.{name}"] = f"{spec.type} {spec.uri or ''}"
    return found


def fingerprint(of: Mapping[str, str]) -> str:
    """Return one digest for the parts: 64 hex characters, independent of their order."""
    text = json.dumps(of, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=32).hexdigest()


def differences(was: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the names of the parts that differ, sorted."""
    return sorted(name for name in was.keys() | now.keys() if was.get(name) != now.get(name))


def _identity(value: str | DataInput | None) -> str:
    if value is None:
        return "absent"
    if isinstance(value, str):
        return f"literal {value}"
    return f"{value.type} {value.digest or value.uri}"
