import json
from pathlib import Path

import pytest

from lazulite.cli.report import report
from tests.cli.conftest import Lazulite
from tests.client.fake import ARM, Fake, Reply, Request
from tests.client.test_jobs import ndjson

JOB = "command: echo ${{inputs.x}}\nenvironment: azureml:e:1\ninputs:\n  x: 1\n"
STUDIO = {"Studio": {"jobServiceType": "Studio", "endpoint": "http://page"}}


def resource(name: str, status: str = "Completed", **more: object) -> dict:
    properties = {"jobType": "Command", "status": status, "services": STUDIO, **more}
    return {"id": f"{ARM}/jobs/{name}", "name": name, "properties": properties}


def accept(request: Request) -> Reply:
    name = request.path.rsplit("/", 1)[-1]
    return Reply(resource(name, "NotStarted", displayName=name), 201)


@pytest.fixture
def job_file(tmp_path: Path, fake: Fake) -> str:
    fake.arm("PUT", "jobs/.*", accept)
    (tmp_path / "job.yml").write_text(JOB)
    return "job.yml"


def test_create_prints_what_the_query_asks_for(job_file: str, lazulite: Lazulite) -> None:
    code, out, err = lazulite(
        "job", "create", "-f", job_file, "--name", "mine", "--query", "name", "-o", "tsv"
    )
    assert (code, out, err) == (0, "mine\n", "")


def test_create_sends_what_set_changes(job_file: str, fake: Fake, lazulite: Lazulite) -> None:
    code, *_ = lazulite("job", "create", "-f", job_file, "--set", "inputs.x=2", "tags.a=b")
    sent = fake.sent("PUT")[0].json["properties"]
    assert (code, sent["inputs"]["x"]["value"], sent["tags"]) == (0, "2", {"a": "b"})


def test_create_warns_on_stderr(job_file: str, tmp_path: Path, lazulite: Lazulite) -> None:
    (tmp_path / "job.yml").write_text(JOB + "servces: {}\n")
    _, out, err = lazulite("job", "create", "-f", job_file)
    assert err.startswith("warning: job.yml:5: servces: is not a known field")
    assert json.loads(out)["status"] == "NotStarted"


def test_create_of_a_job_that_has_ended_says_so(
    job_file: str, fake: Fake, lazulite: Lazulite
) -> None:
    fake.arm("PUT", "jobs/.*", lambda _: Reply(resource("mine", "Failed", displayName="mine")))
    _, _, err = lazulite("job", "create", "-f", job_file, "--name", "mine")
    assert err == "it has ended: Failed; look at it with: lazulite job show -n mine\n"


