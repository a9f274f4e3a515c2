import json
from pathlib import Path

import pytest

from tests.cli.conftest import Lazulite
from tests.client.fake import ARM, TOKEN, Fake, Reply, Request


def version(request: Request) -> Reply:
    parts = request.path.split("/")
    return Reply({"id": request.path, "name": parts[-1], **request.json}, 201)


def asset(kind: str, name: str, number: str = "1", **properties: object) -> dict:
    arm = f"{ARM}/{kind}/{name}/versions/{number}"
    return {"id": arm, "name": number, "properties": properties}


def test_data_is_created_from_options(fake: Fake, lazulite: Lazulite) -> None:
    fake.arm("PUT", "data/d/versions/2", version)
    code, out, _ = lazulite(
        "data", "create", "-n", "d", "-v", "2", "--type", "uri_file", "--path", "https://e.org/x",
        "--query", "{n: name, v: version, t: type, p: path}",
    )  # fmt: skip
    assert code == 0
    assert json.loads(out) == {"n": "d", "v": "2", "t": "uri_file", "p": "https://e.org/x"}


def test_options_change_what_a_file_says(tmp_path: Path, fake: Fake, lazulite: Lazulite) -> None:
    (tmp_path / "m.yml").write_text("name: m\nversion: 1\npath: https://e.org/x\n")
    fake.arm("PUT", "models/m/versions/5", version)
    code, out, _ = lazulite(
        "model", "create", "-f", "m.yml", "-v", "5", "--set", "tags.a=b", "-o", "json"
    )
    assert (code, json.loads(out)["tags"]) == (0, {"a": "b"})


def test_a_component_is_created_from_its_file(
    tmp_path: Path, fake: Fake, lazulite: Lazulite
) -> None:
    (tmp_path / "c.yml").write_text("name: c\nversion: 1\ncommand: a\nenvironment: azureml:e:1\n")
    fake.arm("PUT", "components/c/versions/1", version)
    assert lazulite("component", "validate", "-f", "c.yml").code == 0
    out = json.loads(lazulite("component", "create", "--file", "c.yml").out)
    assert (out["name"], out["command"], out["environment"]) == ("c", "a", "azureml:e:1")


@pytest.mark.parametrize(
    ("flags", "rest"),
    [
        ([], "labels/latest"),
        (["--label", "latest"], "labels/latest"),
        (["--version", "3"], "versions/3"),
    ],
)
def test_a_version_is_shown_by_number_label_or_as_the_latest(
    flags: list[str], rest: str, fake: Fake, lazulite: Lazulite
) -> None:
    fake.arm("GET", f"models/m/{rest}", asset("models", "m", "3", modelType="custom_model"))
    out = lazulite("model", "show", "-n", "m", *flags, "--query", "[name, version]", "-o", "tsv")
    assert out.out == "m\n3\n"


def test_names_and_versions_are_listed(fake: Fake, lazulite: Lazulite) -> None:
    container = {"id": f"{ARM}/data/d", "name": "d", "properties": {"latestVersion": "4"}}
    fake.arm("GET", "data", {"value": [container]})
    fake.arm("GET", "data/d/versions", {"value": [asset("data", "d", "4", dataType="uri_file")]})
    assert lazulite("data", "list", "-o", "tsv", "--query", "[].name").out == "d\n"
    assert lazulite("data", "list", "-n", "d", "--query", "[0].type", "-o", "tsv").out == (
        "uri_file\n"
    )


def test_archiving_without_a_version_is_for_all_of_them(fake: Fake, lazulite: Lazulite) -> None:
    fake.arm("GET", "environments/e", {})
    fake.arm("PUT", "environments/e", {})
    fake.arm("GET", "environments/e/versions/2", asset("environments", "e", "2", image="i"))
    fake.arm("PUT", "environments/e/versions/2", {})
    assert lazulite("environment", "archive", "-n", "e").code == 0
    assert lazulite("environment", "restore", "-n", "e", "-v", "2").code == 0
    assert [r.json["properties"].get("isArchived") for r in fake.sent("PUT")] == [True, False]


def test_an_update_keeps_the_content(fake: Fake, lazulite: Lazulite) -> None:
    found = asset("data", "d", dataType="uri_file", dataUri="u", tags={"a": "1"})
    fake.arm("GET", "data/d/versions/1", found)
    fake.arm("PUT", "data/d/versions/1", version)
    out = lazulite("data", "update", "-n", "d", "-v", "1", "--set", "tags.b=2", "-o", "json").out
    assert json.loads(out)["tags"] == {"a": "1", "b": 2}
    assert fake.sent("PUT")[0].json["properties"]["dataUri"] == "u"
    assert lazulite("data", "update", "-n", "d", "-v", "1", "--set", "path=x").code == 1


def test_a_version_is_deleted_with_yes(fake: Fake, lazulite: Lazulite) -> None:
    fake.arm("GET", "models/m/versions/1", asset("models", "m"))
    fake.arm("DELETE", "models/m/versions/1", {})
    assert lazulite("model", "delete", "-n", "m", "-v", "1", "--yes").code == 0
    assert lazulite("model", "delete", "-n", "m", "-v", "9", "--yes").code == 3


