"""The plugin azureml-mlflow, as it is published, on a live server by `azureml://`.

It asks for an older MLflow than ours, so that it gets virtual environments of its own.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uv

from tests.wire.live import SCOPE, Live

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SESSION = Path(__file__).with_name("azureml_session.py")
PLUGIN = ("azureml-mlflow==1.62.0.post6", "numpy", "pandas", "setuptools")
_UNREACHED = re.compile(r"error sending request|dns error|Could not connect|offline", re.IGNORECASE)


def python_with(folder: Path, mlflow: str) -> Path:
    """Make a virtual environment with the plugin and an MLflow; skip where there is no registry."""
    program = uv.find_uv_bin()
    subprocess.run([program, "venv", "-q", "--python", sys.executable, folder], check=True)
    (folder / "override.txt").write_text(mlflow)
    command = [program, "pip", "install", "-q", "--python", folder / "bin" / "python"]
    asked = [*command, "--override", folder / "override.txt", *PLUGIN]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode and _UNREACHED.search(done.stderr):
        pytest.skip(f"no package registry is reached for {PLUGIN[0]}")
    assert done.returncode == 0, done.stderr
    return folder / "bin" / "python"


@pytest.mark.parametrize("version", ["mlflow-skinny<3", "mlflow-skinny<=3.15", "mlflow-skinny"])
def test_a_session_by_the_plugin(server: Live, tmp_path: Path, version: str) -> None:
    python = python_with(tmp_path / "venv", version)
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "ARM_CLOUD_METADATA_URL": f"{server.https}/metadata/endpoints",
        "AZUREML_CURRENT_CLOUD": "lazulite",
        "IDENTITY_ENDPOINT": f"{server.https}/msi/token",
        "IDENTITY_HEADER": server.tokens.owner,
        "REQUESTS_CA_BUNDLE": str(server.home / "tls" / "bundle.pem"),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    }
    uri = f"azureml://{urlsplit(server.https).netloc}/mlflow/v1.0{SCOPE}"
    command = [python, "-W", "ignore", SESSION, uri]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.stdout.endswith("all of it works\n"), done.stderr[-3000:]