def test_web_opens_the_page(
    job_file: str, lazulite: Lazulite, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    lazulite("job", "create", "-f", job_file, "--web")
    assert opened == ["http://page"]


def test_validate_sends_nothing(job_file: str, fake: Fake, lazulite: Lazulite) -> None:
    code, out, _ = lazulite("job", "validate", "-f", job_file)
    assert (code, json.loads(out)["result"], fake.requests) == (0, "Succeeded", [])


def test_show_serves_the_scripts_of_az_ml(fake: Fake, lazulite: Lazulite) -> None:
    fake.arm("GET", "jobs/j", resource("j"))
    assert lazulite("job", "show", "-n", "j", "--query", "status", "-o", "tsv").out == "Completed\n"
    query = "services.Studio.endpoint"
    assert lazulite("job", "show", "--name", "j", "--query", query, "-o", "tsv").out == (
        "http://page\n"
    )


def test_list_shows_jobs_or_the_steps_of_one(fake: Fake, lazulite: Lazulite) -> None:
    fake.arm("GET", "jobs", {"value": [resource("a")]})
    step = resource("b", lazulite={"node": "train", "reusedFrom": "old"})
    fake.arm("GET", "jobs/a/children", {"value": [step]})
    assert "a     Completed" in lazulite("job", "list", "-o", "table").out
    table = lazulite("job", "list", "-p", "a", "-o", "table").out
    assert "train" in table
    assert "Completed (reused from old)" in table


def test_list_asks_for_archived_ones(fake: Fake, lazulite: Lazulite) -> None:
    fake.arm("GET", "jobs", {"value": []})
    lazulite("job", "list", "--archived-only", "--all-results")
    assert "listViewType=ArchivedOnly" in fake.requests[0].query


def test_archive_and_update_edit_the_run(fake: Fake, lazulite: Lazulite) -> None:
    fake.arm("GET", "jobs/j", resource("j", experimentName="e", tags={"old": "1"}))
    fake.on("PATCH", "/history/.*", {})
    assert lazulite("job", "archive", "-n", "j").code == 0
    assert lazulite("job", "update", "-n", "j", "--set", "tags.new=2").code == 0
    assert [request.json for request in fake.sent("PATCH")] == [
        {"hidden": True},
        {"tags": {"old": "1", "new": "2"}},
    ]


def test_update_of_what_cannot_change_is_refused(fake: Fake, lazulite: Lazulite) -> None:
    fake.arm("GET", "jobs/j", resource("j"))
    code, _, err = lazulite("job", "update", "-n", "j", "--set", "command=rm")
    assert code == 1
    assert err.startswith("error: 'command' of a job cannot change; these can: display_name")


def test_explain_takes_the_name_alone(fake: Fake, lazulite: Lazulite) -> None:
    differs = [{"part": "snapshot", "was": "a" * 64, "is": "b" * 64}]
    node = {"path": "prep", "status": "Completed", "reusedFrom": None, "differs": differs}
    fake.own("GET", "jobs/j/explain", {"nodes": [node]})
    table = lazulite("job", "explain", "j", "-o", "table").out
    assert "snapshot: aaaaaaaa... -> bbbbbbbb..." in table
    assert json.loads(lazulite("job", "explain", "-n", "j").out)["nodes"][0]["path"] == "prep"


def test_streaming_puts_logs_on_stdout_and_states_on_stderr(fake: Fake, lazulite: Lazulite) -> None:
    def state(status: str) -> dict:
        return {"job": {"name": "j", "status": status, "kind": "Command"}}

    fake.own("GET", "jobs/j/watch", ndjson(state("Queued"), state("Running"), state("Completed")))
    fake.own("GET", "jobs/j/log", Reply(pieces=[b"hello\n"]))
    fake.arm("GET", "jobs/j", resource("j"))
    code, out, err = lazulite("job", "stream", "-n", "j")
    assert (code, out) == (0, "hello\n")
    assert err == ("j: Queued\nj: Running\nj: Completed\nlook at it with: lazulite job show -n j\n")


def steps(*states: tuple[str, str, str | None]) -> list[dict]:
    return [
        {
            "name": f"j.{path}", "path": path, "status": status, "kind": "Command",
            "reusedFrom": reused,
        }
        for path, status, reused in states
    ]  # fmt: skip


def pipeline(fake: Fake) -> None:
    first, second, third = steps(
        ("prep", "Completed", "old"), ("train", "Running", None), ("train", "Completed", None)
    )
    job = {"name": "j", "kind": "Pipeline"}
    fake.own(
        "GET",
        "jobs/j/watch",
        ndjson(
            {"job": {**job, "status": "Running"}, "children": [first]},
            {"child": second},
            {"child": third},
            {"job": {**job, "status": "Completed"}},
        ),
    )
    fake.own("GET", r"jobs/j\.prep/log", Reply(pieces=[b"3 rows\n"]))
    fake.own("GET", r"jobs/j\.train/log", Reply(pieces=[b"1\n2\n3\n4\n5\n6\nr2 0", b".5\nend\n"]))
    fake.arm("GET", "jobs/j", resource("j"))


def test_a_pipeline_tells_its_steps_and_how_their_logs_end(fake: Fake, lazulite: Lazulite) -> None:
    pipeline(fake)
    code, out, err = lazulite("job", "stream", "-n", "j")
    assert code == 0
    assert "prep: Completed (reused from old)\n" in err
    assert "train: Running\ntrain: Completed\n" in err
    lines = [f"train | {line}" for line in ("3", "4", "5", "6", "r2 0.5", "end")]
    assert out.splitlines() == ["prep | 3 rows", *lines]


def test_with_logs_every_line_of_every_step_is_shown(fake: Fake, lazulite: Lazulite) -> None:
    pipeline(fake)
    out = lazulite("job", "stream", "-n", "j", "--logs").out
    assert out.splitlines()[0] == "train | 1"
    assert out.splitlines()[-3:] == ["train | r2 0.5", "train | end", "prep | 3 rows"]


def test_a_job_that_ended_before_its_command_began_has_no_log_to_follow(
    fake: Fake, lazulite: Lazulite
) -> None:
    failed = resource("j", "Failed")
    fake.arm("GET", "jobs/j", failed)
    watched = {"job": {"name": "j", "kind": "command", "status": "Failed"}}
    fake.own("GET", "jobs/j/watch", Reply(pieces=[json.dumps(watched).encode() + b"\n"]))
    code, out, err = lazulite("job", "stream", "-n", "j")
    assert (code, out) == (7, "")
    assert "cannot be followed" not in err


def test_create_stream_with_a_query_keeps_stdout_for_it(
    job_file: str, fake: Fake, lazulite: Lazulite
) -> None:
    fake.own("GET", "jobs/j/watch", ndjson({"job": {"name": "j", "status": "Completed"}}))
    fake.own("GET", "jobs/j/log", Reply(pieces=[b"hello\n"]))
    fake.arm("GET", "jobs/j", resource("j"))
    code, out, err = lazulite(
        "job", "create", "-f", job_file, "-n", "j", "--stream", "--query", "status", "-o", "tsv"
    )
    assert (code, out) == (0, "Completed\n")
    assert "hello" in err


def test_a_failed_job_is_reported_with_the_step_its_log_and_the_command() -> None:
    error = {
        "message": "exit code 1",
        "node": "train",
        "logTail": "boom\nValueError: x",
        "reproduce": "cd /x && python train.py",
    }
    timeline = {"created": "2026-01-01T00:00:00Z", "ended": "2026-01-01T00:00:02Z"}
    own = {"error": error, "timeline": timeline, "outputs": {"o": {"uri": "u", "asset": "a:1"}}}
    assert list(report(resource("j", "Failed", lazulite=own))) == [
        "j: Failed in 2.0 s (created 2.0 s)",
        "step train: exit code 1",
        "last lines of its log:",
        "  | boom",
        "  | ValueError: x",
        "run that step again here:",
        "  cd /x && python train.py",
        "outputs:",
        "  o  u  registered as a:1",
        "get them with: lazulite job download -n j --all",
        "look at it with: lazulite job show -n j",
    ]


def test_a_canceled_job_is_waited_for(fake: Fake, lazulite: Lazulite) -> None:
    fake.arm("POST", "jobs/j/cancel", Reply(status=202))
    fake.own("GET", "jobs/j/watch", ndjson({"job": {"name": "j", "status": "Canceled"}}))
    assert lazulite("job", "cancel", "-n", "j").err == "j: Canceled\n"


def test_a_download_of_nothing_says_so(fake: Fake, lazulite: Lazulite) -> None:
    fake.arm("GET", "jobs/j", resource("j"))
    store = {"accountName": "h:1/b/1/s", "endpoint": "e", "containerName": "c"}
    fake.arm("GET", "datastores/workspaceartifactstore", {"properties": store})
    fake.on("GET", "/b/.*", Reply(b"<R><Blobs/><NextMarker/></R>"))
    code, _, err = lazulite("job", "download", "-n", "j", "-p", "out")
    assert code == 0
    assert "has written nothing there" in err


def test_a_name_completes_from_the_server(fake: Fake, lazulite: Lazulite) -> None:
    from click.shell_completion import ShellComplete

    from lazulite.cli.program import lazulite as program

    del lazulite
    fake.arm("GET", "jobs", {"value": [resource("alpha"), resource("beta")]})
    found = ShellComplete(program, {}, "lazulite", "_X").get_completions(
        ["job", "show", "--name"], "al"
    )
    assert [item.value for item in found] == ["alpha"]
