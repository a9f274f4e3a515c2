"""`lazulite run` against a live server."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator

import pytest

from lazulite.cli.program import run as program
from lazulite.cli.sparkline import sparkline
from lazulite.domain.access import OWNER
from lazulite.domain.ids import DEFAULT_WORKSPACE
from lazulite.domain.run import Batch, Point
from lazulite.services import tracking
from tests.wire.live import Live, live_server

Lazulite = Callable[..., str]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_server(tmp_path_factory.mktemp("runs")) as live:
        yield live


@pytest.fixture(scope="module")
def runs(server: Live) -> list[str]:
    """Two runs, `slow` and `fast`."""
    made = []
    for name, rate in (("slow", "0.1"), ("fast", "0.5")):
        draft = tracking.RunDraft(name=name, start=1_767_225_600_000 + len(made))
        run = tracking.start(server.services, DEFAULT_WORKSPACE, draft, OWNER).head.name
        points = [Point("loss", 1 / (1 + float(rate) * s), s, s) for s in range(20)]
        batch = Batch(metrics=points, params=[("rate", rate), ("same", "1")])
        tracking.log(server.services, DEFAULT_WORKSPACE, run, batch, OWNER)
        made.append(run)
    return made


@pytest.fixture
def lazulite(
    server: Live, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Lazulite:
    monkeypatch.setenv("LAZULITE_HOME", str(server.home))
    monkeypatch.setenv("LAZULITE_URL", server.http)
    monkeypatch.setenv("LAZULITE_TOKEN", server.tokens.owner)

    def call(*words: str, code: int = 0) -> str:
        capsys.readouterr()
        found = program(["run", *words])
        out, err = capsys.readouterr()
        assert found == code, err
        return out if code == 0 else err

    return call


def test_runs_are_listed_with_their_metrics(lazulite: Lazulite, runs: list[str]) -> None:
    head, _, first, second = lazulite("list", "-o", "table").splitlines()
    assert head.split() == ["Run", "Name", "Status", "Started", "loss", "(min)"]
    assert first.split()[1:3] == ["fast", "RUNNING"]
    assert first.split()[-1] == "0.0952381"
    assert second.split()[1] == "slow"


def test_a_search_filters_and_sorts(lazulite: Lazulite, runs: list[str]) -> None:
    found = json.loads(lazulite("search", "params.rate > 0.05", "-s", "metrics.loss DESC"))
    assert [run["name"] for run in found] == ["slow", "fast"]
    assert (
        json.loads(lazulite("search", "params.rate = '0.1'", "-e", "Default"))[0]["id"] == runs[0]
    )


def test_a_list_has_the_columns_that_are_asked_for(lazulite: Lazulite, runs: list[str]) -> None:
    words = (
        "-m",
        "loss:first",
        "-m",
        "loss:max",
        "-m",
        "loss:last",
        "-m",
        "none",
        "--param",
        "rate",
    )
    head, _, first, _ = lazulite("list", *words, "--tag", "x", "-o", "table").splitlines()
    assert head.split("Started")[1].split() == [
        *("loss", "(first)", "loss", "(max)", "loss", "(last)", "none", "(max)", "rate", "x"),
    ]
    assert first.split()[-4:] == ["1", "1", "0.0952381", "0.5"]


def test_data_has_every_value_of_every_metric(lazulite: Lazulite, runs: list[str]) -> None:
    found = json.loads(lazulite("list"))[0]
    assert found["best"] == found["min"] == {"loss": pytest.approx(1 / 10.5)}
    assert found["max"] == found["first"] == {"loss": 1.0}


def test_a_wrong_filter_is_told_with_its_place(lazulite: Lazulite, runs: list[str]) -> None:
    assert "Invalid filter at character 13" in lazulite("search", "metrics.loss", code=1)
    *_, shown, mark = lazulite("search", "params.a = 'x' AND AND", code=1).splitlines()
    assert shown == "  params.a = 'x' AND AND"
    assert shown[mark.index("^") :] == "AND"
    wrong = lazulite("search", "params.a = 'x'", "-s", "metrics.loss UP", code=1)
    assert "Invalid order_by" in wrong
    assert "^" not in wrong
    assert "experiment 'none' does not exist" in lazulite("search", "-e", "none", code=3)


def test_runs_are_compared_by_what_differs(lazulite: Lazulite, runs: list[str]) -> None:
    rate, loss = lazulite("compare", *runs, "-o", "table").splitlines()[2:]
    assert rate.split() == ["params.rate", "0.1", "0.5"]
    assert loss.split() == ["metrics.loss", "(min)", "0.344828", "0.0952381", "*"]
    assert json.loads(lazulite("compare", *runs))[1]["best"] == [runs[1]]
    lazulite("compare", runs[0], "nobody", code=3)
    assert "two runs" in lazulite("compare", runs[0], runs[0], code=2)
    assert "params.same" in lazulite("compare", "--all", *runs, "-o", "table")


def test_metrics_have_their_extremes_and_a_curve(lazulite: Lazulite, runs: list[str]) -> None:
    [row] = json.loads(lazulite("metrics", runs[1]))
    assert (row["metric"], row["max"], row["first"]) == ("loss", 1.0, 1.0)
    assert (row["points"][0], len(row["points"])) == ([0, 1.0], 20)
    text = lazulite("metrics", runs[1], "loss", "-o", "table")
    assert text.splitlines()[2].split() == ["loss", "1", "0.0952381", "1", "0.0952381"]


def test_files_of_a_run_are_listed(lazulite: Lazulite, runs: list[str], server: Live) -> None:
    path = f"/api/2.0/mlflow-artifacts/artifacts/0/{runs[0]}/artifacts/a/b.txt"
    server.call("PUT", path, b"xyz")
    file = {"path": "a/b.txt", "size": 3}
    assert json.loads(lazulite("artifacts", runs[0])) == [file]
    assert json.loads(lazulite("artifacts", runs[0], "a/b.txt")) == [file]
    assert "3 B" in lazulite("artifacts", runs[0], "a/", "-o", "table")
    assert "no file or folder 'a/c'" in lazulite("artifacts", runs[0], "a/c", code=3)


def test_what_is_not_there_is_told_by_name(lazulite: Lazulite, runs: list[str]) -> None:
    for words in (("show",), ("metrics",), ("artifacts",), ("delete",), ("restore",)):
        assert "run 'nobody' does not exist" in lazulite(*words, "nobody", code=3)
        assert "run '' does not exist" in lazulite(*words, "", code=3)
    assert "workspace 'none'" in lazulite("show", runs[0], "-w", "none", code=3)
    assert "no metric 'acc'; it has: loss" in lazulite("metrics", runs[0], "acc", code=3)


def test_of_several_runs_all_are_deleted_or_none(lazulite: Lazulite, runs: list[str]) -> None:
    lazulite("delete", runs[0], "nobody", code=3)
    assert runs[0] not in [run["id"] for run in json.loads(lazulite("list", "--deleted"))]


def test_a_run_goes_to_the_bin_and_back(lazulite: Lazulite, runs: list[str]) -> None:
    lazulite("delete", runs[0])
    assert runs[0] in [run["id"] for run in json.loads(lazulite("list", "--deleted"))]
    lazulite("restore", runs[0])
    assert json.loads(lazulite("show", runs[0]))["deleted"] is False
    lazulite("show", "nobody", code=3)


def test_the_bin_is_emptied_but_for_what_the_registry_uses(
    lazulite: Lazulite, runs: list[str], server: Live
) -> None:
    def make(name: str) -> str:
        draft = tracking.RunDraft(name=name)
        run = tracking.start(server.services, DEFAULT_WORKSPACE, draft, OWNER).head.name
        path = f"/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/model/MLmodel"
        server.call("PUT", path, b"12345")
        return run

    gone, kept = make("gone"), make("kept")
    api = "/api/2.0/mlflow"
    server.call("POST", f"{api}/registered-models/create", {"name": "used"})
    source = {"name": "used", "source": f"runs:/{kept}/model"}
    assert server.call("POST", f"{api}/model-versions/create", source).status == 200
    lazulite("delete", gone, kept)
    listed = {one["id"]: one for one in json.loads(lazulite("purge", "--dry-run"))}
    assert (listed[gone]["size"], listed[gone].get("kept")) == (5, None)
    assert listed[kept]["kept"] == "model 'used:1' is registered from it"
    assert "Say --yes" in lazulite("purge", code=2)
    assert json.loads(lazulite("purge", "--yes", "--older-than", "1")) == []
    lazulite("purge", "--yes")
    assert [one["id"] for one in json.loads(lazulite("list", "--deleted"))] == [kept]
    store = server.home / "files" / "stores" / "1" / "workspaceartifactstore" / "ExperimentRun"
    assert not (store / f"dcid.{gone}" / "model").exists()
    assert (store / f"dcid.{kept}" / "model" / "MLmodel").read_bytes() == b"12345"


def test_a_sparkline_keeps_peaks_and_gaps() -> None:
    assert sparkline([1, 1]) == "▁▁"
    assert sparkline([0, math.nan, 7]) == "▁ █"
    assert sparkline([math.nan]) == " "
    assert len(sparkline([1.0, 2.0, 3.0], 2)) == 2
    long = sparkline([0.0] * 500 + [9.0] + [0.0] * 500)
    assert (len(long) <= 40, long.count("█")) == (True, 1)
