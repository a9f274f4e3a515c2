"""`lazulite job stream` and `wait`: follow a job to its end. Ctrl-C leaves it running."""

from __future__ import annotations

import sys
from typing import Any

import click

from lazulite.cli.call import Call, common
from lazulite.cli.exits import INTERRUPTED, JOB_FAILED, OK
from lazulite.cli.names import Name
from lazulite.domain.errors import Unavailable

_NAME = click.option("-n", "--name", required=True, type=Name("jobs"), help="Name of the job.")


@click.command()
@_NAME
@click.option("--logs", is_flag=True, help="Of a pipeline: the logs of all steps, live.")
@common
def stream(call: Call, name: str, *, logs: bool) -> None:
    """Follow a job until it ends: logs on stdout, states on stderr."""
    click.get_current_context().exit(follow(call, name, logs=logs))


@click.command()
@_NAME
@click.option("--timeout", type=click.IntRange(1), help="Seconds to wait at most.")
@common
def wait(call: Call, name: str, timeout: int | None) -> None:
    """Wait until a job ends. Says nothing; the exit code tells."""
    import time

    from lazulite.client import jobs

    begun = time.monotonic()
    status = ""
    for change in jobs.watch(call.session, name, silence=timeout):
        status = (change.get("job") or {}).get("status") or status
        if timeout and time.monotonic() - begun > timeout and status not in jobs.FINAL:
            raise Unavailable(f"job {name} is still {status} after {timeout} s")
    click.get_current_context().exit(OK if status == "Completed" else JOB_FAILED)


def follow(call: Call, name: str, *, logs: bool) -> int:
    """Show a job until it is final; return the exit code."""
    from lazulite.cli.follower import Follower

    follower = Follower(call, name, logs=logs, to=sys.stderr if call.wants_data else sys.stdout)
    try:
        final = follower.run()
    except KeyboardInterrupt:
        if not follower.is_heard:
            raise BrokenPipeError from None
        call.say(
            f"\n{name} keeps running; follow it with `lazulite job stream -n {name}`, "
            f"stop it with `lazulite job cancel -n {name}`"
        )
        return INTERRUPTED
    except Unavailable:
        call.say(f"{name} may still run; follow it again with `lazulite job stream -n {name}`")
        raise
    return _conclude(call, final, seen=follower.has_shown(name))


def _conclude(call: Call, job: dict[str, Any], *, seen: bool) -> int:
    from lazulite.cli.report import report

    for line in report(job, seen=seen):
        call.say(line)
    return OK if job["properties"].get("status") == "Completed" else JOB_FAILED
