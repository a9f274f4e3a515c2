"""Conda files become a Python version and requirements."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from lazulite.domain.errors import InvalidInput, Unsupported
from lazulite.environments.conda import MAX_CHARACTERS, CondaFile, read_conda

versions = st.lists(st.integers(0, 99), min_size=1, max_size=4).map(
    lambda parts: ".".join(map(str, parts))
)


def one(dependency: str) -> CondaFile:
    return read_conda(f"dependencies:\n- {dependency!r}\n")


def requirement(dependency: str) -> str:
    [found] = one(dependency).pip.requirements
    return found


@pytest.mark.parametrize(
    ("dependency", "expected"),
    [
        ("numpy", "numpy"),
        ("numpy=1.21", "numpy==1.21.*"),
        ("numpy=1.21.*", "numpy==1.21.*"),
        ("numpy=1.21*", "numpy==1.21.*"),
        ("numpy==1.21.2", "numpy==1.21.2"),
        ("numpy == 1.21.2", "numpy==1.21.2"),
        ("numpy 1.21.2", "numpy==1.21.2"),
        ("numpy 1.21.*", "numpy==1.21.*"),
        ("numpy>=1.21", "numpy>=1.21"),
        ("numpy>=1.21,<2", "numpy<2,>=1.21"),
        ("numpy >=1.21, <2.0a0", "numpy<2.0a0,>=1.21"),
        ("numpy!=1.21.*", "numpy!=1.21.*"),
        ("numpy~=1.21", "numpy~=1.21"),
        ("numpy=*", "numpy"),
        ("numpy[version='>=1.21,<2']", "numpy<2,>=1.21"),
        ("conda-forge::numpy=1.21", "numpy==1.21.*"),
        ("conda-forge/label/dev::numpy", "numpy"),
        ("numpy=1.21.2=py38_0", "numpy==1.21.2.*"),
        ("numpy==1.21.2=py38h_0", "numpy==1.21.2"),
        ("numpy 1.21.2 py38_0", "numpy==1.21.2"),
        ("pytorch=2.1", "torch==2.1.*"),
        ("pytorch::pytorch", "torch"),
        ("Scikit_Learn", "scikit-learn"),
        ("scikit-learn=1.5", "scikit-learn==1.5.*"),
        ("opencv", "opencv-python"),
        ("pip=20.2.4", "pip==20.2.4.*"),
    ],
)
def test_a_conda_package_becomes_a_requirement(dependency: str, expected: str) -> None:
    assert requirement(dependency) == expected


@given(versions)
def test_one_equals_sign_means_the_version_and_what_begins_with_it(version: str) -> None:
    specifier = Requirement(requirement(f"numpy={version}")).specifier
    assert specifier.contains(version)
    assert specifier.contains(f"{version}.1")


@given(versions)
def test_two_equals_signs_mean_that_version_alone(version: str) -> None:
    specifier = Requirement(requirement(f"numpy=={version}")).specifier
    assert specifier.contains(version)
    assert not specifier.contains(f"{version}.1")


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for document in (text, f"dependencies:\n- {text}\n", f"dependencies: [{{pip: [{text}]}}]"):
        with contextlib.suppress(InvalidInput):
            read_conda(document)


@given(st.text(alphabet="numpy=<>!~,|*[]:' 0123456789.", max_size=30))
def test_any_dependency_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        one(text)


@pytest.mark.parametrize(
    ("dependency", "python"),
    [
        ("python=3.11", "==3.11.*"),
        ("python=3.11.5", "==3.11.5.*"),
        ("python==3.11.5", "==3.11.5"),
        ("python==3.8", "==3.8.*"),
        ("python 3.8", "==3.8.*"),
        ("python>=3.8,<3.11", ">=3.8,<3.11"),
        ("python=3.8=h12debd9_0", "==3.8.*"),
        ("python", None),
    ],
)
def test_python_is_a_pin_and_not_a_package(dependency: str, python: str | None) -> None:
    conda = one(dependency)
    assert (conda.python, conda.pip.requirements) == (python, [])


def test_what_is_not_taken_as_written_is_noted() -> None:
    conda = read_conda(
        "channels: [conda-forge]\nextra: 1\ndependencies: [numpy=1.2=py38_0, openssl=1.1]\n"
    )
    assert [note.split(":")[0] for note in conda.notes] == [
        "extra",
        "channels",
        "build 'py38_0' of version '=1.2'",
        "openssl=1.1",
    ]


def test_variables_are_kept_as_text() -> None:
    assert read_conda("variables: {A: 1, B: x}").variables == {"A": "1", "B": "x"}


def test_cpuonly_chooses_the_build_of_torch() -> None:
    assert one("cpuonly").pip.flags == ["--torch-backend=cpu"]
    assert one("pytorch-cuda=12.1").pip.flags == ["--torch-backend=cu121"]


@pytest.mark.parametrize("text", ["", "dependencies:", "dependencies: []", "name: x"])
def test_an_empty_file_asks_for_nothing(text: str) -> None:
    conda = read_conda(text)
    assert (conda.python, conda.pip.requirements) == (None, [])


@pytest.mark.parametrize("name", ["git", "openjdk", "r-base", "r-ggplot2", "nodejs=18"])
def test_a_program_is_refused_and_not_looked_up_by_its_name(name: str) -> None:
    with pytest.raises(Unsupported, match="install it on this machine"):
        one(name)


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("- a\n- b", "conda_file", "not a mapping"),
        ("a: [", "conda_file", "not YAML"),
        ("dependencies: numpy", "conda_file.dependencies", "not a list"),
        ("dependencies: [3.8]", "conda_file.dependencies.0", "neither a package"),
        ("dependencies: [{npm: [x]}]", "conda_file.dependencies.0", "neither a package"),
        ("dependencies: [{pip: x}]", "conda_file.dependencies.0.pip", "not a list"),
        ("dependencies: [{pip: [1]}]", "conda_file.dependencies.0.pip.0", "quotes"),
        ("dependencies: [a, 'numpy=1|2']", "conda_file.dependencies.1", "choose one"),
        ("dependencies: ['numpy=1.x.y']", "conda_file.dependencies.0", "not valid"),
        ("variables: [a]", "conda_file.variables", "not a mapping"),
    ],
)
def test_a_wrong_entry_is_named(text: str, path: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as caught:
        read_conda(text)
    assert caught.value.path == path


def test_a_huge_file_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(InvalidInput, match="at most"):
        read_conda("#" * (MAX_CHARACTERS + 1))


@pytest.mark.parametrize(
    "place",
    ["dependencies: [*h]", "dependencies: [{pip: [*h]}]", "variables: {A: *h}", "channels: *h"],
)
def test_aliases_within_aliases_cost_nothing(place: str) -> None:
    letters = "abcdefgh"
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{this}: &{this} [{', '.join([f'*{before}'] * 9)}]\n"
        for before, this in itertools.pairwise(letters)
    )
    with contextlib.suppress(InvalidInput):
        read_conda(f"{bomb}{place}")
