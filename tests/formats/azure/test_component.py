"""Component specifications into what runs."""

from __future__ import annotations

from typing import Any

import pytest
from tests.formats.azure.resolver import NESTED, STEP, Everything, captured

from lazulite.domain.errors import InvalidInput, NotFound, Unsupported
from lazulite.domain.job import CommandDef, InputSpec, OutputSpec, Resources
from lazulite.formats.azure.component import check_component, refuse_kind, resolve_command
from lazulite.formats.azure.graph import component_def
from lazulite.formats.azure.reader import Reader


def test_the_captured_component_is_read_whole() -> None:
    spec = captured("PUT_components_versions")["componentSpec"]
    work = component_def(Reader(spec, "component"), Everything(), "arm")
    assert isinstance(work, CommandDef)
    assert work.inputs == {
        "data": InputSpec(type="uri_folder"),
        "lr": InputSpec(type="number", default="0.1"),
    }
    assert work.outputs == {"out": OutputSpec()}
    assert work.component == "arm"
    assert str(work.snapshot).startswith("tree of azureml:/subscriptions")
    check_component(captured("PUT_components_versions"))


def test_both_spellings_of_what_a_node_may_set_are_read() -> None:
    spec = {
        **STEP,
        "environmentVariables": {"A": 1},
        "resources": {"instanceCount": "2", "shm_size": "2g"},
        "limits": {"timeout": "PT5M"},
        "retrySettings": {"maxRetries": 3},
        "isDeterministic": False,
        "displayName": "Train",
    }
    work = resolve_command(Reader(spec, ""), Everything(), None)
    assert work.environment_variables == {"A": "1"}
    assert work.resources == Resources(instance_count=2, shm_size="2g")
    assert (work.timeout, work.retries, work.deterministic) == (300, 3, False)
    assert work.display_name == "Train"


@pytest.mark.parametrize(
    ("change", "path", "what"),
    [
        ({"command": " "}, "c.command", "missing or empty"),
        ({"command": "x ${{inputs.nope}}"}, "c.command", "declared: inputs.data"),
        ({"command": "x\0"}, "c.command", "NUL"),
        ({"environment": None}, "c.environment", "missing"),
        ({"environment": "azureml:nowhere:1"}, "c.environment", "does not exist"),
        ({"code": "azureml:nowhere:1"}, "c.code", "does not exist"),
        ({"environment_variables": {"A=B": "1"}}, "c.environment_variables", "name of a variable"),
        ({"environment_variables": {"": "1"}}, "c.environment_variables", "name of a variable"),
        ({"resources": {"instance_count": 0}}, "c.resources.instance_count", "at least 1"),
        ({"limits": {"timeout": "soon"}}, "c.limits.timeout", "number"),
        ({"distribution": {"process_count_per_instance": 4}}, "c.distribution", "distributed"),
    ],
)
def test_every_fault_names_its_field(change: dict[str, Any], path: str, what: str) -> None:
    with pytest.raises((InvalidInput, NotFound), match=what) as caught:
        resolve_command(Reader({**STEP, **change}, "c"), Everything(), None)
    assert caught.value.path == path


@pytest.mark.parametrize(
    "kind", ["sweep", "Spark", "automl", "parallel", "if_else", "parallel_for"]
)
def test_what_is_not_run_yet_is_refused_in_one_sentence(kind: str) -> None:
    with pytest.raises(
        Unsupported, match=r"does not run .* yet; use command or pipeline jobs"
    ) as caught:
        refuse_kind(kind, "jobs.a.type")
    assert caught.value.path == "jobs.a.type"
    with pytest.raises(Unsupported):
        check_component({"componentSpec": {"type": kind}})


def test_an_unknown_kind_is_not_called_unsupported() -> None:
    with pytest.raises(InvalidInput, match="'magic' is not a type of job") as caught:
        refuse_kind("magic", "jobType")
    assert not isinstance(caught.value, Unsupported)


def test_a_pipeline_component_may_be_registered() -> None:
    check_component({"componentSpec": NESTED})


def test_a_command_without_interface_says_that_nothing_is_declared() -> None:
    spec = {"type": "command", "command": "x ${{inputs.a}}", "environment": "e"}
    with pytest.raises(InvalidInput, match="declared: nothing") as caught:
        resolve_command(Reader(spec, ""), Everything(), None)
    assert caught.value.path == "command"
