"""Jobs in Azure's JSON: a PUT into what the engine runs, and a job into its reply."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from lazulite.domain.errors import InvalidInput
from lazulite.domain.ids import WorkspaceId, last_segment
from lazulite.domain.job import CommandDef, DataInput, InputSpec, Job, JobKind, OutputSpec
from lazulite.domain.pipeline import PipelineDef
from lazulite.domain.usage import Host
from lazulite.formats.azure.component import (
    Resolver,
    check_expressions,
    command_def,
    refuse_kind,
    variables_of,
)
from lazulite.formats.azure.graph import (
    check_exports,
    check_values,
    read_nodes,
    read_outputs,
    read_settings,
)
from lazulite.formats.azure.interface import (
    LITERAL_TYPES,
    bound_input,
    check_literal,
    declared_inputs,
    declared_outputs,
    encode_input,
    parts_of,
)
from lazulite.formats.azure.reader import Reader

MASK = "********"
_SECRET = re.compile(  # in the name of a variable
    r"KEY|TOKEN|SECRET|PASS|PWD|CRED|CONNECTION_?STRING|SAS|AUTH|PRIVATE|BEARER|WEBHOOK"
    r"|(?:^|_)(?:PAT|PW)(?:$|_)",
    re.IGNORECASE,
)
_SECRET_INSIDE = re.compile(  # in its value: a URL with a password or a signature, an account's key
    r"://[^/\s:@]*:[^/\s@]+@|[?&](?:sig|token|access_token|key|password)=|AccountKey=",
    re.IGNORECASE,
)
_VARIABLES = ("environmentVariables", "environment_variables")
Inputs = dict[str, str | DataInput | None]


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """A job as it was asked for, checked, its references resolved."""

    kind: JobKind
    work: CommandDef | PipelineDef
    inputs: Inputs
    outputs: dict[str, OutputSpec]
    compute: str | None
    experiment: str
    display_name: str | None
    description: str
    tags: dict[str, str]
    properties: dict[str, str]
    archived: bool


def decode_job(properties: Any, resolver: Resolver) -> Submission:
    """Read the `properties` of a job PUT.

    Raises:
        InvalidInput: a field is wrong; `path` names it.
        Unsupported: a kind of job that is not run yet.
        NotFound: it names something that does not exist.
    """
    body = Reader(properties, "")
    kind = body.required("jobType")
    if kind.lower() == "command":
        return _decode_command(body, resolver)
    if kind.lower() != "pipeline":
        refuse_kind(kind, "jobType")
    return _decode_pipeline(body, resolver)


def _decode_command(body: Reader, resolver: Resolver) -> Submission:
    inputs = _bound(body, resolver)
    outputs = read_outputs(body, resolver)
    code = body.text("codeId")
    environment = body.required("environmentId")
    work = command_def(
        body,
        snapshot=resolver.snapshot(code, "code") if code else None,
        environment=resolver.environment(environment, "environment"),
        component=None,
    )
    work = msgspec.structs.replace(
        work,
        inputs={name: _spec_of(value) for name, value in inputs.items()},
        outputs=outputs,
        environment_variables=variables_of(body),
    )
    check_expressions(work, "")
    return _submission(body, resolver, JobKind.COMMAND, work, inputs)


def _decode_pipeline(body: Reader, resolver: Resolver) -> Submission:
    inputs = _bound(body, resolver)
    declared: dict[str, InputSpec] = {}
    outputs: dict[str, OutputSpec] = {}
    arm = None
    if reference := body.text("componentId"):
        arm, raw = resolver.component(reference, "component")
        spec = Reader(raw, "component")
        declared, outputs = declared_inputs(spec), declared_outputs(spec)
        inputs = _completed(inputs, declared)
        body = Reader({**raw, **{k: body.raw(k) for k in body.names() if k != "jobs"}}, "")
    specs = {**{name: _spec_of(value) for name, value in inputs.items()}, **declared}
    work = PipelineDef(
        nodes=read_nodes(body, specs, resolver, depth=0),
        inputs=specs,
        outputs={**outputs, **read_outputs(body, resolver)},
        settings=read_settings(body, resolver),
        component=arm,
        display_name=body.text("displayName"),
    )
    check_values(work, inputs)
    check_exports(work)
    return _submission(body, resolver, JobKind.PIPELINE, work, inputs)


def _completed(given: Inputs, declared: dict[str, InputSpec]) -> Inputs:
    """Return the inputs of a pipeline component with its defaults, checked as it declares them."""
    found: Inputs = dict(given)
    for name in given:
        if name not in declared:
            known = ", ".join(declared) or "none"
            raise InvalidInput(
                f"inputs.{name}: the component has no such input; known: {known}",
                path=f"inputs.{name}",
            )
    for name, spec in declared.items():
        if found.get(name) is None:
            found[name] = spec.default
        value = found[name]
        if value is None and not spec.optional:
            raise InvalidInput(
                f"inputs.{name} is required ({spec.type}) and has no value", path=f"inputs.{name}"
            )
        if isinstance(value, str) and spec.type in LITERAL_TYPES:
            check_literal(value, spec, f"inputs.{name}")
    return found


def _submission(
    body: Reader,
    resolver: Resolver,
    kind: JobKind,
    work: CommandDef | PipelineDef,
    inputs: Inputs,
) -> Submission:
    compute = body.text("computeId")
    return Submission(
        kind=kind,
        work=work,
        inputs=inputs,
        outputs=dict(work.outputs),
        compute=resolver.compute(compute, "compute") if compute else None,
        experiment=body.text("experimentName") or "Default",
        display_name=body.text("displayName"),
        description=body.text("description") or "",
        tags=body.texts("tags"),
        properties=body.texts("properties"),
        archived=body.flag("isArchived", default=False),
    )


def _bound(body: Reader, resolver: Resolver) -> Inputs:
    found: Inputs = {}
    for name, one in parts_of(body, "inputs"):
        value = bound_input(one)
        found[name] = resolver.data(value, one.path) if isinstance(value, DataInput) else value
    return found


def _spec_of(value: str | DataInput | None) -> InputSpec:
    if isinstance(value, DataInput):
        return InputSpec(type=value.type, mode=value.mode)
    return InputSpec(type="string", optional=value is None)


def encode_job(job: Job, workspace: WorkspaceId, *, portal: str = "") -> dict[str, Any]:
    """Spell a job as ARM does: id, name, type, properties, systemData.

    Args:
        job: the job, with its `body` filled.
        workspace: where it is.
        portal: base URL of the pages that show a job, without a trailing slash.
    """
    scope = workspace.arm
    body = {k: v for k, v in job.body.items() if v is not None}
    body |= {
        "jobType": "Command" if job.kind is JobKind.RUN else str(job.kind),
        "displayName": job.display_name,
        "description": job.description,
        "experimentName": job.experiment,
        "status": str(job.status),
        "isArchived": job.archived,
        "tags": job.tags,
        "properties": _properties(job),
        "services": _services(job, portal),
        "inputs": body.get("inputs") or {k: encode_input(v) for k, v in job.inputs.items()},
        "outputs": _outputs(job, body),
        "lazulite": describe(job),
    }
    if job.compute:
        body["computeId"] = f"{scope}/computes/{job.compute}"
    body = hide_secrets(body)
    return {
        "id": f"{scope}/jobs/{job.name}",
        "name": job.name,
        "type": "Microsoft.MachineLearningServices/workspaces/jobs",
        "properties": body,
        "systemData": {
            "createdAt": job.timeline.created.isoformat(),
            "createdBy": job.created_by,
            "createdByType": "User",
            "lastModifiedAt": job.modified_at.isoformat(),
        },
    }


def mask(variables: dict[str, str]) -> dict[str, str]:
    """Return environment variables with the value of each that looks like a secret hidden."""
    return {
        name: MASK if _SECRET.search(name) or _SECRET_INSIDE.search(str(value)) else value
        for name, value in variables.items()
    }


def hide_secrets(body: Any) -> Any:
    """Return a job's `properties` with secret variables hidden, those of its nodes too."""
    if not isinstance(body, dict):
        return body
    shown = {}
    for key, value in body.items():
        if key in _VARIABLES and isinstance(value, dict):
            shown[key] = mask(value)
        else:
            shown[key] = hide_secrets(value)
    return shown


