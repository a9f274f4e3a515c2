"""The pip list of a conda file."""

from __future__ import annotations

import pytest

from lazulite.domain.errors import InvalidInput
from lazulite.environments.pip_lines import PipList

WHERE = "conda_file.dependencies.1.pip.0"


def read(*lines: str) -> PipList:
    pip = PipList()
    for line in lines:
        pip.add(line, WHERE)
    pip.finish()
    return pip


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Six", "six"),
        ("six == 1.17.0  # the last", "six==1.17.0"),
        ("ruamel.yaml>=0.18,<1", "ruamel-yaml<1,>=0.18"),
        ("mltable[fs]", "mltable[fs]"),
        ('six; python_version < "3"', 'six; python_version < "3"'),
        ("six==1 --hash=sha256:aa  --hash=sha256:bb", "six==1 --hash=sha256:aa --hash=sha256:bb"),
        ("six @ https://example.com/six.whl", "six @ https://example.com/six.whl"),
        ("git+https://github.com/a/b@v1#egg=b", "b @ git+https://github.com/a/b@v1"),
        ("https://example.com/six-1-py3-none-any.whl",) * 2,
        ("-e git+https://github.com/a/b#egg=B", "b @ git+https://github.com/a/b"),
    ],
)
def test_a_requirement_is_normalised(line: str, expected: str) -> None:
    assert read(line).requirements == [expected]


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("-i https://a/simple", "--index-url https://a/simple"),
        ("--index-url=https://a/simple", "--index-url https://a/simple"),
        ("--extra-index-url https://a/simple", "--extra-index-url https://a/simple"),
        ("-f https://a/whl", "--find-links https://a/whl"),
        ("--find-links /srv/wheels", "--find-links /srv/wheels"),
        ("--no-index", "--no-index"),
        ("--only-binary :all:", "--only-binary :all:"),
    ],
)
def test_an_index_option_is_passed_on(line: str, option: str) -> None:
    assert read(line).options == [option]


def test_options_that_uv_spells_otherwise_become_its_flags() -> None:
    flags = read("--pre", "--trusted-host mirror.local").flags
    assert flags == ["--prerelease=allow", "--allow-insecure-host=mirror.local"]


@pytest.mark.parametrize(
    "line",
    ["-r requirements.txt", "-c c.txt", "-e .", "--editable ./lib", "./lib", "/srv/x.whl",
     "dist/x-1.0.whl", "file:///srv/x.whl", "x @ file:///srv/x.whl", "--find-links wheels"],
)  # fmt: skip
def test_a_file_of_one_machine_is_refused(line: str) -> None:
    with pytest.raises(InvalidInput, match="does not travel with the conda file") as caught:
        read(line)
    assert caught.value.path == WHERE


@pytest.mark.parametrize("line", ["--no-deps", "--target x", "-z", "--index-url"])
def test_an_option_that_makes_no_sense_is_refused(line: str) -> None:
    with pytest.raises(InvalidInput, match="pip option"):
        read(line)


def test_a_conda_spelling_in_the_pip_list_gets_a_hint() -> None:
    with pytest.raises(InvalidInput, match="pip writes == where conda writes ="):
        read("numpy=1.2")


def test_what_lazulite_stands_in_for_is_dropped_aloud() -> None:
    pip = read("azureml-defaults", "azureml_core==1.5", "azureml-inference-server-http")
    assert pip.requirements == []
    assert [note.split(":")[0] for note in pip.notes] == [
        "azureml-defaults",
        "azureml-core",
        "azureml-inference-server-http",
    ]


def test_azureml_mlflow_leaves_the_mlflow_that_it_would_have_brought() -> None:
    assert read("azureml-mlflow==1.5").requirements == ["mlflow-skinny"]
    assert read("azureml-mlflow", "mlflow==2.9").requirements == ["mlflow==2.9"]


def test_packages_that_do_real_work_are_kept() -> None:
    assert read("azure-ai-ml", "mltable", "azureml-fsspec").requirements == [
        "azure-ai-ml",
        "mltable",
        "azureml-fsspec",
    ]


def test_an_error_shows_no_password() -> None:
    with pytest.raises(InvalidInput) as caught:
        read("--proxy http://me:hunter2@proxy")
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize("line", ["https://h/a.whl\n-r /etc/passwd", "--pre\n-e /x", "six\r-e /x"])
def test_one_item_is_one_line(line: str) -> None:
    with pytest.raises(InvalidInput, match="more than one line"):
        PipList().add(line, "pip.0")
