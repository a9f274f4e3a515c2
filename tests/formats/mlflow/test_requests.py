"""Requests as MLflow's client sends them, and what it is told of wrong ones."""

from __future__ import annotations

import json
import math

import pytest

from lazulite.domain.errors import InvalidInput
from lazulite.domain.run import MAX_FLOAT
from lazulite.formats.mlflow import requests as ask


def test_numbers_may_come_as_text() -> None:
    body = b'{"run_id":"r","key":"m","value":"NaN","timestamp":"1700000000000","step":"3"}'
    point = ask.point_of(ask.decode(body, ask.LogMetric))
    assert (point.time, point.step) == (1_700_000_000_000, 3)
    assert math.isnan(point.value)


@pytest.mark.parametrize(
    ("sent", "kept"), [("Infinity", MAX_FLOAT), ("-Infinity", -MAX_FLOAT), (1e308, 1e308)]
)
def test_infinities_become_the_largest_floats(sent: object, kept: float) -> None:
    body = json.dumps({"run_id": "r", "key": "m", "value": sent, "timestamp": 1}).encode()
    assert ask.point_of(ask.decode(body, ask.LogMetric)).value == kept


def test_a_run_has_two_names_for_its_id() -> None:
    assert ask.decode(b'{"run_uuid":"r"}', ask.RunId).run == "r"
    with pytest.raises(InvalidInput, match="Missing value for required parameter 'run_id'"):
        _ = ask.decode(b"{}", ask.RunId).run


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"run_id":"r","value":1,"timestamp":1}', "Missing value for required parameter 'key'"),
        (b'{"run_id":"r","key":"k","value":"x","timestamp":1}', "for parameter 'value' supplied"),
        (b'{"run_id":"r","key":"k","value":1,"timestamp":1e99}', "for parameter 'timestamp'"),
        (b'{"run_id":"r","key":"k","value":1,"timestamp":99999999999999999999}', "'timestamp'"),
        (b'{"run_id":5,"key":"k","value":1,"timestamp":1}', "'run_id' supplied"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "parameter 'request'"),
        (b'{"tags":' + b"[" * 100_000, "nested too deep|not JSON"),
    ],
)
def test_what_is_wrong_is_named(body: bytes, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        ask.decode(body, ask.LogMetric)


@pytest.mark.parametrize("key", ["", "a\n", "/a", "a//b", "../a", "a/.", "a\0", "x" * 251, "a;b"])
def test_a_key_that_is_no_name_is_refused(key: str) -> None:
    batch = ask.LogBatch("r", params=[ask.KeyValue(key, "v")])
    with pytest.raises(InvalidInput, match=r"params\[0\].key"):
        ask.batch_of(batch)


def test_a_batch_has_limits() -> None:
    metric = ask.Metric("m", 1.0, 1)
    with pytest.raises(InvalidInput, match=r"at most 1000 metrics. Got 1001 metrics"):
        ask.batch_of(ask.LogBatch("r", metrics=[metric] * 1001))
    with pytest.raises(InvalidInput, match=r"at most 100 params. Got 101"):
        ask.batch_of(ask.LogBatch("r", params=[ask.KeyValue(f"p{i}") for i in range(101)]))
    with pytest.raises(InvalidInput, match=r"Duplicate parameter keys .*\['p'\]"):
        ask.batch_of(ask.LogBatch("r", params=[ask.KeyValue("p", "1"), ask.KeyValue("p", "2")]))


def test_long_values_are_cut() -> None:
    batch = ask.batch_of(
        ask.LogBatch(
            "r", params=[ask.KeyValue("p", "x" * 7000)], tags=[ask.KeyValue("t", "y" * 9000)]
        )
    )
    assert (len(batch.params[0][1]), len(batch.tags[0][1])) == (6000, 8000)


@pytest.mark.parametrize("value", [0, -1, 1_000_000_000])
def test_max_results_has_bounds(value: int) -> None:
    with pytest.raises(InvalidInput, match=f"Invalid value {value} for parameter 'max_results'"):
        ask.limited(value, 1000, 50_000)
