from pathlib import Path

import pytest

import lazulite
from lazulite.client.workspace import JobFailed
from tests.client.fake import ARM, TOKEN, WORKSPACE, Reply, fake_server
from tests.client.test_jobs import ndjson


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with fake_server() as fake:
        monkeypatch.setenv("LAZULITE_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("LAZULITE_URL", fake.url)
        monkeypatch.setenv("LAZULITE_TOKEN", TOKEN)
        names = {"subscription": "sub", "resource_group": "group"}
        with lazulite.Workspace("ws", **names) as made:
            yield made, fake


def resource(status: str, **own: object) -> dict:
    return {
        "name": "j",
        "id": f"{ARM}/jobs/j",
        "systemData": {"createdAt": "2026-01-01T00:00:00Z"},
        "properties": {"status": status, "jobType": "Command", "lazulite": own},
    }


def test_a_dict_is_submitted_like_a_file(workspace: tuple) -> None:
    made, fake = workspace
    fake.arm("PUT", "jobs/mine", resource("NotStarted"))
    job = made.submit(
        {"command": "echo ${{inputs.x}}", "environment": "azureml:e:1", "inputs": {"x": 1}},
        name="mine",
        changes={"inputs.x": "two"},
    )
    assert (job.status, job.is_final) == ("NotStarted", False)
    sent = fake.sent("PUT")[0].json["properties"]
    assert sent["inputs"]["x"] == {"value": "two", "jobInputType": "literal"}


def test_waiting_for_a_job_that_fails_says_why(workspace: tuple) -> None:
    made, fake = workspace
    fake.arm("GET", "jobs/j", resource("Failed", error={"message": "out of memory"}))
    fake.own("GET", "jobs/j/watch", ndjson({"job": {"status": "Failed"}}))
    job = made.job("j")
    with pytest.raises(JobFailed, match="job j is Failed: out of memory"):
        job.wait()
    assert job.wait(check=False).is_final


def test_a_job_shows_itself_as_a_table_without_markup_of_others(workspace: tuple) -> None:
    made, fake = workspace
    outputs = {"<b>": {"uri": "u"}}
    fake.arm("GET", "jobs/j", resource("Completed", outputs=outputs, node="n", reusedFrom="k"))
    job = made.job("j")
    assert "&lt;b&gt;" in job._repr_html_()
    assert (job.outputs, job.step, job.reused_from) == ({"<b>": "u"}, "n", "k")
    assert repr(job) == "Job('j', Completed)"
    assert job.to_dict()["status"] == "Completed"
    assert job.created is not None


def test_jobs_are_a_list_that_shows_itself(workspace: tuple) -> None:
    made, fake = workspace
    fake.arm("GET", "jobs", {"value": [resource("Completed")]})
    fake.arm("GET", "jobs/j/children", {"value": [resource("Running", node="step")]})
    assert "<td>Completed</td>" in made.jobs()._repr_html_()
    assert [job.step for job in made.jobs()[0].steps()] == ["step"]


def test_a_log_is_read_and_streamed(workspace: tuple, capsys: pytest.CaptureFixture[str]) -> None:
    made, fake = workspace
    fake.arm("GET", "jobs/j", resource("Completed"))
    fake.own("GET", "jobs/j/log", Reply(pieces=[b"one\n", b"two\n"]))
    assert made.job("j").log() == "one\ntwo\n"
    made.job("j").stream()
    assert capsys.readouterr().out == "one\ntwo\n"


def test_a_workspace_says_which_it_is(workspace: tuple) -> None:
    made, fake = workspace
    fake.arm("GET", "", {"properties": {"mlFlowTrackingUri": "http://m"}})
    assert made.id == WORKSPACE
    assert made.tracking_uri == "http://m"
    assert "'ws' at http://" in repr(made)
    assert "<td>ws</td>" in made._repr_html_()


def test_a_job_is_canceled(workspace: tuple) -> None:
    made, fake = workspace
    fake.arm("GET", "jobs/j", resource("Running"))
    fake.arm("POST", "jobs/j/cancel", Reply(status=202))
    made.job("j").cancel()
    assert fake.sent("POST")
