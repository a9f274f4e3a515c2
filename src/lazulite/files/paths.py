"""Which relative paths are safe to make. It touches no disk."""

from __future__ import annotations

from lazulite.domain.errors import InvalidInput

MAX_SEGMENT = 255  # bytes; the limit of ext4, xfs, btrfs and APFS for one name


def safe_relative(path: str) -> str:
    """Return `path` unchanged if it names something strictly below whatever it is joined to.

    Raises:
        InvalidInput: it is empty or absolute, has an empty segment, `.` or `..`, a NUL, a name
            over `MAX_SEGMENT` bytes, or is not Unicode.
    """
    reason = _unsafe(path)
    if reason:
        raise InvalidInput(f"path {path[:200]!r} {reason}; rename it", path="path")
    return path


def _unsafe(path: str) -> str | None:
    if not path:
        return "is empty"
    if path[0] == "/":
        return "is absolute"
    if "\0" in path:
        return "has a NUL character"
    segments = path.split("/")
    if ".." in segments or "." in segments or "" in segments:
        return "has a segment '.', '..' or an empty one"
    try:
        too_long = len(path.encode()) > MAX_SEGMENT and any(
            len(segment.encode()) > MAX_SEGMENT for segment in segments
        )
    except UnicodeEncodeError:
        return "is not valid UTF-8"
    return f"has a name of more than {MAX_SEGMENT} bytes" if too_long else None
