"""Every exit code, and that an error is one line."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lazulite.cli import program
from lazulite.cli.exits import EXITS
from tests.cli.conftest import Lazulite
from tests.client.fake import Fake, Reply
from tests.client.test_jobs import ndjson

JOB = "command: echo\nenvironment: azureml:e:1\n"


def refusal(code: str, status: int) -> Reply:
    return Reply({"error": {"code": code, "message": "the reason"}}, status)


def test_0_it_worked(fake: Fake, lazulite: Lazulite) -> None:
    fake.arm("GET", "jobs", {"value": []})
    assert lazulite("job", "list") == (0, "[]\n", "")


def test_1_a_file_is_wrong(tmp_path: Path, lazulite: Lazulite) -> None:
    (tmp_path / "job.yml").write_text("type: pipline")
    code, out, err = lazulite("job", "create", "-f", "job.yml")
    assert (code, out) == (1, "")
    assert err == (
        "error: job.yml:1: type: 'pipline' is not a kind of job; did you mean 'pipeline'?\n"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["jb"], "did you mean 'job'?"),
        (["job", "creat"], "did you mean 'create'?"),
        (["job", "show"], "--name"),
        (["job", "create"], "-f job.yml"),
        (["job", "list", "--nonsense"], "--nonsense"),
        (["job", "list", "-o", "xml"], "xml"),
        (["job", "list", "--include-archived", "--archived-only"], "exclude each other"),
        (["job", "create", "-f", "x", "--set", "novalue"], "NAME=VALUE"),
        (["data", "show", "-n", "a", "-v", "1", "-l", "latest"], "exclude each other"),
        (["data", "delete", "-n", "a"], "-v VERSION"),
        (["compute", "delete", "-n", "a"], "--yes"),
        (["environment", "prune"], "--all"),
    ],
)
def test_2_the_command_line_is_wrong(words: list[str], told: str, lazulite: Lazulite) -> None:
    code, out, err = lazulite(*words)
    assert (code, out) == (2, "")
    assert told in err


@pytest.mark.parametrize(
    ("code", "status", "exit_code"),
    [
        ("ResourceNotFound", 404, 3),
        ("AuthorizationFailed", 403, 4),
        ("InvalidAuthenticationToken", 401, 4),
        ("Conflict", 409, 5),
        ("ValidationError", 400, 1),
        ("InternalError", 500, 1),
    ],
)
def test_3_4_5_the_server_says_no(
    code: str, status: int, exit_code: int, fake: Fake, lazulite: Lazulite
) -> None:
    fake.arm("GET", "jobs/j", refusal(code, status))
    assert lazulite("job", "show", "-n", "j") == (exit_code, "", "error: the reason\n")


def test_6_nobody_answers(lazulite: Lazulite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAZULITE_URL", "http://127.0.0.1:1")
    code, _, err = lazulite("job", "list")
    assert code == 6
    assert err.startswith("error: no answer from http://127.0.0.1:1")


@pytest.mark.parametrize("status", ["Failed", "Canceled"])
def test_7_the_job_did_not_complete(status: str, fake: Fake, lazulite: Lazulite) -> None:
    fake.own("GET", "jobs/j/watch", ndjson({"job": {"name": "j", "status": status}}))
    fake.own("GET", "jobs/j/log", Reply(pieces=[]))
    fake.arm("GET", "jobs/j", {"name": "j", "properties": {"status": status}})
    assert lazulite("job", "stream", "-n", "j").code == 7
    assert lazulite("job", "wait", "-n", "j").code == 7


def test_130_ctrl_c_leaves_the_job_running(
    fake: Fake, lazulite: Lazulite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    fake.arm("GET", "jobs/j", {"name": "j", "properties": {"status": "Running"}})
    monkeypatch.setattr("lazulite.client.jobs.watch", interrupted)
    code, _, err = lazulite("job", "stream", "-n", "j")
    assert code == 130
    assert "j keeps running; follow it with `lazulite job stream -n j`" in err
    assert lazulite("job", "wait", "-n", "j").code == 130


def test_a_noun_that_is_not_here_yet_is_one_sentence(lazulite: Lazulite) -> None:
    assert lazulite("online-endpoint", "create", "-f", "x") == (
        1,
        "",
        (
            "error: `online-endpoint` is a noun of az ml, but this version of Lazulite has no "
            "online endpoints\n"
        ),
    )


def test_every_code_is_told_by_the_help(lazulite: Lazulite) -> None:
    text = " ".join(lazulite("--help").out.split())
    for code, word in EXITS.items():
        assert f"{code} {word}" in text


def test_a_traceback_is_shown_only_when_asked_for(
    fake: Fake, lazulite: Lazulite, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Traceback" not in lazulite("job", "show", "-n", "j").err
    monkeypatch.setenv("LAZULITE_DEBUG", "1")
    assert "Traceback" in lazulite("job", "show", "-n", "j").err


def test_a_file_that_cannot_be_written_is_one_line(
    lazulite: Lazulite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "/disk/x")

    monkeypatch.setattr(program.lazulite, "main", full)
    assert lazulite("job", "list") == (1, "", "error: /disk/x: No space left on device\n")


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    script = "from lazulite.cli.main import main; main(['--help'])"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, err = process.communicate(timeout=20)
    assert process.returncode in (0, 1, -signal.SIGPIPE)
    assert b"Traceback" not in err
