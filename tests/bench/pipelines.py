"""Writes the jobs that are measured, as Azure ML YAML. It runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ENVIRONMENT = {"image": "mcr.microsoft.com/azureml/openmpi5.0-ubuntu24.04"}

# The least that a step with typed inputs and outputs does.
STEP = """\
import sys
from pathlib import Path

out, number, *before = sys.argv[1:]
total = int(number) + sum(int((Path(folder) / "n").read_text()) for folder in before)
(Path(out) / "n").write_text(str(total))
"""

# Says when it began and which Python it is: the first line of user code.
FIRST_LINE = """\
import time; now = time.time()
import sys
from pathlib import Path

Path(sys.argv[1]).write_text(f"{now} {sys.executable}")
"""


def chain(folder: Path, length: int) -> Path:
    """Write a chain of `length` steps, each fed by the one before."""
    jobs = {"s0000": _step(0)}
    for k in range(1, length):
        jobs[f"s{k:04}"] = _step(k, before=f"${{{{parent.jobs.s{k - 1:04}.outputs.out}}}}")
    return _pipeline(folder, jobs)


def fan_out(folder: Path, width: int) -> Path:
    """Write `width` steps beside each other and one that joins them."""
    jobs = {f"s{k:04}": _step(k) for k in range(width)}
    jobs["join"] = {
        "type": "command",
        "component": "join.yml",
        "inputs": {f"i{k}": f"${{{{parent.jobs.s{k:04}.outputs.out}}}}" for k in range(width)},
    }
    path = _pipeline(folder, jobs)
    every = " ".join(f"${{{{inputs.i{k}}}}}" for k in range(width))
    inputs = {f"i{k}": {"type": "uri_folder"} for k in range(width)}
    _component(folder / "join.yml", f"python step.py ${{{{outputs.out}}}} 0 {every}", inputs)
    return path


def first_line(folder: Path, files: int = 0) -> Path:
    """Write a command job that says when its first line ran, with `files` more files of code."""
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "first.py").write_text(FIRST_LINE)
    for k in range(files):
        path = folder / "src" / f"part{k % 40}" / f"module{k}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"# module {k} of {folder.name}\n" + f"VALUE = {k}\n" * (k % 200))
    job = {
        "type": "command",
        "experiment_name": "bench",
        "code": "src",
        "command": "python first.py '${{inputs.mark}}'",
        "inputs": {"mark": "none"},
        "environment": ENVIRONMENT,
    }
    return _write(folder / "job.yml", job)


def _step(number: int, **bound: str) -> dict[str, Any]:
    inputs = {"round": "${{parent.inputs.round}}", "number": number, **bound}
    return {"type": "command", "component": "step.yml", "inputs": inputs}


def _pipeline(folder: Path, jobs: dict[str, Any]) -> Path:
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "step.py").write_text(STEP)
    inputs = {
        "round": {"type": "integer"},  # a new one makes every step new
        "number": {"type": "integer"},
        "before": {"type": "uri_folder", "optional": True},
    }
    command = "python step.py ${{outputs.out}} ${{inputs.number}} $[[${{inputs.before}}]]"
    _component(folder / "step.yml", command, inputs)
    pipeline = {
        "type": "pipeline",
        "experiment_name": "bench",
        "inputs": {"round": 0},
        "settings": {"default_compute": "azureml:serverless"},
        "jobs": jobs,
    }
    return _write(folder / "pipeline.yml", pipeline)


def _component(path: Path, command: str, inputs: dict[str, Any]) -> None:
    component = {
        "type": "command",
        "name": f"bench_{path.stem}",
        "version": "1",
        "code": "src",
        "command": command,
        "inputs": inputs,
        "outputs": {"out": {"type": "uri_folder"}},
        "environment": ENVIRONMENT,
    }
    _write(path, component)


def _write(path: Path, document: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(document, sort_keys=False, width=10**6))
    return path
