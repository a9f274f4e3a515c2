"""What a process left behind: its outputs' identity, its log's end, the way to run it again."""

from __future__ import annotations

import shlex
import signal
from dataclasses import dataclass

import msgspec

from lazulite.domain.errors import LazuliteError
from lazulite.domain.job import CommandDef, Job, JobError, OutputValue
from lazulite.engine.launcher import Launcher
from lazulite.formats.azure.job import MASK, mask
from lazulite.ports.compute import Ended, Launch, Lost, Sight

TAIL_LINES = 20
_OPEN = ("AZURE_ML_INPUT_", "AZURE_ML_OUTPUT_")  # values of inputs are no secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the engine needs to end a job."""

    sight: Sight
    outputs: dict[str, OutputValue]
    error: JobError | None  # None = it succeeded

    @property
    def exit_code(self) -> int | None:
        """The process's exit status, if it left one."""
        return self.sight.exit_code if isinstance(self.sight, Ended) else None


def failure_of(error: BaseException) -> JobError:
    """Return why a job failed whose handling raised; a text that any database takes."""
    code = "UserError" if isinstance(error, LazuliteError) else "SystemError"
    return JobError(code=code, message=_storable(str(error) or type(error).__name__))


def _storable(text: str) -> str:
    """Replace what a file's name may hold and UTF-8 cannot."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\0")


def collect(
    launcher: Launcher, job: Job, work: CommandDef, launch: Launch, sight: Sight
) -> Outcome:
    """Look at what a process that is no longer alive left. Reads files; repeatable."""
    if isinstance(sight, Ended) and sight.exit_code == 0:
        try:
            return Outcome(sight=sight, outputs=_identify(launcher, job), error=None)
        except (LazuliteError, OSError) as cause:
            why = _storable(f"its outputs cannot be read: {cause}")
            failed = JobError(code="OutputError", message=why)
            return Outcome(sight=sight, outputs=job.outputs, error=failed)
    error = JobError(
        code="UserError" if isinstance(sight, Ended) else "ProcessLost",
        message=_reason(sight),
        log_tail=launcher.files.tail(launch.log, TAIL_LINES),
        reproduce=_reproduce(launch, work),
    )
    return Outcome(sight=sight, outputs=job.outputs, error=error)


def _identify(launcher: Launcher, job: Job) -> dict[str, OutputValue]:
    found = {}
    for name, value in job.outputs.items():
        path = launcher.output_path(job, value)
        digest = launcher.files.digest(path) if path.exists() else None
        found[name] = msgspec.structs.replace(value, digest=digest)
    return found


def _reason(sight: Sight) -> str:
    if isinstance(sight, Lost):
        return f"the process is gone and left no result: {sight.reason}"
    if not isinstance(sight, Ended):
        return "the process could not be started"
    if sight.exit_code - 128 in signal.valid_signals():
        number = sight.exit_code - 128
        named = number in {one.value for one in signal.Signals}
        name = f" ({signal.Signals(number).name})" if named else ""
        return f"the command was ended by signal {number}{name}"
    return f"the command ended with exit status {sight.exit_code}"


def _reproduce(launch: Launch, work: CommandDef) -> str | None:
    """Write a script that runs the step again in its folder; secrets have to be given anew."""
    if not launch.command:
        return None
    hidden = {k for k, v in mask(work.environment_variables).items() if v == MASK}
    hidden |= {k for k, v in mask(launch.env).items() if v == MASK and not k.startswith(_OPEN)}
    lines = ["#!/bin/sh", "# Runs this step again with its inputs, in its folder."]
    for key, value in sorted(launch.env.items()):
        if not key.replace("_", "a").isalnum():
            continue  # not a name a shell can set
        lines.append(
            f"# export {key}=... (secret)"
            if key in hidden
            else f"export {key}={shlex.quote(value)}"
        )
    lines += [
        f"cd {shlex.quote(str(launch.cwd))} || exit",
        f"exec bash -c {shlex.quote(launch.command)}",
    ]
    script = launch.records.parent / "reproduce.sh"
    try:
        script.write_bytes(("\n".join(lines) + "\n").encode(errors="surrogateescape"))
        script.chmod(0o700)
    except OSError:
        return None
    return f"sh {shlex.quote(str(script))}"
