"""The routes of imports: who may, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest

from lazulite.domain.ids import DEFAULT_WORKSPACE
from lazulite.formats.mlflow.transfer import MAX_RUNS
from tests.wire.live import SCOPE, Live

IMPORT = f"/lazulite/v1{SCOPE}/runs/import"
RUN = {"id": "x", "experiment": "0", "start": 1, "seal": ""}
ROUTES = ["experiment", "begin", "points", "finish", "models", "model", "name"]


@pytest.mark.parametrize("route", ROUTES)
def test_a_job_may_not_import(live: Live, route: str) -> None:
    token = job_token(live)
    assert live.call("POST", f"{IMPORT}/{route}", {}, token=token).status == 403
    assert live.call("POST", f"{IMPORT}/{route}", {}, token=None).status == 401


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("body", [b"[]", b"{", b'{"runs": 1}', b"\xff", b"[" * 50_000])
def test_what_is_no_request_is_refused(live: Live, route: str, body: bytes) -> None:
    assert live.call("POST", f"{IMPORT}/{route}", body).status == 400


def test_more_runs_than_one_call_may_have_are_refused(live: Live) -> None:
    runs = [RUN] * (MAX_RUNS + 1)
    answer = live.call("POST", f"{IMPORT}/begin", {"runs": runs})
    assert answer.status == 400
    assert "runs" in answer.message


@pytest.mark.parametrize("query", ["", "?run=a&model=b"])
def test_files_are_of_one_thing(live: Live, query: str) -> None:
    assert live.get(f"{IMPORT}/files{query}").status == 400


@pytest.mark.parametrize("query", ["run=nope", "run=..%2f..%2fx", "model=m-nope"])
def test_files_of_nothing_are_not_found(live: Live, query: str) -> None:
    assert live.get(f"{IMPORT}/files?{query}").status in (400, 404)


def test_files_are_told_with_their_folders_and_sizes(live: Live) -> None:
    begun: Any = live.call("POST", f"{IMPORT}/begin", {"runs": [RUN | {"experiment": exp(live)}]})
    run = begun.body["runs"][0]["id"]
    assert live.get(f"{IMPORT}/files?run={run}").body == {"files": {}}
    path = f"/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/a/b.txt"
    assert live.put(path, b"12345").status == 200
    assert live.get(f"{IMPORT}/files?run={run}").body == {"files": {"a/b.txt": 5}}


def exp(live: Live) -> str:
    answer = live.call("POST", f"{IMPORT}/experiment", {"name": "of files"})
    return str(answer.body["id"])


def job_token(live: Live) -> str:
    return live.tokens.mint_job(DEFAULT_WORKSPACE, "a-job", 1)
