"""Searches of runs: up to a page in one answer, more of them piece by piece as they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from lazulite.domain.run import RunRecord
from lazulite.domain.search import Search
from lazulite.formats.mlflow import requests as ask
from lazulite.formats.mlflow.filter import parse_filter, parse_orders
from lazulite.formats.mlflow.names import RUNS
from lazulite.formats.mlflow.replies import encode_run, encode_runs
from lazulite.ports.listed import Listed
from lazulite.services import tracking
from lazulite.wire.http import Call, Reply

EVERY = "*"  # stands for every experiment of the workspace; MLflow has no word for it
MAX_RESULTS = 50_000
PAGE = 1000  # runs that are in memory at once
SIZE = 4 << 20  # bytes that a piece should have, where fewer runs have as many
_encode = msgspec.json.Encoder().encode

Find = Callable[[Search], Listed[RunRecord]]


def search(call: Call) -> Reply:
    """Search runs."""
    asked = ask.decode(call.body, ask.SearchRuns)
    question = Search(
        condition=parse_filter(asked.filter or "", RUNS),
        orders=parse_orders(asked.order_by, RUNS),
        limit=ask.limited(asked.max_results, PAGE, MAX_RESULTS),
        after=asked.page_token or None,
    )

    if not asked.experiment_ids:  # the client's way to say "in none", as in MLflow
        return Reply(body={})
    within = None if asked.experiment_ids == [EVERY] else asked.experiment_ids

    def find(question: Search) -> Listed[RunRecord]:
        return tracking.search(call.services, call.here, within, question, asked.run_view_type)

    found = find(msgspec.structs.replace(question, limit=min(question.limit, PAGE)))
    if found.next is None or question.limit <= PAGE:
        return Reply(body=encode_runs(found))
    return Reply(pieces=_pieces(find, question, found))


def _pieces(find: Find, question: Search, found: Listed[RunRecord]) -> Iterator[bytes]:
    """Yield the JSON of an answer; each piece is found when the one before is sent."""
    left, start = question.limit, b'{"runs":['
    while True:
        piece = b",".join([_encode(encode_run(run)) for run in found.items])
        count, after = len(found.items), found.next
        left -= count
        found.items.clear()
        yield start + piece
        if after is None or left <= 0:
            break
        size = max(1, min(PAGE, left, SIZE * count // (len(piece) or 1)))
        found = find(msgspec.structs.replace(question, limit=size, after=after))
        start = b"," if found.items else b""
    yield b"]" + (b',"next_page_token":' + _encode(after) if after else b"") + b"}"
