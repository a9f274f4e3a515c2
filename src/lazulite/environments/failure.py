"""What uv says, for people: progress lines, and why a build failed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lazulite.domain.errors import InvalidInput, LazuliteError, Unavailable
from lazulite.environments.secrets import mask

CODE = "EnvironmentError"
LOG_LINES = 20  # last lines of the log that go with the error
_REASON = 600  # characters of uv's own words in the message

_PROGRESS = (
    (re.compile(r"Resolved (\d+ packages?)"), "resolved {}"),
    (re.compile(r"\s*(?:Downloading|Updating) (\S+.*)"), "downloading {}"),
    (re.compile(r"\s*Building (\S+)"), "building {}"),
    (re.compile(r"Prepared (\d+ packages?)"), "prepared {}"),
    (re.compile(r"Installed (\d+ packages? in .+)"), "installed {}"),
    (re.compile(r"Bytecode compiled (\d+ files in .+)"), "compiled {}"),
)
_FULL = re.compile(r"No space left on device|Disk quota exceeded|os error (?:28|122)\b")
_AWAY = re.compile(
    r"Request failed after|error sending request|dns error|tcp connect error|Connection refused"
    r"|operation timed out|Could not connect|HTTP status server error"
)
_BLOCK = re.compile(r"^(?:error:|\s*[\u00d7x] )", re.MULTILINE)
_MARKS = re.compile(r"^\s*(?:cause:|[\u00d7╰├│▶─]+)\s*", re.MULTILINE)
_QUOTED = re.compile(r"\[std(?:out|err)\]\n(?P<output>.*?)(?=^hint:|\Z)", re.MULTILINE | re.DOTALL)
_MENDS = (
    (
        re.compile(r"was not found in the (?:package registry|cache)"),
        "check its name (it must be on the Python package index)",
    ),
    (
        re.compile(r"no version of|only .+ (?:is|are) available"),
        "ask for a version that exists and runs on this Python",
    ),
    (re.compile(r"no wheels? with|Python version|requires Python|Python>="), "pin another Python"),
    (re.compile(r"depends on"), "loosen one of the two that contradict each other"),
    (
        re.compile(r"[Ff]ailed to build|build backend"),
        "choose a version or a Python for which it has a wheel, or install what its build needs",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A build that did not work."""

    name: str  # of the environment
    requirements: Sequence[str]
    python: str  # version
    tail: Sequence[str]  # last lines of the log, masked


def progress_of(line: str) -> str | None:
    """Return the short line that a line of uv's output is worth, if it is worth one."""
    for pattern, words in _PROGRESS:
        if found := pattern.match(line):
            return words.format(found[1])
    return None


def explain(failed: Failed) -> LazuliteError:
    """Turn the end of a failed build's log into the error to raise."""
    text = "\n".join(failed.tail)
    log_tail = "\n".join(list(failed.tail)[-LOG_LINES:])
    reason = _reason(text)
    if _FULL.search(text):
        return disk_full(failed.name, log_tail)
    if _AWAY.search(reason):
        return Unavailable(
            f"environment {failed.name}: the package index cannot be reached ({reason}): "
            "check the network, or UV_INDEX_URL and SSL_CERT_FILE of the server",
            code=CODE,
            log_tail=log_tail,
        )
    requirement = guilty(reason, [mask(text) for text in failed.requirements])
    what = f"{requirement} cannot be installed" if requirement else "it cannot be built"
    mend = next((words for pattern, words in _MENDS if pattern.search(reason)), "read its log")
    return InvalidInput(
        f"environment {failed.name}: {what} on Python {failed.python}: "
        f"{reason.rstrip('.')}; {mend}",
        path="environment",
        code=CODE,
        requirement=requirement,
        log_tail=log_tail,
    )


def disk_full(name: str, log_tail: str = "") -> Unavailable:
    """Say that there is no room for the environment `name`."""
    return Unavailable(
        f"environment {name}: the disk is full: free some space "
        "(`lazulite environment` shows and frees built environments) and submit again",
        code=CODE,
        log_tail=log_tail,
    )


def guilty(reason: str, requirements: Iterable[str]) -> str | None:
    """Return the requirement that `reason` names first, None if it names none of them."""
    places = []
    for requirement in requirements:
        name = re.split(r"[\s\[<>=!~;@(]", requirement, maxsplit=1)[0]
        spelled = re.escape(name).replace(r"\-", "[-_.]")
        found = re.search(rf"(?<![\w.\-]){spelled}(?![\w\-]|\.\w)", reason, re.IGNORECASE)
        if found:
            places.append((found.start(), requirement))
    return min(places)[1] if places else None


def _reason(text: str) -> str:
    """Return uv's own words from its last error on, as one line."""
    starts = [found.start() for found in _BLOCK.finditer(text)]
    block = text[starts[-1] :] if starts else text[-_REASON:]
    words = " ".join(_MARKS.sub("", _without_traceback(block)).removeprefix("error:").split())
    words = words.replace(", we can conclude that your requirements are unsatisfiable", "")
    words = words.removeprefix("No solution found when resolving dependencies ")
    return words if len(words) <= _REASON else f"{words[:_REASON]}..."


def _without_traceback(block: str) -> str:
    """Keep of a package's own output, which uv quotes, only the last line."""
    found = _QUOTED.search(block)
    if not found:
        return block
    lines = [line for line in found["output"].splitlines() if line.strip()]
    return f"{block[: found.start()]} {lines[-1] if lines else ''}"
