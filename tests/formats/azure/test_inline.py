"""Components written out inside a pipeline: named by id, from the inside out."""

from __future__ import annotations

from lazulite.formats.azure.inline import lifted

ARM = "/subscriptions/s/resourceGroups/g/providers/P/workspaces/w"
LEAF = {"type": "command", "command": "true", "environment": "env@latest"}


def pin(ref: str) -> str:
    return ref.replace("@latest", ":3")


def test_a_written_out_component_is_named_by_id_and_kept() -> None:
    graph, parts = lifted({"jobs": {"a": {"type": "command", "component": LEAF}}}, ARM, pin)
    [(version, spec)] = parts.items()
    assert graph["jobs"]["a"] == {
        "type": "command",
        "componentId": f"{ARM}/components/azureml_anonymous/versions/{version}",
    }
    assert spec == {**LEAF, "environment": "env:3"}


def test_equal_components_are_kept_once() -> None:
    nodes = {"a": {"component": dict(LEAF)}, "b": {"component": dict(LEAF)}}
    graph, parts = lifted({"jobs": nodes}, ARM, pin)
    assert len(parts) == 1
    assert graph["jobs"]["a"] == graph["jobs"]["b"]


def test_a_pipeline_in_a_pipeline_is_kept_after_what_is_in_it() -> None:
    inner = {"type": "pipeline", "jobs": {"leaf": {"component": LEAF}}}
    _, parts = lifted({"jobs": {"nest": {"component": inner}}}, ARM, pin)
    leaf, nest = parts.values()
    assert leaf["command"] == "true"
    assert nest["jobs"]["leaf"]["componentId"].endswith(next(iter(parts)))


def test_what_names_its_component_stays() -> None:
    graph = {"jobs": {"a": {"componentId": "azureml:a:1"}, "odd": 7}}
    assert lifted(graph, ARM, pin) == (graph, {})


def test_a_command_job_stays() -> None:
    assert lifted({"command": "true"}, ARM, pin) == ({"command": "true"}, {})
