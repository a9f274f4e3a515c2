"""From a node's bindings to concrete inputs and outputs. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lazulite.domain.errors import InvalidInput
from lazulite.domain.expression import expressions, sole_expression, substitute
from lazulite.domain.ids import BLOB_STORE, StoragePath, parse_storage
from lazulite.domain.job import DataInput, OutputSpec, OutputValue
from lazulite.domain.pipeline import Binding, Node

Value = str | DataInput | None
Inputs = dict[str, Value]
Produced = Mapping[str, Mapping[str, OutputValue]]  # node -> output -> where it is


def resolve_inputs(
    node: Node, parent: Mapping[str, Value], produced: Produced, identities: Mapping[str, str]
) -> Inputs:
    """Return the inputs of a node that is ready.

    Args:
        node: the node; every node it needs is in `produced`.
        parent: the resolved inputs of the pipeline it is in.
        produced: the outputs of the nodes that completed.
        identities: content digest of data that was named by URI.
    """
    found: Inputs = {}
    for name, spec in node.work.inputs.items():
        binding = node.inputs.get(name, spec.default)
        value = None if binding is None else _resolve(binding, parent, produced)
        if value is None and spec.default is not None:
            value = spec.default  # bound to an optional pipeline input that has no value
        if isinstance(value, DataInput):
            value = msgspec.structs.replace(
                value,
                type=spec.type,
                mode=_mode(binding) or spec.mode or value.mode,
                digest=value.digest or identities.get(value.uri),
            )
        found[name] = value
    return found


def _mode(binding: Binding | None) -> str | None:
    return binding.mode if isinstance(binding, DataInput) else None


def _resolve(binding: Binding, parent: Mapping[str, Value], produced: Produced) -> Value:
    text = binding if isinstance(binding, str) else binding.uri
    whole = sole_expression(text)
    if whole is not None:
        return _lookup(whole, parent, produced)
    if not expressions(text):
        return binding
    filled = substitute(text, lambda e: _as_text(_lookup(e, parent, produced)))
    if isinstance(binding, str):
        return filled
    return msgspec.structs.replace(binding, uri=filled)


def _lookup(expression: str, parent: Mapping[str, Value], produced: Produced) -> Value:
    parts = expression.split(".")
    if parts[1] == "inputs":
        return parent.get(parts[2])
    output = produced[parts[2]][parts[4]]
    return DataInput(type=output.type, uri=output.uri, digest=output.digest)


def _as_text(value: Value) -> str:
    return value.uri if isinstance(value, DataInput) else value or ""


def output_specs(node: Node, parent: Mapping[str, OutputSpec]) -> dict[str, OutputSpec]:
    """Return the outputs of a node: declared, overridden by the node, then by what they export to.

    Args:
        node: the node.
        parent: the outputs of the pipeline it is in.
    """
    found = {}
    for name, declared in node.work.outputs.items():
        spec = _over(declared, node.outputs.get(name))
        target = node.exports.get(name)
        found[name] = _over(spec, parent.get(target)) if target else spec
    return found


def _over(spec: OutputSpec, by: OutputSpec | None) -> OutputSpec:
    if by is None:
        return spec
    return OutputSpec(
        type=spec.type,
        mode=by.mode or spec.mode,
        uri=by.uri or spec.uri,
        name=by.name or spec.name,
        version=by.version or spec.version,
    )


def place(spec: OutputSpec, job: str, output: str, datastore: str | None) -> OutputValue:
    """Return where an output of a job goes.

    Args:
        spec: the effective output; its `uri` may use `${{name}}`, `${{output_name}}` and
            `${{default_datastore}}`.
        job: the job's name.
        output: the output's name.
        datastore: the pipeline's default datastore; None = the workspace's.

    Raises:
        InvalidInput: the URI is not a path on a datastore.
    """
    store = datastore or BLOB_STORE
    if spec.uri is None:
        return OutputValue(type=spec.type, uri=str(StoragePath(store, f"azureml/{job}/{output}")))
    words = {"name": job, "output_name": output, "default_datastore": store}
    uri = substitute(spec.uri, lambda e: words.get(e, f"${{{{{e}}}}}"))
    found = parse_storage(uri)
    if not isinstance(found, StoragePath):
        raise InvalidInput(
            f"outputs.{output}: {spec.uri!r} is not a place on a datastore; use "
            "azureml://datastores/NAME/paths/FOLDER",
            path=f"outputs.{output}",
        )
    return OutputValue(type=spec.type, uri=str(found).rstrip("/"))
