import json
from pathlib import Path

import pytest

from lazulite.client import jobs
from lazulite.client.download import bring, parts_of
from lazulite.client.session import Session
from lazulite.domain.errors import Conflict, InvalidInput, NotFound, Unavailable
from tests.client.fake import Fake, Reply, Request


def ndjson(*changes: dict) -> Reply:
    return Reply(pieces=[json.dumps(change).encode() + b"\n" for change in changes])


def test_watching_ends_with_the_job(fake: Fake, session: Session) -> None:
    first = {"job": {"status": "Running"}, "children": []}
    fake.own("GET", "jobs/j/watch", ndjson(first, {"job": {"status": "Completed"}}))
    statuses = [change["job"]["status"] for change in jobs.watch(session, "j")]
    assert statuses == ["Running", "Completed"]


def test_a_broken_watch_is_taken_up_again(fake: Fake, session: Session) -> None:
    streams = iter([ndjson({"job": {"status": "Running"}}), ndjson({"job": {"status": "Failed"}})])
    fake.own("GET", "jobs/j/watch", lambda _: next(streams))
    assert [change["job"]["status"] for change in jobs.watch(session, "j")] == ["Running", "Failed"]


def test_a_watch_that_never_says_anything_is_given_up(fake: Fake, session: Session) -> None:
    fake.own("GET", "jobs/j/watch", Reply(pieces=[]))
    with pytest.raises(Unavailable, match="its states end before the job does"):
        list(jobs.watch(session, "j"))
    assert len(fake.requests) < 20


def test_a_log_is_read_from_a_byte_on(fake: Fake, session: Session) -> None:
    fake.own("GET", "jobs/j/log", Reply(pieces=[b"hello ", b"world"]))
    assert b"".join(jobs.log(session, "j", offset=3, follow=True)) == b"hello world"
    assert "offset=3&follow=1" in fake.requests[0].query


def test_a_list_asks_for_no_more_than_it_shows(fake: Fake, session: Session) -> None:
    fake.arm("GET", "jobs", {"value": [{"name": "a"}, {"name": "b"}], "nextLink": "/never"})
    assert [job["name"] for job in jobs.listed(session, view="All", most=2)] == ["a", "b"]
    assert "listViewType=All" in fake.requests[0].query


def test_editing_goes_through_run_history(fake: Fake, session: Session) -> None:
    fake.on("PATCH", ".*/experiments/my%20exp/runs/j", {})
    jobs.edit(session, {"name": "j", "properties": {"experimentName": "my exp"}}, {"hidden": True})
    assert fake.requests[0].path.startswith("/history/v1.0/subscriptions/")
    assert fake.requests[0].json == {"hidden": True}


def job(**outputs: str) -> dict:
    own = {"outputs": {name: {"uri": uri} for name, uri in outputs.items()}}
    return {"name": "j", "properties": {"lazulite": own}}


OUT = "azureml://datastores/store/paths/a/out"


def test_logs_are_brought_and_with_all_the_outputs() -> None:
    assert [part.target.as_posix() for part in parts_of(job(o=OUT), Path("d"))] == ["d/artifacts"]
    every = parts_of(job(o=OUT), Path("d"), everything=True)
    assert [part.target.as_posix() for part in every] == ["d/artifacts", "d/named-outputs/o"]
    (one,) = parts_of(job(o=OUT), Path("d"), output="o")
    assert one.source == ("store", "a/out")


@pytest.mark.parametrize("name", ["../../x", "a/../../../x"])
def test_an_output_is_not_brought_out_of_the_folder(name: str) -> None:
    with pytest.raises(InvalidInput, match="leaves"):
        parts_of(job(**{name: OUT}), Path("d"), everything=True)


def test_an_output_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(NotFound, match="no output 'x'; its outputs are: o"):
        parts_of(job(o=OUT), Path("d"), output="x")


class Blobs:
    """A datastore of a few blobs."""

    def __init__(self, fake: Fake, **blobs: bytes) -> None:
        self.blobs = {name.replace("__", "/"): content for name, content in blobs.items()}
        store = {"accountName": "127.0.0.1:1/azureblob/1/s", "endpoint": "core.local"}
        fake.arm("GET", "datastores/store", {"properties": {**store, "containerName": "store"}})
        root = "/azureblob/1/s.blob.core.local/store"
        fake.on("GET", root, self.listing)
        fake.on("GET", f"{root}/.+", lambda r: Reply(self.blobs[r.path.removeprefix(f"{root}/")]))

    def listing(self, request: Request) -> Reply:
        names = sorted(self.blobs)
        start = 1 if "marker=next" in request.query else 0
        page, marker = names[start : start + 1] if not start else names[1:], "" if start else "next"
        items = "".join(f"<Blob><Name>{name}</Name></Blob>" for name in page)
        text = f"<Results><Blobs>{items}</Blobs><NextMarker>{marker}</NextMarker></Results>"
        return Reply(text.encode())


def test_every_page_of_blobs_below_the_output_is_brought(
    fake: Fake, session: Session, tmp_path: Path
) -> None:
    Blobs(fake, a__out__x=b"1", a__out__y__z=b"2", a__outer=b"3")
    assert bring(session, parts_of(job(o=OUT), tmp_path, output="o"), lambda _: None) == 2
    assert (tmp_path / "named-outputs/o/y/z").read_bytes() == b"2"
    assert not (tmp_path / "named-outputs/o/er").exists()


def test_an_output_that_is_one_file_is_brought(
    fake: Fake, session: Session, tmp_path: Path
) -> None:
    Blobs(fake, a__out=b"1")
    bring(session, parts_of(job(o=OUT), tmp_path, output="o"), lambda _: None)
    assert (tmp_path / "named-outputs/o/out").read_bytes() == b"1"


def test_a_file_in_the_way_is_told(fake: Fake, session: Session, tmp_path: Path) -> None:
    Blobs(fake, a__out__x=b"1")
    (tmp_path / "named-outputs").write_text("in the way")
    with pytest.raises(Conflict, match="in the way"):
        bring(session, parts_of(job(o=OUT), tmp_path, output="o"), lambda _: None)


def test_a_datastore_elsewhere_is_not_fetched_from(
    fake: Fake, session: Session, tmp_path: Path
) -> None:
    fake.arm("GET", "datastores/store", {"properties": {"accountName": "acct"}})
    with pytest.raises(InvalidInput, match="not on this server"):
        bring(session, parts_of(job(o=OUT), tmp_path, output="o"), lambda _: None)


def test_a_followed_log_is_taken_up_where_it_broke(fake: Fake, session: Session) -> None:
    replies = iter([Reply(pieces=[b"one "], breaks=True)])
    fake.own("GET", "jobs/j/log", lambda _: next(replies, Reply(pieces=[b"two"])))
    assert b"".join(jobs.log(session, "j", follow=True)) == b"one two"
    assert "offset=4" in fake.requests[-1].query
