"""What follows `mlflow-artifacts:/`."""

from __future__ import annotations

import pytest

from lazulite.services.artifact_paths import ArtifactPath, parse_path


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("1/abc/artifacts/a/b.txt", ArtifactPath("run", "abc", "a/b.txt")),
        ("1/models/m-1/artifacts", ArtifactPath("model", "m-1", "")),
        ("1/traces/tr-1/artifacts/x", ArtifactPath("trace", "tr-1", "x")),
        ("registered/iris:2/artifacts/MLmodel", ArtifactPath("version", "iris:2", "MLmodel")),
    ],
)
def test_a_path_says_whose_it_is(path: str, found: ArtifactPath) -> None:
    assert parse_path(path) == found


def test_the_name_of_a_registered_model_is_percent_encoded() -> None:
    found = parse_path("registered/r%C3%A4d %25 %231:2/artifacts/MLmodel")
    assert found == ArtifactPath("version", "räd % #1:2", "MLmodel")
