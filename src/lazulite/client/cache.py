"""Small JSON files that save time and may vanish: to lose one costs speed, nothing else."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from blake3 import blake3


def place(folder: Path, key: str) -> Path:
    """Return the file in `folder` that keeps what is known of `key`."""
    return folder / f"{blake3(key.encode()).hexdigest()[:32]}.json"


def load(store: Path) -> dict[str, Any]:
    """Return what a file keeps; empty if it cannot be read."""
    try:
        found = json.loads(store.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def save(store: Path, content: dict[str, Any]) -> None:
    """Write a file whole or not at all."""
    fresh = store.with_suffix(f".{os.getpid()}")
    try:
        store.parent.mkdir(parents=True, exist_ok=True, mode=0o700)  # YAML may hold secrets
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(json.dumps(content, separators=(",", ":")))
        fresh.replace(store)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()
