"""`componentSpec` of Azure's components, into what the engine runs. References go to a Resolver."""

from __future__ import annotations

from typing import Any, NoReturn, Protocol

from lazulite.domain.errors import InvalidInput, Unsupported
from lazulite.domain.expression import expressions
from lazulite.domain.job import CommandDef, DataInput, Resources
from lazulite.formats.azure.interface import declared_inputs, declared_outputs
from lazulite.formats.azure.reader import Reader

_NOT_YET = {
    "sweep": "sweep jobs",
    "parallel": "parallel jobs",
    "spark": "spark jobs",
    "automl": "AutoML jobs",
    "if_else": "if_else conditions",
    "parallel_for": "parallel_for loops",
    "do_while": "do_while loops",
    "data_transfer": "data transfer jobs",
    "import": "import jobs",
    "labeling": "labeling jobs",
    "finetuning": "fine-tuning jobs",
    "distillation": "distillation jobs",
}


class Resolver(Protocol):
    """Looks references up. Each raises NotFound or InvalidInput that carries `path`."""

    def snapshot(self, ref: str, path: str) -> str:
        """Return the digest of a code version's files."""

    def environment(self, ref: str, path: str) -> tuple[str, str]:
        """Return the ARM id of an environment version and the cache key of what it builds."""

    def component(self, ref: str, path: str) -> tuple[str, dict[str, Any]]:
        """Return the ARM id of a component version and its `componentSpec`."""

    def data(self, value: DataInput, path: str) -> DataInput:
        """Return the input with an asset reference replaced by where its files are."""

    def compute(self, ref: str, path: str) -> str:
        """Return the name of a compute that exists."""

    def place(self, uri: str, path: str) -> str:
        """Check that an output may go to `uri`, and return how that place is always spelled."""


def refuse_kind(kind: str, path: str) -> NoReturn:
    """Raise for a kind of job that Azure ML knows and Lazulite does not run, or nobody knows.

    Raises:
        Unsupported: Azure ML has it; this version does not run it.
        InvalidInput: the word is unknown.
    """
    word = kind.lower()
    if word in _NOT_YET:
        raise Unsupported(
            f"{path}: Lazulite does not run {_NOT_YET[word]} yet; use command or pipeline jobs",
            path=path,
        )
    raise InvalidInput(f"{path}: '{kind}' is not a type of job; use command or pipeline", path=path)


def check_component(body: dict[str, Any]) -> None:
    """Check a component that is being registered; its references are checked when a job uses it.

    Raises:
        InvalidInput: its kind, interface or command is not valid.
    """
    spec = Reader(body, "properties").child("componentSpec")
    kind = (spec.text("type") or "command").lower()
    declared_inputs(spec)
    declared_outputs(spec)
    if kind == "command":
        check_expressions(
            command_def(spec, snapshot=None, environment=("", ""), component=None), spec.path
        )
    elif kind != "pipeline":
        refuse_kind(kind, spec.at("type"))


def resolve_command(spec: Reader, resolver: Resolver, component: str | None) -> CommandDef:
    """Read a command component and look its code and environment up."""
    code = spec.text("code")
    environment = spec.required("environment")
    work = command_def(
        spec,
        snapshot=resolver.snapshot(code, spec.at("code")) if code else None,
        environment=resolver.environment(environment, spec.at("environment")),
        component=component,
    )
    check_expressions(work, spec.path)
    return work


def command_def(
    spec: Reader, *, snapshot: str | None, environment: tuple[str, str], component: str | None
) -> CommandDef:
    """Read the parts of a command component that need no look-up."""
    refuse_distribution(spec.child("distribution"))
    return CommandDef(
        command=spec.required("command"),
        snapshot=snapshot,
        environment=environment[0],
        environment_key=environment[1],
        inputs=declared_inputs(spec),
        outputs=declared_outputs(spec),
        environment_variables=variables_of(spec),
        resources=resources_of(spec),
        timeout=spec.child("limits").seconds("timeout"),
        retries=spec.child("retry_settings", "retrySettings").whole(
            "max_retries", "maxRetries", default=0
        ),
        deterministic=spec.flag("is_deterministic", "isDeterministic", default=True),
        component=component,
        display_name=spec.text("display_name", "displayName"),
    )


def variables_of(spec: Reader) -> dict[str, str]:
    """Read environment variables in either spelling.

    Raises:
        InvalidInput: a name is empty or holds '='.
    """
    found = spec.texts("environment_variables", "environmentVariables")
    for name in found:
        if not name or "=" in name:
            path = spec.at("environment_variables")
            raise InvalidInput(f"{path}: {name[:80]!r} is not the name of a variable", path=path)
    return found


def resources_of(spec: Reader) -> Resources:
    """Read `resources` in either spelling."""
    found = spec.child("resources")
    return Resources(
        instance_count=found.whole("instance_count", "instanceCount", default=1, least=1),
        instance_type=found.text("instance_type", "instanceType"),
        shm_size=found.text("shm_size", "shmSize"),
    )


def refuse_distribution(found: Reader) -> None:
    """Raise for a distribution of more than one process.

    Raises:
        Unsupported: it asks for more than one process or worker.
    """
    counts = (
        "process_count_per_instance",
        "processCountPerInstance",
        "worker_count",
        "workerCount",
        "parameter_server_count",
        "parameterServerCount",
    )
    if any(found.whole(key, default=0) > 1 for key in counts) or found.raw("port", "address"):
        raise Unsupported(
            f"{found.path}: Lazulite does not run distributed jobs yet; ask for one process",
            path=found.path,
        )


def check_expressions(work: CommandDef, path: str) -> None:
    """Check that every `${{...}}` of a command names a declared input or output.

    Raises:
        InvalidInput: one does not; the message lists what is declared.
    """
    known = {f"inputs.{n}" for n in work.inputs} | {f"outputs.{n}" for n in work.outputs} | {"name"}
    for expression in expressions(work.command):
        if expression not in known:
            where = f"{path}.command" if path else "command"
            listed = ", ".join(sorted(known - {"name"})) or "nothing"
            raise InvalidInput(
                f"{where}: '${{{{{expression}}}}}' is not declared; declared: {listed}", path=where
            )
