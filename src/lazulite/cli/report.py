"""The last words on a job: how it ended, where its time went, what it left. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lazulite.cli.words import between, span, split, used


def report(job: Mapping[str, Any], *, seen: bool = False) -> Iterator[str]:
    """Yield the lines that sum a final job up.

    Args:
        job: Azure's JSON.
        seen: its log was shown already.
    """
    own = job["properties"].get("lazulite") or {}
    yield _headline(job, own)
    if use := used(own.get("usage") or {}):
        yield f"used {use}"
    yield from _failure(own.get("error") or {}, seen=seen)
    yield from _outputs(str(job["name"]), own.get("outputs") or {})
    steps = f", its steps: lazulite job list -p {job['name']}"
    is_pipeline = job["properties"].get("jobType") == "Pipeline"
    yield f"look at it with: lazulite job show -n {job['name']}{steps if is_pipeline else ''}"


def _headline(job: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    timeline = own.get("timeline") or {}
    took = between(timeline.get("created"), timeline.get("ended"))
    phases = ", ".join(f"{phase} {span(seconds)}" for phase, seconds in split(timeline))
    reused = f" (reused from {own['reusedFrom']})" if own.get("reusedFrom") else ""
    text = f"{job['name']}: {job['properties'].get('status')}{reused}"
    if took:
        text += f" in {took}"
    return f"{text} ({phases})" if phases else text


def _failure(error: Mapping[str, Any], *, seen: bool) -> Iterator[str]:
    if not error:
        return
    node = error.get("node")
    yield f"{f'step {node}: ' if node else ''}{error.get('message')}"
    tail = error.get("logTail") or error.get("log_tail")
    if tail and not seen and str(tail).strip() not in str(error.get("message")):
        yield "last lines of its log:"
        yield from (f"  | {line}" for line in str(tail).rstrip().splitlines())
    if error.get("reproduce"):
        yield f"run {'that step' if node else 'it'} again here:"
        yield from (f"  {line}" for line in str(error["reproduce"]).splitlines())


def _outputs(name: str, outputs: Mapping[str, Any]) -> Iterator[str]:
    shown = {key: value for key, value in outputs.items() if value.get("uri")}
    if not shown:
        return
    yield "outputs:"
    width = max(len(key) for key in shown)
    for key, value in shown.items():
        asset = f"  registered as {value['asset']}" if value.get("asset") else ""
        yield f"  {key.ljust(width)}  {value['uri']}{asset}"
    yield f"get them with: lazulite job download -n {name} --all"
