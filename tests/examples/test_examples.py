"""The examples are Azure ML's own YAML, and the SDK script builds the same graph."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.filterwarnings("ignore")  # azure-ai-ml's own
@pytest.mark.slow  # azure-ai-ml takes seconds to import
def test_the_official_sdk_accepts_each_example_and_the_script_builds_the_same_graph() -> None:
    from azure.ai.ml import load_job

    assert load_job(EXAMPLES / "hello" / "job.yml").command.startswith("python hello.py")
    written = load_job(EXAMPLES / "diabetes" / "pipeline.yml")._to_dict()
    script = runpy.run_path(str(EXAMPLES / "sdk" / "pipeline.py"))
    built = script["diabetes"]()._to_dict()
    assert sorted(built["outputs"]) == sorted(written["outputs"]) == ["metrics", "model"]
    commands = [
        sorted(n["component"]["command"] for n in j["jobs"].values()) for j in (built, written)
    ]
    assert commands[0] == commands[1]
    assert len(commands[0]) == 5
