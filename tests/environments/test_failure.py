"""What uv says, for people."""

from __future__ import annotations

import pytest

from lazulite.domain.errors import InvalidInput, LazuliteError, Unavailable
from lazulite.environments.failure import Failed, explain, guilty, progress_of


def failed(*tail: str, requirements: tuple[str, ...] = ("six==99", "numpy<2")) -> LazuliteError:
    return explain(Failed(name="e:1", requirements=requirements, python="3.11.7", tail=tail))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Resolved 6 packages in 82ms", "resolved 6 packages"),
        ("Downloading numpy (17.4MiB)", "downloading numpy (17.4MiB)"),
        ("   Building slow @ file:///x", "building slow"),
        ("Installed 12 packages in 3s", "installed 12 packages in 3s"),
        ("Bytecode compiled 11 files in 68ms", "compiled 11 files in 68ms"),
        (" + six==1.17.0", None),
        ("warning: x", None),
    ],
)
def test_progress_is_what_a_person_wants_to_know(line: str, words: str | None) -> None:
    assert progress_of(line) == words


def test_a_version_that_does_not_exist() -> None:
    error = failed(
        "Using Python 3.11.7",
        "error: No solution found when resolving dependencies",
        "  cause: Because there is no version of six==99 and you require six==99, we can conclude "
        "that your requirements are unsatisfiable.",
    )
    assert isinstance(error, InvalidInput)
    assert error.message == (
        "environment e:1: six==99 cannot be installed on Python 3.11.7: Because there is no "
        "version of six==99 and you require six==99; "
        "ask for a version that exists and runs on this Python"
    )
    assert error.facts["requirement"] == "six==99"


def test_the_words_of_an_older_uv_are_understood_too() -> None:
    error = failed(
        "  \u00d7 No solution found when resolving dependencies:",
        "  \u2570\u2500\u25b6 Because six was not found in the package registry and you require "
        "six==99, we can conclude that your requirements are unsatisfiable.",
    )
    assert error.facts["requirement"] == "six==99"
    assert "check its name" in error.message


def test_a_package_that_does_not_build() -> None:
    error = failed(
        "error: Failed to build `numpy==1.16.0`",
        "  cause: The build backend returned an error",
        "  cause: Call to `setuptools.build_meta` failed (exit status: 1)",
    )
    assert error.facts["requirement"] == "numpy<2"
    assert "has a wheel" in error.message


def test_of_a_packages_own_traceback_the_last_line_is_said() -> None:
    error = failed(
        "error: Failed to build `numpy==1.16.0`",
        "  cause: The build backend returned an error",
        "",
        "         [stderr]",
        "         Traceback (most recent call last):",
        '           File "<string>", line 8, in <module>',
        "         ModuleNotFoundError: No module named 'distutils'",
        "",
        "hint: `distutils` was removed from the standard library",
    )
    assert "returned an error ModuleNotFoundError: No module named 'distutils'; " in error.message
    assert "Traceback" not in error.message


def test_a_full_disk_is_the_machines_fault() -> None:
    error = failed("error: Failed to install: x", "  cause: No space left on device (os error 28)")
    assert isinstance(error, Unavailable)


def test_a_silent_index_is_the_networks_fault() -> None:
    error = failed(
        "error: Request failed after 3 retries in 9.0s",
        "  cause: Failed to fetch: http://127.0.0.1:9/simple/six/",
        "  cause: Connection refused (os error 111)",
    )
    assert isinstance(error, Unavailable)
    assert "UV_INDEX_URL" in error.message


def test_an_error_carries_the_last_lines_of_the_log() -> None:
    error = failed(*[f"line {n}" for n in range(100)])
    lines = str(error.facts["log_tail"]).splitlines()
    assert (len(lines), lines[-1]) == (20, "line 99")


def test_a_reason_of_many_words_is_cut() -> None:
    assert len(failed("error: " + "word " * 1000).message) < 1000


@pytest.mark.parametrize(
    ("reason", "requirement"),
    [
        ("scikit_learn was not found", "scikit-learn"),
        ("Because numpy-financial has no wheel", None),
        ("Because requests==2 depends on numpy and numpy<2", "numpy<2"),
        ("nothing", None),
    ],
)
def test_the_guilty_requirement_is_the_first_named(reason: str, requirement: str | None) -> None:
    assert guilty(reason, ["numpy<2", "scikit-learn"]) == requirement
