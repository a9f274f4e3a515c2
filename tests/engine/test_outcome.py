"""What a process left behind."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.engine.fakes import Lab, command
from tests.records import a_job

from lazulite.domain.errors import InvalidInput
from lazulite.domain.job import CommandDef, OutputValue
from lazulite.engine.outcome import collect, failure_of
from lazulite.ports.compute import Ended, Launch, Lost, Sight, Unclaimed

STORE = "azureml://datastores/workspaceblobstore/paths"


def ended(code: int) -> Ended:
    return Ended(exit_code=code, started=0, ended=1)


def launch_of(lab: Lab, text: str = "false", **env: str) -> Launch:
    outline = lab.launcher.outline(a_job(lab.workspace.id, "j", id=1), "f")
    outline.records.mkdir(parents=True)
    outline.cwd.mkdir()
    outline.log.parent.mkdir(parents=True)
    outline.log.write_text("one\nlast words\n")
    return replace(outline, command=text, env={"PATH": "/usr/bin:/bin", **env})


def outcome_of(lab: Lab, sight: Sight, work: CommandDef | None = None, launch: Any = None) -> Any:
    job = a_job(lab.workspace.id, "j", id=1)
    return collect(lab.launcher, job, work or command(), launch or launch_of(lab), sight)


@pytest.mark.parametrize(
    ("sight", "message", "code"),
    [
        (ended(3), "the command ended with exit status 3", "UserError"),
        (ended(255), "the command ended with exit status 255", "UserError"),
        (ended(128), "the command ended with exit status 128", "UserError"),
        (ended(137), "the command was ended by signal 9 (SIGKILL)", "UserError"),
        (ended(165), "the command was ended by signal 37", "UserError"),
        (Lost(reason="power"), "the process is gone and left no result: power", "ProcessLost"),
        (Unclaimed(), "the process could not be started", "ProcessLost"),
    ],
)
def test_a_failure_says_how_it_ended(lab: Lab, sight: Sight, message: str, code: str) -> None:
    outcome = outcome_of(lab, sight)
    assert (outcome.error.message, outcome.error.code) == (message, code)
    assert outcome.error.log_tail.endswith("last words")
    assert outcome.exit_code == (sight.exit_code if isinstance(sight, Ended) else None)


def test_a_success_identifies_what_it_wrote(lab: Lab) -> None:
    place = lab.files.locate(lab.workspace.id, "workspaceblobstore", "o")
    place.mkdir()
    (place / "a").write_text("1")
    outputs = {
        "o": OutputValue(type="uri_folder", uri=f"{STORE}/o"),
        "never": OutputValue(type="uri_file", uri=f"{STORE}/never"),
    }
    job = a_job(lab.workspace.id, "j", outputs=outputs)
    outcome = collect(lab.launcher, job, command(), launch_of(lab), ended(0))
    assert outcome.error is None
    assert outcome.outputs["o"].digest == lab.files.digest(place)
    assert outcome.outputs["never"].digest is None


def test_outputs_that_cannot_be_read_are_a_failure(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path) -> str:
        raise PermissionError(13, "Permission denied", "a\udcff")

    place = lab.files.locate(lab.workspace.id, "workspaceblobstore", "o")
    place.mkdir()
    monkeypatch.setattr(lab.files, "digest", refuse)
    job = a_job(
        lab.workspace.id, "j", outputs={"o": OutputValue(type="uri_folder", uri=f"{STORE}/o")}
    )
    error = collect(lab.launcher, job, command(), launch_of(lab), ended(0)).error
    assert error is not None
    assert error.code == "OutputError"
    error.message.encode()


def test_the_step_can_be_run_again_without_its_secrets(lab: Lab) -> None:
    work = command(environment_variables={"API_KEY": "s3cret", "PLAIN": "it's"})
    launch = launch_of(
        lab,
        'echo "$PLAIN"; pwd; exit 3',
        API_KEY="s3cret",
        PLAIN="it's",
        MLFLOW_TRACKING_TOKEN="s3cret",
        PREFIX_PASSWORD="s3cret",
        AZURE_ML_INPUT_key="column",
        **{"not a name": "x", "BYTES": "a\udcff"},
    )
    told = outcome_of(lab, ended(3), work, launch).error.reproduce
    script = Path(told.split()[1].strip("'"))
    text = script.read_bytes().decode(errors="surrogateescape")
    assert "s3cret" not in text
    assert "# export API_KEY=... (secret)" in text
    assert "export AZURE_ML_INPUT_key=column" in text
    assert script.stat().st_mode & 0o777 == 0o700
    run = subprocess.run(told, shell=True, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (3, f"it's\n{launch.cwd}\n")


def test_an_adopted_process_has_no_script_and_a_full_disk_neither(lab: Lab) -> None:
    launch = launch_of(lab)
    assert outcome_of(lab, ended(1), launch=replace(launch, command="")).error.reproduce is None
    nowhere = replace(launch, records=Path("/dev/null/records"))
    assert outcome_of(lab, ended(1), launch=nowhere).error.reproduce is None


def test_a_fault_becomes_a_text_that_can_be_stored() -> None:
    assert failure_of(InvalidInput("no")).code == "UserError"
    fault = failure_of(KeyError("a\udcff\0"))
    assert fault.code == "SystemError"
    assert "\0" not in fault.message
    fault.message.encode()
    assert failure_of(RuntimeError()).message == "RuntimeError"
