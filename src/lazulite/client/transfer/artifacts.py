"""Moves the artifacts of one run or logged model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeGuard

import msgspec

from lazulite.client.transfer.records import File, Left, Model, Placed, Run, Source, Target
from lazulite.client.transfer.report import Report
from lazulite.domain.errors import InvalidInput, LazuliteError, Unavailable
from lazulite.domain.ids import clean_path

TOGETHER = 16  # files that a target is given at once
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
    waiting: list[File] = []
    for file in source.files(whose):
        if _is_to_go(file, has, report, whose.id):
            waiting.append(file)
        if len(waiting) == TOGETHER:
            _put(None if dry else target, ours, waiting, report)
            waiting = []
    _put(None if dry else target, ours, waiting, report)


def _is_to_go(
    file: File | Left, has: Mapping[str, int], report: Report, owner: str
) -> TypeGuard[File]:
    """Tell whether a file is to be moved; count what is not."""
    reason = file.reason if isinstance(file, Left) else _refused(file.path)
    name = f"{owner}/{file.path}".rstrip("/")
    if isinstance(file, Left) or reason is not None:
        report.skip("artifacts", name, reason or "")
        return False
    if file.path not in has:
        return True
    if has[file.path] == file.size:
        report.add("artifacts", there=1)
        report.add("bytes", there=file.size)
    else:
        report.skip("artifacts", name, STAYS)
    return False


def _refused(path: str) -> str | None:
    try:
        clean_path(path)
    except InvalidInput as error:
        return error.message
    return None


def _put(target: Target | None, ours: Run | Model, files: list[File], report: Report) -> None:
    reasons = target.put(ours, files) if target and files else [None] * len(files)
    for file, reason in zip(files, reasons, strict=True):
        if reason is None:
            report.add("artifacts", new=1)
            report.add("bytes", new=file.size)
        else:
            report.skip("artifacts", f"{ours.id}/{file.path}", reason)


def attempt(work: Callable[[], None]) -> str | None:
    """Do something with a file; return why it cannot be done.

    Raises:
        Unavailable: the source or the target is away, so that nothing can be done any more.
    """
    try:
        work()
    except Unavailable:
        raise
    except LazuliteError as error:
        return error.message
    except OSError as error:
        return f"it cannot be read or written: {error.strerror}"
    return None
