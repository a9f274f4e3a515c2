"""`lazulite job`: its verbs, each in a module of its own kind."""

from __future__ import annotations

import click

from lazulite.cli.lazy import LazyGroup

_SUBMIT, _QUERY = "lazulite.cli.job_submit", "lazulite.cli.job_query"
_FOLLOW, _CHANGE = "lazulite.cli.job_follow", "lazulite.cli.job_change"

VERBS = {
    "create": (_SUBMIT, "Submit a job from a YAML file."),
    "validate": (_SUBMIT, "Check a YAML file without submitting it."),
    "show": (_QUERY, "Show a job."),
    "list": (_QUERY, "List jobs, newest first, or the steps of a pipeline."),
    "stream": (_FOLLOW, "Follow a job until it ends: logs on stdout, states on stderr."),
    "wait": (_FOLLOW, "Wait until a job ends."),
    "cancel": (_CHANGE, "Cancel a job."),
    "download": (_CHANGE, "Download logs, artifacts and outputs."),
    "explain": (_QUERY, "Say per step whose outputs it reused, or why it ran again."),
    "archive": (_CHANGE, "Hide a job from lists."),
    "restore": (_CHANGE, "Show an archived job in lists again."),
    "update": (_CHANGE, "Change tags, display_name, description or properties."),
    "show-services": (_QUERY, "Show the services of a job."),
}


@click.group(cls=LazyGroup, modules=VERBS)
def command() -> None:
    """Submit jobs and pipelines; follow, list, download, explain them."""