def _properties(job: Job) -> dict[str, str]:
    known = dict(job.properties)
    if job.compute:
        known |= {"_azureml.ComputeTargetType": "local", "_azureml.ClusterName": job.compute}
    if code := job.body.get("codeId"):
        known["ContentSnapshotId"] = str(code).partition("/codes/")[2].partition("/")[0]
    if job.reused_from:
        known |= {"azureml.isreused": "true", "azureml.reusedrunid": job.reused_from}
    if job.node:
        known["azureml.moduleName"] = job.node
    return known


def _services(job: Job, portal: str) -> dict[str, Any]:
    return {
        name: {"jobServiceType": name, "endpoint": f"{portal}/jobs/{job.name}", "port": None}
        for name in ("Tracking", "Studio")
    }


def _outputs(job: Job, body: dict[str, Any]) -> dict[str, Any]:
    asked = {k: dict(v) for k, v in (body.get("outputs") or {}).items() if v}
    for name, value in job.outputs.items():
        one = asked.setdefault(name, {"mode": "ReadWriteMount"})
        one |= {"jobOutputType": value.type, "uri": value.uri}
    return asked


def describe(job: Job) -> dict[str, Any]:
    """Return what Lazulite knows of a job beyond Azure's fields (`properties.lazulite`)."""
    return {
        "node": job.node,
        "reusedFrom": job.reused_from,
        "waitsFor": job.waits_for,
        "attempt": job.attempt,
        "exitCode": job.exit_code,
        "timeline": msgspec.to_builtins(job.timeline),
        "error": msgspec.to_builtins(job.error) if job.error else None,
        "outputs": msgspec.to_builtins(job.outputs),
        "kind": str(job.kind),
        "host": host_of(job.host) if job.host else None,
        "usage": msgspec.to_builtins(job.usage) if job.usage else None,
    }


def host_of(host: Host) -> dict[str, Any]:
    """Return a machine as clients see it."""
    found: dict[str, Any] = msgspec.to_builtins(host)
    return {key: value for key, value in found.items() if key != "id"}


def body_of(work: CommandDef | PipelineDef, job: Job) -> dict[str, Any]:
    """Return the `properties` of a node's job, which nobody ever put."""
    inputs = {k: encode_input(v) for k, v in job.inputs.items()}
    if isinstance(work, PipelineDef):
        return {"inputs": inputs, "jobs": {}, "settings": {}}
    body: dict[str, Any] = {
        "command": work.command,
        "environmentId": work.environment,
        "environmentVariables": work.environment_variables,
        "inputs": inputs,
        "resources": {"instanceCount": work.resources.instance_count, "properties": {}},
    }
    if work.component:
        body["componentId"] = work.component
    if work.timeout:
        body["limits"] = {"jobLimitsType": "Command", "timeout": f"PT{work.timeout:g}S"}
    return body


def compute_name(ref: str) -> str:
    """Return the compute's name in an ARM id, `azureml:name` or bare name."""
    return last_segment(ref)
