"""What is built for a specification, and the key it gets."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazulite.domain.errors import InvalidInput, NotFound, Unsupported
from lazulite.environments.host import Host
from lazulite.environments.recipe import key_of, read_spec
from lazulite.ports.environments import EnvironmentSpec

HOST = Host(
    python=Path("/usr/bin/python3.12"), version="3.12.4", platform="linux-x86_64", environ={}
)


def spec(**fields: object) -> EnvironmentSpec:
    return msgspec.convert({"name": "e:1", **fields}, EnvironmentSpec)


def key(host: Host = HOST, **fields: object) -> str:
    return key_of(read_spec(spec(**fields), host), host)


def conda(*requirements: str) -> str:
    return msgspec.json.encode({"dependencies": [{"pip": requirements}]}).decode()


@given(st.permutations(["numpy<2", "pandas", "six==1.17"]))
def test_the_order_of_requirements_does_not_matter(order: list[str]) -> None:
    assert key(conda=conda(*order)) == key(conda=conda("six==1.17", "pandas", "numpy<2"))


def test_spelling_does_not_matter() -> None:
    assert key(conda=conda("Scikit_Learn >= 1.0")) == key(conda=conda("scikit-learn>=1.0"))


@pytest.mark.parametrize(
    "other",
    [
        {"conda": conda("six")},
        {"conda": conda("six==2", "--pre")},
        {"conda": conda("six==2", "--index-url https://a/simple")},
        {"conda": conda("six==2"), "image": "python:3.11"},
        {"conda": conda("six==2"), "variables": {"A": "1"}},
        {"curated": "sklearn-1.5"},
        {},
    ],
)
def test_what_decides_the_result_decides_the_key(other: dict[str, object]) -> None:
    assert key(**other) != key(conda=conda("six==2"))


def test_the_platform_and_the_users_resolution_are_in_the_key() -> None:
    fields = {"python": HOST.python, "version": HOST.version, "platform": "macosx-14-arm64"}
    assert key(Host(environ={}, **fields), conda=conda("six")) != key(conda=conda("six"))
    lowest = Host(
        python=HOST.python,
        version=HOST.version,
        platform=HOST.platform,
        environ={"UV_RESOLUTION": "lowest"},
    )
    assert key(lowest, conda=conda("six")) != key(conda=conda("six"))
    assert key(lowest) == key()


def test_a_relaxed_python_has_a_key_of_its_own_only_where_it_could_matter() -> None:
    relaxed = Host(
        python=HOST.python,
        version=HOST.version,
        platform=HOST.platform,
        environ={"LAZULITE_RELAX_PYTHON": "1"},
    )
    assert key(relaxed, image="python:3.8") != key(image="python:3.8")
    assert key(relaxed, image="python:3.12") == key(image="python:3.12")


def test_the_conda_file_wins_over_the_image() -> None:
    recipe = read_spec(spec(image="python:3.10", conda="dependencies: [python=3.9]"), HOST)
    assert recipe.python == "==3.9.*"
    assert read_spec(spec(image="python:3.10", conda=conda("six")), HOST).python == "==3.10.*"


def test_without_a_pin_python_is_the_one_that_runs_lazulite() -> None:
    assert read_spec(spec(conda=conda("six")), HOST).python == "==3.12.*"


def test_every_spelling_of_a_curated_environment_is_the_same() -> None:
    keys = {
        key(curated="sklearn-1.5"),
        key(curated="AzureML-sklearn-1.5"),
        key(image="mcr.microsoft.com/azureml/curated/sklearn-1.5:12"),
    }
    assert len(keys) == 1


def test_a_curated_environment_beside_a_conda_file_gives_its_python_and_says_so() -> None:
    recipe = read_spec(spec(curated="sklearn-1.5", conda=conda("six")), HOST)
    assert (recipe.curated, recipe.python) == (None, "==3.11.*")
    assert recipe.notes == ("curated sklearn-1.5: only its Python counts beside a conda file",)


def test_another_curated_environment_is_refused_with_the_names_of_those_that_run() -> None:
    with pytest.raises(Unsupported, match=r"tensorflow-2\.16-cuda12.*lightgbm-3\.3, sklearn-1\.5"):
        read_spec(spec(curated="tensorflow-2.16-cuda12"), HOST)


def test_a_build_context_is_refused() -> None:
    with pytest.raises(Unsupported, match=r"e:1: a Docker build context .* conda_file"):
        read_spec(spec(build=True), HOST)


def test_an_error_begins_with_the_name_and_keeps_the_path() -> None:
    with pytest.raises(InvalidInput, match=r"^environment e:1: ") as caught:
        read_spec(spec(conda=conda("-r x.txt")), HOST)
    assert caught.value.path == "conda_file.dependencies.0.pip.0"


def test_a_python_version_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"write python=3\.11"):
        read_spec(spec(conda="dependencies: [python=foo]"), HOST)


def test_extra_indexes_are_searched_as_pip_does_unless_the_user_says_otherwise() -> None:
    text = conda("six", "--extra-index-url https://a/simple")
    assert read_spec(spec(conda=text), HOST).flags == ("--index-strategy=unsafe-best-match",)
    strict = Host(
        python=HOST.python,
        version=HOST.version,
        platform=HOST.platform,
        environ={"UV_INDEX_STRATEGY": "first-index"},
    )
    assert read_spec(spec(conda=text), strict).flags == ()


def test_variables_of_the_environment_win_over_those_of_the_conda_file() -> None:
    text = "variables: {A: conda, B: conda}"
    recipe = read_spec(spec(conda=text, variables={"A": "azure"}), HOST)
    assert dict(recipe.variables) == {"A": "azure", "B": "conda"}


def test_an_unknown_version_of_a_curated_environment_is_not_found() -> None:
    from lazulite.domain.curated import find

    with pytest.raises(NotFound, match="labels/latest"):
        find("sklearn-1.5", version="33")
