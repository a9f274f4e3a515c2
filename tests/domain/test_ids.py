"""Every spelling of a name is read, and what could climb out of its place is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazulite.domain.errors import InvalidInput
from lazulite.domain.ids import (
    MAX_NAME,
    AssetRef,
    JobOutputRef,
    StoragePath,
    WorkspaceId,
    check_name,
    clean_path,
    last_segment,
    parse_asset,
    parse_storage,
    split_arm,
)

names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._\-]{0,30}", fullmatch=True)
workspaces = st.builds(WorkspaceId, names, names, names)
paths = st.lists(st.from_regex(r"[A-Za-z0-9 %=_\-]{1,10}", fullmatch=True), max_size=4).map(
    "/".join
)
KINDS = ["data", "codes", "components", "environments", "models"]


@given(workspaces, names, st.booleans(), st.booleans())
def test_an_arm_id_comes_apart_again_in_any_case(
    ids: WorkspaceId,
    name: str,
    shouts: bool,
    prefixed: bool,
) -> None:
    arm = f"{ids.arm}/jobs/{name}"
    text = arm.replace("resourceGroups", "RESOURCEGROUPS") if shouts else arm
    found, rest = split_arm(f"azureml:{text}" if prefixed else text)
    assert (found, rest) == (ids, f"jobs/{name}")
    assert last_segment(arm) == name


@given(workspaces)
def test_the_id_of_a_workspace_has_no_rest_and_a_key_without_case(ids: WorkspaceId) -> None:
    assert split_arm(ids.arm) == (ids, "")
    assert WorkspaceId(*map(str.upper, ids)).key == WorkspaceId(*map(str.lower, ids)).key


@given(workspaces, names, names, st.sampled_from(KINDS), st.sampled_from(["versions", "labels"]))
def test_every_spelling_of_an_asset_is_the_same_reference(
    ids: WorkspaceId, name: str, which: str, kind: str, how: str
) -> None:
    version, label = (which, None) if how == "versions" else (None, which)
    rest = f"{kind}/{name}/{how}/{which}"
    scope = f"subscriptions/{ids.subscription}/resourcegroups/{ids.resource_group}"
    spellings = [
        f"{ids.arm}/{rest}",
        f"azureml:{ids.arm}/{rest}",
        f"azureml:/{ids.arm}/{rest}",
        f"azureml://{scope}/workspaces/{ids.name}/{rest}",
        f"azureml://locations/local/workspaces/{ids.name}/{rest}",
    ]
    mark = ":" if version else "@"
    spellings += [f"{name}{mark}{which}", f"azureml:{name}{mark}{which}"]
    for text in spellings:
        assert parse_asset(text, kind) == AssetRef(name, version, label)
    registry = parse_asset(f"azureml://registries/r/{rest}", kind)
    assert registry == AssetRef(name, version, label, "r")


@given(names, names)
def test_a_reference_reads_back_what_it_writes(name: str, which: str) -> None:
    for ref in (AssetRef(name, which), AssetRef(name, None, which)):
        assert parse_asset(str(ref), "data") == ref
    assert str(AssetRef(name, which, None, "reg")) == f"reg/{name}:{which}"


def test_a_bare_name_means_the_latest() -> None:
    latest = AssetRef("iris", None, "latest")
    arm = WorkspaceId("s", "g", "w").arm
    assert parse_asset("iris", "data") == latest
    assert parse_asset(f"{arm}/data/iris", "data") == latest
    assert parse_asset("azureml://registries/r/data/iris", "data") == latest._replace(registry="r")


@pytest.mark.parametrize(
    "text",
    ["", "azureml:", ":1", "@latest", "iris:", "iris@", "a//b", "azureml://nowhere/iris"],
)
def test_what_names_no_asset_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="does not name an asset"):
        parse_asset(text, "data")


def test_an_asset_of_another_kind_or_half_an_id_is_refused() -> None:
    arm = WorkspaceId("s", "g", "w").arm
    with pytest.raises(InvalidInput, match="one of 'codes', but one of 'data'"):
        parse_asset(f"{arm}/codes/x/versions/1", "data")
    with pytest.raises(InvalidInput, match="one of 'models'"):
        parse_asset("azureml://registries/r/models/x", "data")
    with pytest.raises(InvalidInput, match="does not name a version"):
        parse_asset(f"{arm}/data/x/versions", "data")
    with pytest.raises(InvalidInput, match="not the ARM id"):
        split_arm("/subscriptions/x")


@given(workspaces, names, paths)
def test_every_spelling_of_a_place_is_the_same_place(
    ids: WorkspaceId, store: str, path: str
) -> None:
    rest = f"datastores/{store}/paths/{path}"
    wanted = StoragePath(store, path)
    scope = f"subscriptions/{ids.subscription}/resourcegroups/{ids.resource_group}"
    for text in (
        f"azureml://{rest}",
        f"AzureML://{rest}",
        f"azureml://{scope}/workspaces/{ids.name}/{rest}",
        f"azureml://{scope}/providers/Microsoft.MachineLearningServices/workspaces/{ids.name}/{rest}",
        str(wanted),
    ):
        assert parse_storage(text) == wanted


@given(names, names, paths)
def test_a_jobs_output_is_read_with_and_without_a_path(job: str, output: str, path: str) -> None:
    text = f"azureml://jobs/{job}/outputs/{output}"
    assert parse_storage(text) == JobOutputRef(job, output, "")
    assert parse_storage(f"{text}/paths/{path}") == JobOutputRef(job, output, path)


@pytest.mark.parametrize(
    "text", ["iris:1", "https://h/x", "azureml://datastores/x", "azureml://a/b/c"]
)
def test_what_is_no_place_is_none(text: str) -> None:
    assert parse_storage(text) is None


@pytest.mark.parametrize("path", ["..", "../x", "a/../b", "a/..", "a\0b", "a\\b"])
def test_a_path_that_leaves_its_datastore_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput, match="leaves its datastore"):
        clean_path(path)
    with pytest.raises(InvalidInput):
        parse_storage(f"azureml://datastores/d/paths/{path}")


def test_a_path_loses_its_leading_slashes_only() -> None:
    assert clean_path("//a/..b/ü ") == "a/..b/ü "


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "a\0", "a b", "ü", "-a", ".a", "a\n", "\u0661"]
)
def test_a_name_that_is_no_path_segment_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="is not valid") as caught:
        check_name(name, "data")
    assert caught.value.path == "name"


def test_a_name_of_300_characters_is_too_long() -> None:
    assert check_name("x" * MAX_NAME, "data")
    with pytest.raises(InvalidInput, match="300 characters"):
        check_name("x" * 300, "data", path="properties.name")


@given(names)
def test_a_good_name_stays_as_it_is(name: str) -> None:
    assert check_name(name, "data") == name


@given(st.text())
def test_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    for read in (
        lambda: parse_asset(text, "data"),
        lambda: parse_storage(text),
        lambda: split_arm(text),
    ):
        try:
            read()
        except InvalidInput as error:
            assert error.message  # noqa: PT017 - either outcome is right
