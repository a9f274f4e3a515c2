"""Runs, and what is logged to them, on both databases."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from msgspec import structs
from tests.records import LATER, NOW, a_child, a_job, an_asset

from lazulite.domain.asset import AssetKind
from lazulite.domain.errors import Conflict, InvalidInput, NotFound
from lazulite.domain.job import DataInput, JobKind, JobStatus, Timeline
from lazulite.domain.model import LoggedModel, ModelStatus, RegisteredModel
from lazulite.domain.run import PARENT, Batch, Dataset, ModelPoint, Point, RunHead, View
from lazulite.domain.search import Search
from lazulite.formats.mlflow.filter import parse_filter, parse_orders
from lazulite.formats.mlflow.names import EXPERIMENTS, RUNS
from lazulite.ports.store import Store

Start = Callable[..., RunHead]


@pytest.fixture
def start(store: Store, workspace: int) -> Start:
    def run(name: str, parent: str | None = None, **fields: Any) -> RunHead:
        what = {"kind": JobKind.RUN, "status": JobStatus.RUNNING, "experiment": "e"}
        job = a_job(workspace, name, **what | fields)
        return store.write(lambda tx: tx.runs.start(job, parent))

    return run


def log(store: Store, run: RunHead, *points: tuple[str, float, int], **texts: Any) -> None:
    metrics = [Point(key, value, 1000 + step, step) for key, value, step in points]
    batch = Batch(
        metrics=metrics, params=texts.get("params", []), tags=list(texts.get("tags", {}).items())
    )
    store.write(lambda tx: tx.runs.log(run, batch))


def search(
    store: Store,
    workspace: int,
    text: str = "",
    *orders: str,
    view: View = View.ACTIVE,
    **page: Any,
) -> list[str]:
    asked = Search(condition=parse_filter(text, RUNS), orders=parse_orders(orders, RUNS), **page)
    found = store.read(lambda tx: tx.runs.search(workspace, None, asked, view))
    return [run.head.name for run in found.items]


def test_a_run_is_a_job_with_the_same_id(store: Store, workspace: int, start: Start) -> None:
    start("r", tags={"k": "v"})
    job = store.read(lambda tx: tx.jobs.get(workspace, "r"))
    assert (job.kind, job.experiment, job.tags) == (JobKind.RUN, "e", {"k": "v"})


def test_a_run_id_is_taken_once(start: Start) -> None:
    start("r")
    with pytest.raises(Conflict, match="Run with id=r already exists"):
        start("r")


def test_what_is_logged_is_there(store: Store, workspace: int, start: Start) -> None:
    run = start("r")
    log(store, run, ("acc", 0.5, 1), ("acc", 0.9, 2), params=[("lr", "0.1")], tags={"k": "😀"})
    found = store.read(lambda tx: tx.runs.get(workspace, "r"))
    assert found.metrics == [Point("acc", 0.9, 1002, 2)]
    assert found.params == [("lr", "0.1")]
    assert found.head.tags == {"k": "😀"}


def test_the_last_value_is_that_of_the_highest_step(
    store: Store, workspace: int, start: Start
) -> None:
    run = start("r")
    for value, step in ((3.0, 5), (9.0, 1), (1.0, 4)):
        log(store, run, ("m", value, step))
    assert store.read(lambda tx: tx.runs.get(workspace, "r")).metrics[0].value == 3.0
    assert search(store, workspace, "max(metrics.m) = 9 AND min(metrics.m) = 1") == ["r"]
    assert search(store, workspace, "first(metrics.m) = 9 AND last(metrics.m) = 3") == ["r"]


def test_a_point_that_is_sent_again_is_one_point(store: Store, start: Start) -> None:
    run = start("r")
    for _ in range(2):
        log(store, run, ("m", 1.0, 1), ("m", math.nan, 2))
    found = store.read(lambda tx: tx.metrics.history(run.id, "m", 10, None)).items
    assert [point.step for point in found] == [1, 2]
    assert math.isnan(found[1].value)


def test_nan_is_neither_the_smallest_nor_the_largest(
    store: Store, workspace: int, start: Start
) -> None:
    log(store, start("r"), ("m", math.nan, 0), ("m", 2.0, 1), ("m", math.nan, 3))
    assert search(store, workspace, "max(metrics.m) = 2 AND min(metrics.m) = 2") == ["r"]
    assert search(store, workspace, "metrics.m > 0") == []


def test_metrics_of_several_runs_are_summed_up(store: Store, workspace: int, start: Start) -> None:
    log(store, start("a"), ("m", 3.0, 1), ("m", 1.0, 2), ("n", math.nan, 1))
    log(store, start("b"), ("m", 5.0, 1))

    def ask(runs: list[str], keys: list[str] | None, limit: int = 9) -> list[Any]:
        found = store.read(lambda tx: tx.metrics.summaries(workspace, runs, keys, limit))
        return sorted((run, key, *values) for run, key, values in found)

    a, b = ("a", "m", 1.0, 1.0, 3.0, 3.0), ("b", "m", 5.0, 5.0, 5.0, 5.0)
    assert ask(["a", "b", "none"], ["m", "none"]) == [a, b]
    assert ask(["a"], None) == [a, ("a", "n", None, None, None, None)]
    assert len(ask(["a", "b"], None, limit=2)) == 2


def test_history_comes_in_pages(store: Store, start: Start) -> None:
    run = start("r")
    log(store, run, *[("m", float(step), step) for step in range(25)], ("n", 1.0, 1))
    steps: list[int] = []
    token, pages = None, 0
    while pages == 0 or token:
        after = token
        page = store.read(lambda tx: tx.metrics.history(run.id, "m", 10, after))  # noqa: B023
        steps += [point.step for point in page.items]
        token, pages = page.next, pages + 1
    assert (steps, pages) == (list(range(25)), 3)


@pytest.mark.parametrize("token", ["x", "1:2", "1:2:nan", f"{1 << 70}:0:0", "1:2:3:4"])
def test_a_forged_place_in_a_history_is_refused(store: Store, start: Start, token: str) -> None:
    run = start("r")
    log(store, run, ("m", 1.0, 1))
    with pytest.raises(InvalidInput, match="page_token"):
        store.read(lambda tx: tx.metrics.history(run.id, "m", 10, token))


def test_a_param_keeps_its_value(store: Store, workspace: int, start: Start) -> None:
    run = start("r")
    log(store, run, params=[("p", "1"), ("long", "ä" * 6000)])
    log(store, run, params=[("p", "1"), ("q", "2")])
    with pytest.raises(InvalidInput, match=r"Changing param values is not allowed.*'p'.*'1'"):
        log(store, run, ("m", 1.0, 1), params=[("p", "3")])
    found = store.read(lambda tx: tx.runs.get(workspace, "r"))
    assert dict(found.params) == {"p": "1", "q": "2", "long": "ä" * 6000}
    assert found.metrics == []  # of the refused batch nothing was written


def test_a_tag_changes_and_goes(store: Store, workspace: int, start: Start) -> None:
    run = start("r", tags={"a": "1"})
    log(store, run, tags={"a": "2", "b": "3"})
    assert search(store, workspace, "tags.a = '2'") == ["r"]
    assert search(store, workspace, "tags.a = '1'") == []
    store.write(lambda tx: tx.runs.untag(run, "a"))
    assert search(store, workspace, "tags.a IS NOT NULL") == []
    with pytest.raises(NotFound, match="No tag with name: a"):
        store.write(lambda tx: tx.runs.untag(run, "a"))


def test_tags_that_a_client_of_jobs_sets_are_found_too(store: Store, workspace: int) -> None:
    job = store.write(lambda tx: tx.jobs.add(a_job(workspace, "j", tags={"a": "1"}), None))
    assert search(store, workspace, "tags.a = '1'") == ["j"]
    store.write(lambda tx: tx.jobs.edit(job.id, tags={"b": "2"}))
    assert search(store, workspace, "tags.a = '1'") == []
    assert search(store, workspace, "tags.b = '2'") == ["j"]


def test_where_a_job_came_from_is_found_as_tags(store: Store, workspace: int) -> None:
    git = {"mlflow.source.git.commit": "c0ffee", "azureml.git.dirty": "True"}
    job = store.write(lambda tx: tx.jobs.add(a_job(workspace, "j", properties=git), None))
    for edit in ({}, {"tags": {"b": "2"}}, {"properties": {**git, "x": "y"}}):
        store.write(lambda tx, edit=edit: tx.jobs.edit(job.id, **edit, modified_at=LATER))
        assert search(store, workspace, "tags.mlflow.source.git.commit = 'c0ffee'") == ["j"]
        assert search(store, workspace, "tags.azureml.git.dirty = 'True'") == []
    assert search(store, workspace, f"tags.mlflow.user = '{job.created_by}'") == ["j"]
    assert search(store, workspace, "tags.mlflow.source.type = 'JOB'") == ["j"]
    assert search(store, workspace, "tags.mlflow.source.name = 'j'") == ["j"]
    tags = store.read(lambda tx: tx.runs.get(workspace, "j")).head.tags
    assert tags == {"b": "2", "mlflow.source.git.commit": "c0ffee"}


def test_the_data_inputs_of_a_job_are_datasets_of_its_run(store: Store, workspace: int) -> None:
    uri = "azureml://datastores/blob/paths/titanic.csv"
    inputs = {"x": DataInput(type="uri_file", uri=uri, digest="ab" * 32), "lr": "0.1", "no": None}
    store.write(lambda tx: tx.jobs.add(a_job(workspace, "j", inputs=inputs), None))
    [found] = store.read(lambda tx: tx.runs.get(workspace, "j")).datasets
    assert (found.name, found.digest) == ("titanic.csv", "ab" * 8)
    assert found.tags == {"mlflow.data.context": "x"}
    assert found.body["source_type"] == "azureml"
    assert uri in found.body["source"]


def test_points_of_many_runs_are_written_at_once(
    store: Store, workspace: int, start: Start
) -> None:
    runs = [start(name) for name in "abc"]
    points = {run.id: [Point("system/job/x", 1.0, 5, at)] for at, run in enumerate(runs)}
    store.write(lambda tx: tx.jobs.delete(runs[2].id))
    store.write(lambda tx: tx.runs.sample(points | {10**6: [Point("y", 1, 1, 1)]}))
    store.write(lambda tx: tx.runs.sample({}))
    for at, run in enumerate(runs[:2]):
        page = store.read(lambda tx, run=run: tx.metrics.history(run.id, "system/job/x", 9, None))
        assert page.items == [Point("system/job/x", 1.0, 5, at)]


@pytest.fixture
def three(store: Store, workspace: int, start: Start) -> None:
    for at, (name, lr, acc) in enumerate((("a", "0.1", 0.5), ("b", "1e-3", 0.9), ("c", "x", 0.7))):
        run = start(
            name, timeline=Timeline(created=NOW.replace(second=at)), display_name=f"Run {name}"
        )
        log(store, run, ("acc", acc, 1), params=[("lr", lr)], tags={"team": f"T_{name}%"})
    d = start("d", status=JobStatus.COMPLETED, timeline=Timeline(created=LATER, ended=LATER))
    assert d.id


FILTERS = [
    ("", "dcba"),
    ("metrics.acc > 0.5", "cb"),
    ("metrics.acc >= 0.5 AND metrics.acc != 0.9", "ca"),
    ("metrics.acc = 0.5 OR params.lr = '1e-3'", "ba"),
    ("NOT metrics.acc > 0.5", "da"),
    ("metrics.acc IN (0.5, 0.7)", "ca"),
    ("metrics.acc IS NULL", "d"),
    ("metrics.unknown > 0", ""),
    ("params.lr < 0.05", "b"),
    ("params.lr = 0.001", "b"),
    ("params.lr != '0.1'", "cb"),
    ("params.lr IN ('x', '0.1')", "ca"),
    ("params.lr IS NULL", "d"),
    ("params.lr LIKE '%e-%'", "b"),
    ("tags.team LIKE 'T_a%'", "a"),
    ("tags.team LIKE 't%'", ""),
    ("tags.team ILIKE 't%'", "cba"),
    ("tags.team = 'T_a%'", "a"),
    ("tags.`mlflow.runName` = 'Run b'", "b"),
    ("status = 'FINISHED'", "d"),
    ("status IN ('RUNNING', 'FAILED')", "cba"),
    ("attributes.status != 'RUNNING'", "d"),
    ("run_name LIKE 'Run %'", "cba"),
    ("run_id IN ('a', 'c')", "ca"),
    ("start_time < '2026-03-01T12:30:01+00:00'", "a"),
    ("start_time <= 1772368201123", "ba"),
    ("end_time IS NULL", "cba"),
    ("duration >= 0", "d"),
    ("experiment_name = 'e' AND kind = 'Run' AND user_id = 'ann'", "dcba"),
    ("(metrics.acc > 0.6 OR status = 'FINISHED') AND NOT run_id = 'b'", "dc"),
    ("artifact_uri LIKE 'mlflow-artifacts:/%/a/artifacts'", "a"),
]


@pytest.mark.parametrize(("text", "expected"), FILTERS)
def test_a_filter_finds_what_it_says(
    store: Store, workspace: int, three: None, text: str, expected: str
) -> None:
    assert "".join(search(store, workspace, text)) == expected


@pytest.mark.parametrize(("text", "expected"), FILTERS)
@pytest.mark.parametrize("order", ["metrics.acc DESC", "start_time DESC"])
def test_a_filter_finds_the_same_by_asking_each_run(
    store: Store,
    workspace: int,
    three: None,
    text: str,
    expected: str,
    order: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lazulite.store.conditions.COMMON", -1)
    best_first = order.startswith("metrics")
    wanted = [run for run in "bcad" if run in expected] if best_first else list(expected)
    assert search(store, workspace, text, order) == wanted


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("metrics.acc DESC", "bcad"),
        ("metrics.acc ASC", "acbd"),
        ("max(metrics.acc)", "acbd"),
        ("params.lr", "bacd"),
        ("params.lr DESC", "abcd"),
        ("tags.team DESC", "cbad"),
        ("start_time", "abcd"),
        ("end_time DESC", "dcba"),
        ("run_name", "abcd"),
        ("status", "dcba"),
    ],
)
def test_an_order_puts_what_has_no_value_last_and_pages_agree(
    store: Store, workspace: int, three: None, order: str, expected: str
) -> None:
    store.write(lambda tx: tx.jobs.edit(tx.jobs.get(workspace, "d").id, display_name="zz"))
    assert "".join(search(store, workspace, "", order)) == expected
    found, token = "", None
    while len(found) < 4:
        asked = Search(orders=parse_orders([order], RUNS), limit=1, after=token)
        page = store.read(lambda tx: tx.runs.search(workspace, None, asked, View.ACTIVE))  # noqa: B023
        found, token = found + page.items[0].head.name, page.next
    assert (found, token) == (expected, None)


def test_a_page_does_not_move_when_runs_arrive(
    store: Store, workspace: int, three: None, start: Start
) -> None:
    first = Search(limit=2)
    page = store.read(lambda tx: tx.runs.search(workspace, None, first, View.ACTIVE))
    start("new", timeline=Timeline(created=LATER.replace(hour=23)))
    second = Search(limit=2, after=page.next)
    rest = store.read(lambda tx: tx.runs.search(workspace, None, second, View.ACTIVE))
    assert [run.head.name for run in rest.items] == ["b", "a"]


@pytest.mark.parametrize("forged", ["", "x", "bnVsbA", "WyJ4IiwwLFtdXQ", "é"])
def test_a_token_of_another_search_is_refused(
    store: Store, workspace: int, three: None, forged: str
) -> None:
    page = store.read(lambda tx: tx.runs.search(workspace, None, Search(limit=1), View.ACTIVE))
    for token, view in ((forged, View.ACTIVE), (page.next, View.ALL)):
        asked = Search(limit=1, after=token)
        with pytest.raises(InvalidInput, match="page_token"):
            store.read(lambda tx: tx.runs.search(workspace, None, asked, view))  # noqa: B023


def test_deleted_runs_are_shown_when_asked_for(store: Store, workspace: int, three: None) -> None:
    store.write(lambda tx: tx.jobs.edit(tx.jobs.get(workspace, "a").id, archived=True))
    assert search(store, workspace) == ["d", "c", "b"]
    assert search(store, workspace, view=View.DELETED) == ["a"]
    assert len(search(store, workspace, view=View.ALL)) == 4


def test_a_family_is_found_at_any_depth(store: Store, workspace: int, start: Start) -> None:
    start("top")
    start("mid", "top", tags={PARENT: "top"})
    start("low", "mid")
    start("alone", "nobody", tags={PARENT: "nobody"})
    assert search(store, workspace, "ancestor_id = 'top'") == ["low", "mid"]
    assert search(store, workspace, "parent_run_id = 'top'") == ["mid"]
    assert search(store, workspace, "root_run_id = 'top'") == ["low", "mid"]
    assert search(store, workspace, f"tags.{PARENT} = 'mid'") == ["low"]
    assert search(store, workspace, f"tags.{PARENT} = 'nobody'") == ["alone"]
    low = store.read(lambda tx: tx.runs.head(workspace, "low"))
    assert (low.parent, low.root) == ("mid", "top")


def test_the_nodes_of_a_pipeline_are_its_nested_runs(store: Store, workspace: int) -> None:
    whole = store.write(lambda tx: tx.jobs.add(a_job(workspace, "p", kind=JobKind.PIPELINE), None))
    store.write(lambda tx: tx.executions.claim("t"))
    store.write(lambda tx: tx.executions.spawn("t", [(a_child(whole, "train"), None)]))
    assert len(search(store, workspace, f"tags.{PARENT} = 'p'")) == 1


def test_a_run_is_not_found_in_another_workspace(store: Store, start: Start) -> None:
    start("r")
    with pytest.raises(NotFound, match="Run with id=r not found"):
        store.read(lambda tx: tx.runs.head(999, "r"))


def test_many_keys_and_large_batches(store: Store, workspace: int, start: Start) -> None:
    run = start("r")
    for part in range(3):
        log(store, run, *[(f"key {part * 400 + i}", float(i), 1) for i in range(400)])
    assert len(store.read(lambda tx: tx.runs.get(workspace, "r")).metrics) == 1200


def test_a_purged_run_leaves_nothing(store: Store, workspace: int, start: Start) -> None:
    run = start("r")
    log(store, run, ("m", 1.0, 1), params=[("p", "1")], tags={"t": "1"})
    store.write(lambda tx: tx.runs.purge(run.id))
    assert search(store, workspace, view=View.ALL) == []
    assert store.read(lambda tx: tx.metrics.history(run.id, "m", 10, None)).items == []


def experiments(store: Store, workspace: int, text: str = "", *orders: str) -> list[str]:
    asked = Search(
        condition=parse_filter(text, EXPERIMENTS), orders=parse_orders(orders, EXPERIMENTS)
    )
    found = store.read(lambda tx: tx.experiments.search(workspace, asked, View.ACTIVE))
    return [one.name for one in found.items]


def test_experiments_are_made_renamed_tagged_deleted(store: Store, workspace: int) -> None:
    row = store.write(lambda tx: tx.experiments.add(workspace, "One", {"k": "v"}, NOW))
    store.write(lambda tx: tx.experiments.add(workspace, "Two", {}, LATER))
    with pytest.raises(Conflict, match="already exists"):
        store.write(lambda tx: tx.experiments.add(workspace, "One", {}, NOW))
    with pytest.raises(Conflict, match="already exists"):
        store.write(lambda tx: tx.experiments.edit(row, NOW, name="Two"))
    store.write(lambda tx: tx.experiments.set_tags(row, {"k": None, "l": "1"}, LATER))
    store.write(lambda tx: tx.experiments.edit(row, LATER, name="Uno"))
    found = store.read(lambda tx: tx.experiments.get(workspace, row))
    assert (found.name, found.tags, found.modified_at) == ("Uno", {"l": "1"}, LATER)
    assert experiments(store, workspace) == ["Two", "Uno"]
    assert experiments(store, workspace, "name LIKE 'U%' AND tags.l = '1'") == ["Uno"]
    assert experiments(store, workspace, "tags.k = 'v' OR creation_time > 1772368215124") == ["Two"]
    assert experiments(store, workspace, "", "name DESC") == ["Uno", "Two"]
    store.write(lambda tx: tx.experiments.edit(row, LATER, deleted=True))
    assert experiments(store, workspace) == ["Two"]


def test_a_long_curve_keeps_its_peaks_in_few_points(store: Store, start: Start) -> None:
    run = start("r")
    for part in range(5):
        steps = range(part * 1000, part * 1000 + 1000)
        log(store, run, *[("m", 1e6 if step == 3333 else math.sin(step), step) for step in steps])
    log(store, run, ("m", math.nan, 2000))

    def sampled(low: int | None, high: int | None, limit: int) -> list[Point]:
        return store.read(lambda tx: tx.metrics.sampled(run.id, "m", (low, high), limit))

    few = sampled(None, None, 100)
    assert len(few) <= 102
    assert (few[0].step, few[-1].step) == (0, 4999)
    assert max(point.value for point in few) == 1e6
    assert few == sorted(few, key=lambda point: point.step)
    zoomed = sampled(3300, 3340, 100)
    assert [point.step for point in zoomed] == list(range(3300, 3341))
    assert sampled(9000, 9999, 100) == []
    assert store.read(lambda tx: tx.metrics.sampled(run.id, "none", (None, None), 9)) == []


def test_a_run_knows_its_data_and_models(store: Store, workspace: int, start: Start) -> None:
    run = start("r")
    model = store.write(
        lambda tx: tx.models.add(
            LoggedModel(
                workspace=workspace,
                experiment=run.experiment,
                model="m-1",
                name="one",
                created_at=NOW,
                modified_at=NOW,
            )
        )
    )
    data = Dataset(name="d", digest="1", body={"source": "s"}, tags={"mlflow.data.context": "eval"})
    for _ in range(2):
        store.write(lambda tx: tx.lineage.add_datasets(run.id, run.experiment, [data]))
        store.write(lambda tx: tx.lineage.add_models(run.id, {model.id: 3}, output=True))
        store.write(lambda tx: tx.lineage.add_models(run.id, {model.id: 0}, output=False))
    found = store.read(lambda tx: tx.runs.get(workspace, "r"))
    assert found.datasets == [data]
    assert (found.models_in, found.models_out) == (["m-1"], [("m-1", 3)])
    assert search(store, workspace, "datasets.context = 'eval' AND datasets.name LIKE 'd%'") == [
        "r"
    ]
    assert search(store, workspace, "datasets.digest IN ('2')") == []
    point = ModelPoint(Point("acc", math.nan, 1, 1), "r", "d", "1")
    for _ in range(2):
        store.write(lambda tx: tx.models.add_points(model.id, run.id, [point]))
    [kept] = store.read(lambda tx: tx.models.points([model.id]))[model.id]
    assert (kept.run, kept.dataset, math.isnan(kept.point.value)) == ("r", "d", True)
    changed = structs.replace(model, status=ModelStatus.READY, tags={"k": "v"})
    store.write(lambda tx: tx.models.update(changed))
    assert store.read(lambda tx: tx.models.get(workspace, "m-1")) == changed
    store.write(lambda tx: tx.models.delete(model.id))
    assert store.read(lambda tx: tx.models.of([run.experiment], 10)) == []


def test_the_registry_holds_names_with_and_without_versions(store: Store, workspace: int) -> None:
    asset = an_asset("azure", kind=AssetKind.MODEL)
    store.write(lambda tx: tx.assets.add(workspace, asset))
    model = RegisteredModel(
        workspace=workspace, name="b", aliases={"a": "1"}, created_at=NOW, modified_at=NOW
    )
    store.write(lambda tx: tx.registry.put(model))
    store.write(lambda tx: tx.registry.put(structs.replace(model, description="d")))
    names = [one.name for one in store.read(lambda tx: tx.registry.all(workspace))]
    assert names == ["azure", "b"]
    with pytest.raises(Conflict, match="already exists"):
        store.write(lambda tx: tx.registry.rename(workspace, "azure", "b"))
    store.write(lambda tx: tx.registry.rename(workspace, "azure", "c"))
    assert store.read(lambda tx: tx.assets.get(workspace, AssetKind.MODEL, "c", "1")).name == "c"
    assert store.read(lambda tx: tx.registry.get(workspace, "b")).description == "d"
    store.write(lambda tx: tx.registry.delete(workspace, "c"))
    with pytest.raises(NotFound, match="name=c not found"):
        store.read(lambda tx: tx.registry.get(workspace, "c"))


def test_many_writers_of_one_run_lose_nothing(store: Store, workspace: int, start: Start) -> None:
    run = start("r")

    def write(writer: int) -> None:
        for part in range(5):
            points = [
                (f"key {(writer + at) % 7}", float(writer), part * 10 + at) for at in range(10)
            ]
            log(store, run, *points, params=[(f"p{writer}", "1")], tags={f"t{writer}": "1"})

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(write, range(12)))
    found = store.read(lambda tx: tx.runs.get(workspace, "r"))
    assert (len(found.params), len(found.head.tags), len(found.metrics)) == (12, 12, 7)
    counts = [
        len(store.read(lambda tx: tx.metrics.history(run.id, f"key {key}", 1000, None)).items)  # noqa: B023
        for key in range(7)
    ]
    assert sum(counts) == 12 * 50


def test_a_search_may_name_more_experiments_than_a_statement_has_variables(
    store: Store, workspace: int, start: Start
) -> None:
    start("r")
    every = list(range(1, 70_000))
    found = store.read(lambda tx: tx.runs.search(workspace, every, Search(), View.ACTIVE))
    assert [run.head.name for run in found.items] == ["r"]
    for row in range(2, 5):
        store.write(lambda tx: tx.experiments.add(workspace, f"e{row}", {}, NOW))  # noqa: B023
    assert search(store, workspace, "metrics.none > 1 OR run_id = 'r'", "metrics.none") == ["r"]
