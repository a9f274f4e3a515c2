"""Why a node was reused or run."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lazulite.domain.job import CommandDef
from lazulite.domain.pipeline import Node
from lazulite.services.explain import MAX_FILES, Explanation, explain
from tests.engine.fakes import Lab, chain, command, pipeline, step, write_output


def explained(home: Lab, name: str) -> dict[str, Explanation]:
    return {one.path: one for one in explain(home.services, home.workspace, name)}


def code(home: Lab, folder: Path, **files: str) -> str:
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return home.snapshots.ingest(folder)


def with_code(tree: str | None, text: str = "run", **fields: object) -> Node:
    return Node(work=msgspec.structs.replace(command(text), snapshot=tree, **fields))


def test_a_first_run_a_reuse_and_a_change_are_told_apart(home: Lab) -> None:
    home.machine.script = lambda launch: write_output(launch) or 0  # type: ignore[func-returns-value]
    home.start()
    home.run("p", pipeline(chain("a", "b")))
    assert "no earlier" in explained(home, "p")["a"].reason
    home.run("q", pipeline({**chain("a", "b"), "b": step({"x": "a"}, "new b")}))
    found = explained(home, "q")
    assert found["a"].reused_from == home.children("p")["a"].name
    assert "reused from" in found["a"].reason
    [difference] = found["b"].differs
    assert (difference.part, difference.was, difference.now) == ("command", "true b", "new b")
    assert found["b"].compared_with == home.children("p")["b"].name


def test_it_is_compared_with_the_earlier_run_that_differs_least(home: Lab) -> None:
    home.start()
    home.run("near", pipeline({"a": step({}, "train --depth 2")}))
    far = msgspec.structs.replace(command("score"), environment_variables={"MODE": "fast"})
    home.run("far", pipeline({"a": Node(work=far)}))
    home.run("now", pipeline({"a": step({}, "train --depth 3")}))
    found = explained(home, "now")["a"]
    assert found.compared_with == home.children("near")["a"].name
    assert [difference.part for difference in found.differs] == ["command"]


def test_changed_files_are_named(home: Lab, tmp_path: Path) -> None:
    home.start()
    old = code(home, tmp_path / "old", same="1", changed="1", gone="1")
    new = code(home, tmp_path / "new", same="1", changed="22", added="1")
    home.run("p", pipeline({"a": with_code(old)}))
    home.run("q", pipeline({"a": with_code(new)}))
    found = {d.part: (d.was, d.now) for d in explained(home, "q")["a"].differs}
    assert sorted(found) == ["code/added.py", "code/changed.py", "code/gone.py"]
    assert found["code/added.py"][0] is None
    assert "(2 bytes)" in str(found["code/changed.py"][1])


def test_only_the_first_changed_files_are_named(home: Lab, tmp_path: Path) -> None:
    home.start()
    many = {f"f{i}": "1" for i in range(MAX_FILES + 5)}
    tree = code(home, tmp_path / "new", **many)
    home.run("p", pipeline({"a": with_code(None)}))
    home.run("q", pipeline({"a": with_code(tree)}))
    differs = explained(home, "q")["a"].differs
    assert len(differs) == MAX_FILES + 1
    assert differs[-1].part == "code: 5 more files"


def test_values_of_variables_are_hidden(home: Lab) -> None:
    home.start()
    for name, secret in (("p", "one-secret"), ("q", "two-secret")):
        node = with_code(None, environment_variables={"K": secret})
        home.run(name, pipeline({"a": node}))
    [difference] = explained(home, "q")["a"].differs
    assert difference.part == "environment_variables.K"
    assert "secret" not in f"{difference.was}{difference.now}"


def test_another_environment_is_named_by_its_id(home: Lab) -> None:
    home.start()
    home.environments.there.add("other")
    home.run("p", pipeline({"a": with_code(None, environment="env:1")}))
    other = with_code(None, environment="env:2", environment_key="other")
    home.run("q", pipeline({"a": other}))
    [difference] = explained(home, "q")["a"].differs
    assert (difference.was, difference.now) == ("env:1", "env:2")


def test_a_run_despite_an_equal_fingerprint_says_why(home: Lab) -> None:
    home.start()
    home.run("p", pipeline({"a": with_code(None)}))
    home.run("q", pipeline({"a": with_code(None)}, force_rerun=True))
    assert "force_rerun was set" in explained(home, "q")["a"].reason
    loose = with_code(None, "loose", deterministic=False)
    home.run("r", pipeline({"a": loose}))
    home.run("s", pipeline({"a": loose}))
    assert "is_deterministic: false" in explained(home, "s")["a"].reason


def test_nodes_below_nodes_and_single_jobs_are_explained_too(home: Lab) -> None:
    home.start()
    deep = Node(work=pipeline(chain("x")))
    home.run("p", pipeline({"deep": deep}))
    assert list(explained(home, "p")) == ["deep.x"]
    home.run("j", CommandDef(command="true", environment_key="built"))
    assert list(explained(home, "j")) == [""]