def test_registries_are_refused_in_one_sentence(lazulite: Lazulite) -> None:
    code, _, err = lazulite("model", "list", "--registry-name", "azureml-meta")
    assert (code, err) == (
        3, "error: there is no registry 'azureml-meta': Lazulite has workspaces only\n",
    )  # fmt: skip
    shown = lazulite("environment", "show", "-n", "sklearn-1.5", "--registry-name", "azureml")
    assert shown.code == 1
    assert "use them by reference" in shown.err


def cluster(request: Request) -> Reply:
    body = request.json if request.body else {"properties": {"computeType": "AmlCompute"}}
    return Reply({"id": request.path, "name": request.path.rsplit("/", 1)[-1], **body})


def test_a_compute_is_created_changed_and_deleted(fake: Fake, lazulite: Lazulite) -> None:
    for method in ("PUT", "GET", "PATCH"):
        fake.arm(method, "computes/cpu", cluster)
    fake.arm("DELETE", "computes/cpu", {})
    made = lazulite(
        "compute", "create", "--name", "cpu", "--type", "AmlCompute", "--max-instances", "4",
        "--size", "S", "--query", "max_instances",
    )  # fmt: skip
    assert (made.code, made.out) == (0, "4\n")
    assert lazulite("compute", "update", "-n", "cpu", "--max-instances", "2").code == 0
    settings = fake.sent("PATCH")[0].json["properties"]["properties"]["scaleSettings"]
    assert settings == {"maxNodeCount": 2}
    assert lazulite("compute", "delete", "-n", "cpu", "-y").code == 0
    assert lazulite("compute", "delete", "-n", "gone", "-y").code == 3
    assert lazulite("compute", "update", "-n", "cpu").code == 2


def test_a_datastore_is_created_and_made_the_default(
    tmp_path: Path, fake: Fake, lazulite: Lazulite
) -> None:
    text = "name: b\ntype: azure_blob\naccount_name: a\ncontainer_name: c\n"
    (tmp_path / "s.yml").write_text(text)
    fake.arm("PUT", "datastores/b", cluster)
    fake.arm("GET", "datastores/b", cluster)
    assert lazulite("datastore", "create", "-f", "s.yml").code == 0
    assert lazulite("datastore", "set-default", "-n", "b").code == 0
    assert fake.sent("PUT")[-1].json["properties"]["isDefault"] is True


def test_a_workspace_is_created_changed_and_deleted(fake: Fake, lazulite: Lazulite) -> None:
    def space(request: Request) -> Reply:
        body = request.json if request.body else {"properties": {}}
        return Reply({"id": request.path, "name": request.path.rsplit("/", 1)[-1], **body})

    there = f"{ARM.rsplit('/', 1)[0]}/new"
    for method in ("PUT", "GET", "PATCH"):
        fake.on(method, there, space)
    fake.on("DELETE", there, {})
    made = lazulite("workspace", "create", "-n", "new", "--description", "d", "--query", "name")
    assert (made.code, made.out) == (0, '"new"\n')
    assert lazulite("workspace", "update", "-n", "new", "--set", "tags.a=b").code == 0
    assert fake.sent("PATCH")[0].json["tags"] == {"a": "b"}
    assert lazulite("workspace", "delete", "-n", "new", "--yes").code == 0
    assert lazulite("workspace", "delete", "-n", "other", "--yes").code == 3


def test_built_environments_are_listed_and_freed(fake: Fake, lazulite: Lazulite) -> None:
    times = {"created": "2026-01-01T00:00:00Z", "used": "2026-01-01T00:00:00Z"}
    one = {"key": "abc123", "name": "e:1", "python": "3.11", "size": 5_000_000, **times}
    fake.on("GET", "/lazulite/v1/environments", {"value": [one]})
    fake.on("DELETE", "/lazulite/v1/environments/abc123", {"freed": 5_000_000})
    assert "5.0 MB" in lazulite("environment", "cache", "-o", "table").out
    code, out, err = lazulite("environment", "prune", "abc", "--yes")
    assert (code, json.loads(out), err) == (0, {"freed": 5_000_000}, "freed 5.0 MB\n")
    assert lazulite("environment", "prune", "zzz", "--yes").code == 3


def test_configure_sets_and_explains_the_default(
    fake: Fake, lazulite: Lazulite, monkeypatch: pytest.MonkeyPatch
) -> None:
    del fake
    monkeypatch.delenv("LAZULITE_WORKSPACE")
    code, out, _ = lazulite("configure", "--defaults", "workspace=mine", "location=here")
    found = {row["name"]: row for row in json.loads(out)}
    assert (code, found["workspace"]["value"]) == (0, "mine")
    assert found["workspace"]["source"].endswith("defaults.json")
    assert lazulite("configure", "--defaults", "colour=red").code == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_both_names(shell: str, lazulite: Lazulite) -> None:
    out = lazulite("completion", shell).out
    assert "_LAZULITE_COMPLETE" in out
    assert "_LZ_COMPLETE" in out


def test_options_beat_every_other_source(fake: Fake, lazulite: Lazulite) -> None:
    fake.on("GET", ".*/resourceGroups/g2/.*/workspaces/w2/computes", {"value": []})
    assert lazulite("compute", "list", "-g", "g2", "-w", "w2").code == 0
    assert fake.requests[0].token == TOKEN
