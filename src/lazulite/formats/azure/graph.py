"""The `jobs` of a pipeline in Azure's JSON, into a checked graph. It runs nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from lazulite.domain.errors import InvalidInput
from lazulite.domain.expression import expressions, sole_expression, substitute
from lazulite.domain.ids import StoragePath, last_segment, parse_storage
from lazulite.domain.job import CommandDef, DataInput, InputSpec, OutputSpec
from lazulite.domain.pipeline import Binding, Node, PipelineDef, Settings, order
from lazulite.formats.azure.component import (
    Resolver,
    refuse_distribution,
    refuse_kind,
    resolve_command,
    resources_of,
    variables_of,
)
from lazulite.formats.azure.interface import (
    FILE_TYPES,
    LITERAL_TYPES,
    bound_input,
    check_literal,
    declared_inputs,
    declared_outputs,
    output_spec,
    parts_of,
)
from lazulite.formats.azure.reader import Reader

MAX_DEPTH = 20  # pipeline components inside each other
MAX_NODES = 10_000  # nodes of one pipeline level


def component_def(
    spec: Reader, resolver: Resolver, component: str | None, depth: int = 0
) -> CommandDef | PipelineDef:
    """Turn a `componentSpec` into what runs, nested pipelines included.

    Raises:
        InvalidInput: the component is not valid, or nested deeper than `MAX_DEPTH`.
        NotFound: it names something that does not exist.
    """
    kind = (spec.text("type") or "command").lower()
    if kind == "command":
        return resolve_command(spec, resolver, component)
    if kind != "pipeline":
        refuse_kind(kind, spec.at("type"))
    if depth >= MAX_DEPTH:
        raise InvalidInput(
            f"{spec.path}: pipeline components are nested deeper than {MAX_DEPTH}", path=spec.path
        )
    inputs = declared_inputs(spec)
    work = PipelineDef(
        nodes=read_nodes(spec, inputs, resolver, depth=depth),
        inputs=inputs,
        outputs=declared_outputs(spec),
        settings=read_settings(spec, resolver),
        component=component,
        display_name=spec.text("display_name", "displayName"),
    )
    check_exports(work, spec.at("jobs"))
    return work


def read_settings(spec: Reader, resolver: Resolver) -> Settings:
    """Read `settings` of a pipeline."""
    found = spec.child("settings")
    datastore = found.text("default_datastore", "defaultDatastore")
    compute = found.text("default_compute", "defaultCompute") or spec.text("computeId", "compute")
    return Settings(
        default_compute=resolver.compute(compute, found.at("default_compute")) if compute else None,
        default_datastore=_datastore(datastore, resolver, found.at("default_datastore")),
        continue_on_step_failure=found.flag(
            "continue_on_step_failure", "continueOnStepFailure", default=False
        ),
        force_rerun=found.flag("force_rerun", "forceRerun", default=False),
    )


def _datastore(ref: str | None, resolver: Resolver, path: str) -> str | None:
    if not ref:
        return None
    found = parse_storage(resolver.place(str(StoragePath(last_segment(ref), "")), path))
    return found.datastore if isinstance(found, StoragePath) else None


def read_outputs(spec: Reader, resolver: Resolver) -> dict[str, OutputSpec]:
    """Read the outputs of a job, and check where they go."""
    return {name: _placed(one, resolver) for name, one in parts_of(spec, "outputs")}


def _placed(one: Reader, resolver: Resolver) -> OutputSpec:
    spec = output_spec(one)
    if spec.uri is None:
        return spec
    return msgspec.structs.replace(spec, uri=resolver.place(spec.uri, one.at("path")))


def read_nodes(
    spec: Reader, inputs: Mapping[str, InputSpec], resolver: Resolver, *, depth: int
) -> dict[str, Node]:
    """Read and check the nodes of one pipeline level.

    Raises:
        InvalidInput: no nodes or too many, a cycle, an unknown name, an input that is missing or
            of a type that does not fit; the message names the node and field.
    """
    jobs = spec.child("jobs")
    names = jobs.names()
    if not names or len(names) > MAX_NODES:
        raise InvalidInput(
            f"{jobs.path}: a pipeline has 1 to {MAX_NODES} jobs, this one {len(names)}",
            path=jobs.path,
        )
    if doubled := next((name for name in names if "--" in name), None):
        raise InvalidInput(
            f"{jobs.path}: job '{doubled}' has '--' in its name, which stands between the names "
            "of a pipeline and of its job",
            path=jobs.path,
        )
    nodes = {name: _read_node(one, resolver, depth) for name, one in parts_of(spec, "jobs")}
    for name, node in nodes.items():
        _check_bindings(node, f"{jobs.path}.{name}", inputs, nodes)
    order(nodes, path=jobs.path)
    return nodes


def _read_node(body: Reader, resolver: Resolver, depth: int) -> Node:
    kind = (body.text("type") or "command").lower()
    if kind not in ("command", "pipeline"):
        refuse_kind(kind, body.at("type"))
    work = _override(_work(body, resolver, depth), body)
    exports, outputs = _bound_outputs(body, resolver)
    for name in (*exports, *outputs):
        if name not in work.outputs:
            _unknown(body.at("outputs"), name, work.outputs, "output")
    compute = body.text("computeId", "compute", "compute_id")
    return Node(
        work=work,
        inputs={
            name: _resolve_data(value, resolver, one.path)
            for name, one in body.children("inputs")
            if (value := bound_input(one)) is not None
        },
        outputs=outputs,
        exports=exports,
        compute=resolver.compute(compute, body.at("compute")) if compute else None,
        display_name=body.text("display_name", "displayName"),
        force_rerun=body.child("settings").flag("force_rerun", default=False),
    )


def _work(body: Reader, resolver: Resolver, depth: int) -> CommandDef | PipelineDef:
    inline = body.raw("component")
    if isinstance(inline, dict):
        return component_def(Reader(inline, body.at("component")), resolver, None, depth + 1)
    reference = body.required("componentId", "component")
    arm, spec = resolver.component(reference, body.at("component"))
    return component_def(Reader(spec, body.at("component")), resolver, arm, depth + 1)


def _override(work: CommandDef | PipelineDef, body: Reader) -> CommandDef | PipelineDef:
    """Apply what a node may set over its component."""
    if isinstance(work, PipelineDef):
        return work
    refuse_distribution(body.child("distribution"))
    changes: dict[str, Any] = {}
    if variables := variables_of(body):
        changes["environment_variables"] = {**work.environment_variables, **variables}
    if body.raw("resources"):
        changes["resources"] = resources_of(body)
    if timeout := body.child("limits").seconds("timeout"):
        changes["timeout"] = timeout
    retries = body.child("retry_settings", "retrySettings").whole("max_retries", default=0)
    if retries:
        changes["retries"] = retries
    return msgspec.structs.replace(work, **changes) if changes else work


def _resolve_data(value: Binding, resolver: Resolver, path: str) -> Binding:
    if isinstance(value, DataInput) and not expressions(value.uri):
        return resolver.data(value, path)
    return value


def _bound_outputs(
    body: Reader, resolver: Resolver
) -> tuple[dict[str, str], dict[str, OutputSpec]]:
    exports: dict[str, str] = {}
    outputs: dict[str, OutputSpec] = {}
    for name, one in body.children("outputs"):
        target = sole_expression(one.text("value", "uri", "path") or "")
        if target and target.startswith("parent.outputs."):
            exports[name] = target.removeprefix("parent.outputs.")
        elif one.text("value") is None:
            outputs[name] = _placed(one, resolver)
    return exports, outputs


def _check_bindings(
    node: Node, path: str, inputs: Mapping[str, InputSpec], nodes: Mapping[str, Node]
) -> None:
    for name, binding in node.inputs.items():
        where = f"{path}.inputs.{name}"
        if name not in node.work.inputs:
            _unknown(f"{path}.inputs", name, node.work.inputs, "input")
        text = binding if isinstance(binding, str) else binding.uri
        wanted = node.work.inputs[name]
        for expression in expressions(text):
            offered = _offered_type(expression, where, inputs, nodes)
            if sole_expression(text):
                _check_fit(offered, wanted.type, where)
        if not expressions(text):
            _check_given(binding, wanted, where)
    for name, spec in node.work.inputs.items():
        if name not in node.inputs and spec.default is None and not spec.optional:
            raise InvalidInput(
                f"{path}.inputs.{name} is required ({spec.type}) and has no value",
                path=f"{path}.inputs.{name}",
            )


def _check_given(binding: Binding, wanted: InputSpec, where: str) -> None:
    if isinstance(binding, DataInput):
        _check_fit(binding.type, wanted.type, where)
    elif wanted.type in LITERAL_TYPES:
        check_literal(binding, wanted, where)
    else:
        raise InvalidInput(
            f"{where}: needs data of type {wanted.type}, got the text {binding[:80]!r}; "
            f"write {{type: {wanted.type}, path: ...}}",
            path=where,
        )


def _offered_type(
    expression: str, where: str, inputs: Mapping[str, InputSpec], nodes: Mapping[str, Node]
) -> str:
    parts = expression.split(".")
    if len(parts) == 3 and parts[:2] == ["parent", "inputs"]:
        if parts[2] not in inputs:
            _unknown(where, parts[2], inputs, "pipeline input")
        return inputs[parts[2]].type
    if len(parts) == 5 and parts[:2] == ["parent", "jobs"] and parts[3] == "outputs":
        if parts[2] not in nodes:
            _unknown(where, parts[2], nodes, "job")
        work = nodes[parts[2]].work
        if parts[4] not in work.outputs:
            _unknown(where, parts[4], work.outputs, f"output of job '{parts[2]}'")
        _check_bound(work, parts[4], where)
        return work.outputs[parts[4]].type
    raise InvalidInput(
        f"{where}: '${{{{{expression}}}}}' is not understood; use ${{{{parent.inputs.NAME}}}} "
        "or ${{parent.jobs.JOB.outputs.NAME}}",
        path=where,
    )


def _check_bound(work: CommandDef | PipelineDef, output: str, where: str) -> None:
    if isinstance(work, PipelineDef) and not any(
        output in node.exports.values() for node in work.nodes.values()
    ):
        raise InvalidInput(
            f"{where}: no job of that pipeline is bound to its output '{output}'", path=where
        )


def check_exports(work: PipelineDef, path: str = "jobs") -> None:
    """Check that what nodes are bound to are outputs of the pipeline, each bound once.

    Raises:
        InvalidInput: one is not; the message names the node.
    """
    taken: dict[str, str] = {}
    for name, node in work.nodes.items():
        for output, target in node.exports.items():
            where = f"{path}.{name}.outputs.{output}"
            if target not in work.outputs:
                _unknown(where, target, work.outputs, "output of the pipeline")
            if taken.setdefault(target, name) != name:
                raise InvalidInput(
                    f"{where}: job '{taken[target]}' is bound to the pipeline's output '{target}' "
                    "already",
                    path=where,
                )


def _check_fit(offered: str, wanted: str, where: str) -> None:
    literal = offered in LITERAL_TYPES, wanted in LITERAL_TYPES
    fits = literal[0] == literal[1] and (
        all(literal)
        or (offered in FILE_TYPES) == (wanted in FILE_TYPES)
        or "custom_model" in (offered, wanted)
    )
    if not fits:
        raise InvalidInput(f"{where}: needs {wanted}, but is bound to {offered}", path=where)


def _unknown(where: str, name: str, known: Iterable[str], what: str) -> None:
    names = sorted(known)
    near = difflib.get_close_matches(name, names, 1)
    hint = f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(names) or 'none'}"
    raise InvalidInput(f"{where}: there is no {what} '{name}'{hint}", path=where)


def check_values(
    work: PipelineDef, values: Mapping[str, str | DataInput | None], path: str = "jobs"
) -> None:
    """Check every literal that reaches a node through `${{parent.inputs...}}`, at any depth.

    Raises:
        InvalidInput: one is not what the node's component declares.
    """
    for name, node in work.nodes.items():
        given: dict[str, str | DataInput | None] = {}
        for key, spec in node.work.inputs.items():
            binding = node.inputs.get(key, spec.default)
            literal = _literal(binding, values) if isinstance(binding, str) else None
            if literal is not None and spec.type in LITERAL_TYPES:
                given[key] = check_literal(literal, spec, f"{path}.{name}.inputs.{key}")
        if isinstance(node.work, PipelineDef):
            check_values(node.work, given, f"{path}.{name}.jobs")


def _literal(text: str, values: Mapping[str, str | DataInput | None]) -> str | None:
    """Fill a binding from literal pipeline inputs; None when part of it is not known yet."""
    filled = {e: values.get(e.removeprefix("parent.inputs.")) for e in expressions(text)}
    if not all(isinstance(v, str) for v in filled.values()):
        return None
    return substitute(text, lambda e: str(filled[e]))
