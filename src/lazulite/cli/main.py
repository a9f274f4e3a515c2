"""Where a command's process begins. It imports the command line late."""

from __future__ import annotations

import gc
import os
import sys

PATIENCE = 50_000  # new objects between two looks for garbage; Python's own is 700


def main(argv: list[str] | None = None) -> None:
    """Run the command and leave with its exit code."""
    # What an import makes stays: to look for garbage there takes a twentieth of a short command.
    gc.set_threshold(PATIENCE)
    if not sys.stdout:  # closed, as by `>&-`
        from pathlib import Path

        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - as long as the process lives
    try:
        from lazulite.cli.program import run
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(run(sys.argv[1:] if argv is None else argv))
