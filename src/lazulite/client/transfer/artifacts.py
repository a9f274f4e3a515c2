"""Moves the artifacts of one run or logged model."""

from __future__ import annotations

import msgspec

from lazulite.client.transfer.records import File, Model, Placed, Run, Source, Target
from lazulite.client.transfer.report import Report
from lazulite.domain.errors import LazuliteError, Unavailable
from lazulite.domain.ids import clean_path

STAYS = "another file of this name is there: it stays"


def move_files(
    source: Source,
    target: Target,
    owner: tuple[Run | Model, Placed],
    report: Report,
    *,
    dry: bool,
) -> None:
    """Move the files that the target has not.

    Args:
        source: where they are.
        target: where they go.
        owner: whose they are, and where that is in the target.
        report: what is counted in.
        dry: write nothing.

    Raises:
        Unavailable: the source or the target is away.
    """
    whose, placed = owner
    in_bin = isinstance(whose, Run) and whose.deleted and placed.state == "same"
    if placed.state == "kept" or in_bin:
        return
    ours = msgspec.structs.replace(whose, id=placed.id)
    has = {} if placed.state == "new" else target.files(ours)
    for file in source.files(whose):
        name = f"{whose.id}/{file.path}".rstrip("/")
        if not isinstance(file, File):
            report.skip("artifacts", name, file.reason)
        elif file.path not in has:
            reason = None if dry else _put(target, ours, file)
            if reason is not None:
                report.skip("artifacts", name, reason)
                continue
            report.add("artifacts", new=1)
            report.add("bytes", new=file.size)
        elif has[file.path] == file.size:
            report.add("artifacts", there=1)
            report.add("bytes", there=file.size)
        else:
            report.skip("artifacts", name, STAYS)


def _put(target: Target, ours: Run | Model, file: File) -> str | None:
    """Move one file; return why it cannot be."""
    try:
        clean_path(file.path)
        target.put(ours, file)
    except Unavailable:
        raise
    except LazuliteError as error:
        return error.message
    except OSError as error:
        return f"it cannot be read or written: {error.strerror}"
    return None
