from pathlib import Path

import pytest

from lazulite.client import git
from lazulite.client.documents import LocalFiles
from lazulite.client.session import Session
from lazulite.client.submit import carry_out, job_name
from lazulite.domain.errors import Conflict, InvalidInput
from lazulite.domain.ids import check_name
from lazulite.formats.yaml.plan import Plan
from lazulite.formats.yaml.read import Document, read
from tests.client.fake import WORKSPACE, Fake, Reply, Request

JOB = "command: echo ${{inputs.x}}\nenvironment: {image: python}\ninputs:\n  x: 1\n"


def plan(noun: str, text: str, folder: Path) -> Plan:
    file = folder / "x.yml"
    file.write_text(text)
    return read(noun, Document(path=file, shown="x.yml"), WORKSPACE, LocalFiles())


def echo(request: Request) -> Reply:
    return Reply({"name": request.path.rsplit("/", 1)[-1], **request.json})


def test_the_environment_goes_before_the_job(fake: Fake, session: Session, tmp_path: Path) -> None:
    fake.arm("PUT", "environments/.*", {})
    fake.arm("PUT", "jobs/.*", echo)
    made = carry_out(session, plan("job", JOB, tmp_path))
    assert ["environments" in request.path for request in fake.requests] == [True, False]
    assert made["properties"]["displayName"] == made["name"]
    assert made["properties"]["experimentName"]


def test_a_job_keeps_the_name_it_has(fake: Fake, session: Session, tmp_path: Path) -> None:
    fake.arm("PUT", "environments/.*", {})
    fake.arm("PUT", "jobs/mine", echo)
    assert carry_out(session, plan("job", f"name: mine\n{JOB}", tmp_path))["name"] == "mine"


def test_names_are_two_words_and_ten_letters() -> None:
    name = job_name(b"chance of a name")
    assert check_name(name, "job") == name
    assert [len(part) > 2 for part in name.split("_")] == [True, True, True]
    assert len({job_name() for _ in range(100)}) == 100


def test_a_field_the_server_blames_is_told_with_its_line(
    fake: Fake, session: Session, tmp_path: Path
) -> None:
    fake.arm("PUT", "environments/.*", {})
    error = {"code": "ValidationError", "message": "x is bad", "target": "inputs.x"}
    fake.arm("PUT", "jobs/.*", Reply({"error": error}, 400))
    with pytest.raises(InvalidInput, match=r"^x\.yml:4: x is bad$"):
        carry_out(session, plan("job", JOB, tmp_path))


DATA = "name: d\npath: https://example.org/x\ntype: uri_file\n"


def test_a_first_version_is_1_and_a_later_one_the_next(
    fake: Fake, session: Session, tmp_path: Path
) -> None:
    fake.arm("PUT", "data/d/versions/.*", echo)
    assert carry_out(session, plan("data", DATA, tmp_path))["name"] == "1"
    fake.arm("GET", "data/d", {"properties": {"nextVersion": "7"}})
    assert carry_out(session, plan("data", DATA, tmp_path))["name"] == "7"


def test_a_lost_race_for_a_version_takes_the_one_after(
    fake: Fake, session: Session, tmp_path: Path
) -> None:
    numbers = iter("789")
    fake.arm("GET", "data/d", lambda _: Reply({"properties": {"nextVersion": next(numbers)}}))
    taken = Reply({"error": {"code": "Conflict", "message": "taken"}}, 409)
    fake.arm("PUT", "data/d/versions/.*", lambda r: taken if r.path.endswith("7") else echo(r))
    assert carry_out(session, plan("data", DATA, tmp_path))["name"] == "8"


def test_a_version_that_was_asked_for_is_not_changed_for_another(
    fake: Fake, session: Session, tmp_path: Path
) -> None:
    taken = Reply({"error": {"code": "Conflict", "message": "taken"}}, 409)
    fake.arm("PUT", "data/d/versions/3", taken)
    with pytest.raises(Conflict):
        carry_out(session, plan("data", DATA + "version: 3\n", tmp_path))


def test_a_component_learns_its_version(fake: Fake, session: Session, tmp_path: Path) -> None:
    fake.arm("PUT", "components/c/versions/1", echo)
    text = "name: c\ncommand: a\nenvironment: azureml:e:1\n"
    made = carry_out(session, plan("component", text, tmp_path))
    assert made["properties"]["componentSpec"]["version"] == "1"


def test_a_compute_is_put_by_name(fake: Fake, session: Session, tmp_path: Path) -> None:
    fake.arm("PUT", "computes/cpu", echo)
    made = carry_out(session, plan("compute", "name: cpu\ntype: amlcompute\n", tmp_path))
    assert made["properties"]["computeType"] == "AmlCompute"


class Slow(git.Asked):
    """Git that answers when it is asked for the second time."""

    def __init__(self) -> None:
        super().__init__({}, ())
        self.answers: list[dict[str, str] | None] = [None, {"mlflow.source.git.commit": "c0ffee"}]

    def answer(self, wait: float) -> dict[str, str] | None:
        return self.answers.pop(0)


def test_a_job_does_not_wait_for_a_slow_git(
    fake: Fake, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git, "ask", lambda _places: Slow())
    for what in ("PUT", "environments/.*"), ("PUT", "jobs/.*"):
        fake.arm(*what, echo)
    fake.answers.append(("PATCH", ".*/runs/mine", Reply({})))
    made = carry_out(session, plan("job", f"name: mine\n{JOB}", tmp_path))
    assert made["properties"]["properties"] == {"mlflow.source.git.commit": "c0ffee"}
    *_, put, patch = fake.requests
    assert put.json["properties"]["properties"] == {}
    assert patch.json == {"properties": {"mlflow.source.git.commit": "c0ffee"}}


def test_a_job_says_where_its_code_is_from(
    fake: Fake, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZUREML_GIT_COMMIT", "c0ffee")
    for what in ("PUT", "environments/.*"), ("PUT", "jobs/.*"):
        fake.arm(*what, echo)
    text = f"properties: {{a: b}}\n{JOB}"
    made = carry_out(session, plan("job", text, tmp_path))
    assert made["properties"]["properties"] == {"mlflow.source.git.commit": "c0ffee", "a": "b"}
