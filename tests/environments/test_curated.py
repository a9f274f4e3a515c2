"""The curated environments that are packaged."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from lazulite.domain import curated
from lazulite.domain.errors import NotFound, Unsupported
from lazulite.environments.curated import known, lock_text
from lazulite.environments.uv import UvEnvironments
from lazulite.ports.environments import EnvironmentSpec


def pins(name: str) -> dict[str, str]:
    lines = [line.rstrip(" \\") for line in lock_text(name).splitlines() if line[:1].isalpha()]
    found = [Requirement(line) for line in lines]
    return {one.name: str(one.specifier) for one in found}


@pytest.mark.parametrize("name", known())
def test_every_package_is_pinned_with_hashes(name: str) -> None:
    text = lock_text(name)
    assert all(pin.startswith("==") for pin in pins(name).values())
    assert text.count("--hash=sha256:") >= len(pins(name))


@pytest.mark.parametrize("name", known())
def test_a_lock_names_no_address(name: str) -> None:
    assert "://" not in lock_text(name)


def test_sklearn_has_what_scripts_written_for_it_use() -> None:
    found = pins("sklearn-1.5")
    assert found["scikit-learn"].startswith("==1.5.")
    assert found["pandas"].startswith("==1.")  # DataFrame.append
    assert found["numpy"].startswith("==1.")
    assert {"mlflow", "matplotlib", "joblib", "scipy"} <= found.keys()


@pytest.mark.parametrize("name", ["sklearn-1.5", "AzureML-sklearn-1.5", "SKLEARN-1.5"])
def test_a_curated_environment_is_found_by_every_spelling(name: str) -> None:
    assert curated.find(name, label="latest").name == "sklearn-1.5"


def test_what_does_not_run_here_is_refused_with_what_does() -> None:
    with pytest.raises(Unsupported, match=r"acpt-pytorch-2\.8-cuda12\.6.*sklearn-1\.5"):
        curated.find("acpt-pytorch-2.8-cuda12.6")


@pytest.mark.parametrize("asked", [{"version": "33"}, {"label": "stable"}])
def test_another_version_is_not_found_rather_than_replaced(asked: dict[str, str]) -> None:
    with pytest.raises(NotFound, match="labels/latest"):
        curated.find("sklearn-1.5", **asked)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_locked_sklearn_builds_and_tracks(tmp_path: Path) -> None:
    environments = UvEnvironments(tmp_path / "envs")
    spec = EnvironmentSpec(name="sklearn-1.5:1", curated="sklearn-1.5")
    prefix = environments.build(spec, tmp_path / "log.txt", cancel=threading.Event())
    script = (
        "import mlflow, pandas, sklearn.linear_model as models\n"
        "mlflow.set_tracking_uri('file:runs')\n"
        "mlflow.sklearn.autolog()\n"
        "frame = pandas.DataFrame({'x': [1, 2]}).append({'x': 3}, ignore_index=True)\n"
        "models.LinearRegression().fit(frame, [1, 2, 3])\n"
        "print(sorted(mlflow.last_active_run().data.params)[:1])\n"
    )
    ran = subprocess.run(
        [prefix.bin / "python", "-W", "error::DeprecationWarning:__main__", "-c", script],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "['copy_X']"
    assert "known to be compatible" not in ran.stderr
