"""Command jobs, and what command jobs, nodes and components say alike. It runs nothing."""

from __future__ import annotations

from typing import Any

from lazulite.formats.yaml.environment import environment_id
from lazulite.formats.yaml.interface import check_command
from lazulite.formats.yaml.plan import Build, Plan
from lazulite.formats.yaml.reference import code, compute_id
from lazulite.formats.yaml.section import Section
from lazulite.formats.yaml.spelling import dropped
from lazulite.formats.yaml.value import JOB, inputs, outputs

ABOUT = ("$schema", "type", "name", "display_name", "description", "tags", "properties")
JOB_ABOUT = (*ABOUT, "experiment_name", "compute")
WORK = ("command", "code", "environment", "additional_includes")
RUN = ("resources", "distribution", "limits", "environment_variables")
IGNORED = ("services", "identity", "queue_settings", "schedule", "parent_job_name", "id")
_DISTRIBUTIONS = {"pytorch": "PyTorch", "tensorflow": "TensorFlow", "mpi": "Mpi", "ray": "Ray"}
_DISTRIBUTION_FIELDS = {
    "process_count_per_instance": "processCountPerInstance",
    "worker_count": "workerCount",
    "parameter_server_count": "parameterServerCount",
}


def read_command_job(build: Build, root: Section) -> Plan:
    """Read a command job's file."""
    if "component" in root:
        raise root.unsupported(
            "a command job made of a component is run as a pipeline of one step: put it under "
            "'jobs' of a pipeline job",
            "component",
        )
    root.known((*JOB_ABOUT, *WORK, *RUN, "inputs", "outputs"), ignored=IGNORED)
    given, bound = inputs(build, root, JOB), outputs(build, root, JOB)
    command = root.need("command")
    check_command(
        command, [f"inputs.{n}" for n in root.section("inputs") or ()]
        + [f"outputs.{n}" for n in bound], root,
    )  # fmt: skip
    body = {
        **about_job(root),
        "jobType": "Command",
        "command": command,
        "codeId": code(build, root),
        "environmentId": environment_id(build, root),
        "computeId": compute_id(build, root),
        "inputs": given,
        "outputs": bound,
        "environmentVariables": root.texts("environment_variables"),
        "resources": _camel_resources(root),
        "limits": _camel_limits(root),
        "distribution": _camel_distribution(root),
    }
    return job_plan(build, root, body)


def job_plan(build: Build, root: Section, properties: dict[str, Any]) -> Plan:
    """Return the plan of a job with these properties."""
    return Plan(
        kind="jobs",
        name=root.text("name"),
        body={"properties": dropped(properties)},
        uploads=tuple(build.uploads),
        environments=build.environments,
        warnings=tuple(build.warnings),
        root=root,
    )


def about_job(root: Section) -> dict[str, Any]:
    """Return what every job says of itself, in camelCase."""
    return {
        "displayName": root.text("display_name"),
        "description": root.text("description"),
        "experimentName": root.text("experiment_name"),
        "tags": root.texts("tags") or {},
        "properties": root.texts("properties") or {},
        "isArchived": False,
    }


def resources(section: Section) -> dict[str, Any] | None:
    """Return `resources` in snake_case."""
    found = section.section("resources")
    if found is None:
        return None
    found.known(
        ("instance_count", "instance_type", "shm_size"),
        ignored=("locations", "docker_args", "properties", "max_instance_count"),
    )
    count = found.whole("instance_count")
    if count is not None and count < 1:
        raise found.fail(f"must be at least 1, not {count}", "instance_count")
    return dropped(
        {
            "instance_count": count,
            "instance_type": found.text("instance_type"),
            "shm_size": found.text("shm_size"),
        }
    )


def limits(section: Section) -> dict[str, Any] | None:
    """Return `limits` in snake_case, the timeout as an ISO 8601 duration."""
    found = section.section("limits")
    if found is None:
        return None
    found.known(("timeout",))
    timeout = found.whole("timeout")
    if timeout is not None and timeout < 1:
        raise found.fail(f"must be at least 1 second, not {timeout}", "timeout")
    return dropped({"timeout": timeout and duration(timeout), "job_limits_type": "Command"})


def duration(seconds: int) -> str:
    """Return ISO 8601, as Azure spells time-outs."""
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    parts = ((hours, "H"), (minutes, "M"), (left, "S"))
    return "PT" + "".join(f"{n}{unit}" for n, unit in parts if n)


def retry(section: Section) -> dict[str, Any] | None:
    """Return `retry_settings` in snake_case."""
    found = section.section("retry_settings")
    if found is None:
        return None
    found.known(("max_retries", "timeout"))
    return dropped({"max_retries": found.whole("max_retries"), "timeout": found.whole("timeout")})


def distribution(section: Section) -> dict[str, Any] | None:
    """Return `distribution` as it is written in a component: snake_case, type in lower case."""
    found = section.section("distribution")
    if found is None:
        return None
    found.known(("type", *_DISTRIBUTION_FIELDS), ignored=("port", "include_dashboard", "address"))
    kind = found.one_of("type", _DISTRIBUTIONS)
    if kind is None:
        raise found.fail(f"needs 'type': one of {', '.join(_DISTRIBUTIONS)}")
    counts = {key: found.whole(key) for key in _DISTRIBUTION_FIELDS}
    return dropped({"type": kind, **counts})


def node_distribution(section: Section) -> dict[str, Any] | None:
    """Return `distribution` as Azure has it in a node."""
    found = distribution(section)
    if found is None:
        return None
    return {**found, "type": None, "distribution_type": _DISTRIBUTIONS[found["type"]]}


def _camel_resources(section: Section) -> dict[str, Any] | None:
    found = resources(section)
    if found is None:
        return None
    camel = {
        "instanceCount": found.get("instance_count", 1),
        "instanceType": found.get("instance_type"),
        "shmSize": found.get("shm_size"),
        "properties": {},
    }
    return dropped(camel)


def _camel_limits(section: Section) -> dict[str, Any] | None:
    found = limits(section)
    return found and dropped({"timeout": found.get("timeout"), "jobLimitsType": "Command"})


def _camel_distribution(section: Section) -> dict[str, Any] | None:
    found = distribution(section)
    if found is None:
        return None
    counts = {camel: found.get(snake) for snake, camel in _DISTRIBUTION_FIELDS.items()}
    return dropped({"distributionType": _DISTRIBUTIONS[found["type"]], **counts})
