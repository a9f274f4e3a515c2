"""`lazulite env`, on a home that looks as if its server ran."""

import fcntl
import json
import os
from pathlib import Path

from tests.cli.conftest import Lazulite
from tests.client.fake import TOKEN, Fake


def test_env_prints_what_connects_unchanged_scripts(
    tmp_path: Path, fake: Fake, lazulite: Lazulite
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    https = "https://127.0.0.1:5443"
    about = {"pid": os.getpid(), "http": fake.url, "https": https, "version": "1", "started": "x"}
    (home / "server.json").write_text(json.dumps(about))
    (home / "token").write_text(TOKEN)
    fake.arm("GET", "", {"properties": {"mlFlowTrackingUri": "http://m"}})
    with (home / "server.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        out = lazulite("env", "-o", "json").out
        lines = lazulite("env").out
    found = json.loads(out)
    assert found["REGISTRY_DISCOVERY_ENDPOINT_URL"] == f"{https}/"
    assert found["ARM_CLOUD_METADATA_URL"] == f"{https}/metadata/endpoints"
    assert found["IDENTITY_HEADER"] == found["MLFLOW_TRACKING_TOKEN"] == TOKEN
    assert found["MLFLOW_TRACKING_URI"] == "http://m"
    assert "export AZUREML_CURRENT_CLOUD=lazulite\n" in lines
