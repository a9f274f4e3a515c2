"""Where code comes from, without what is secret in it."""

from __future__ import annotations

import pytest

from lazulite.domain.source import REPOSITORY, public_url, source_tags, without_credentials


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.org/a/b.git", "https://example.org/a/b.git"),
        ("https://ann:secret@example.org:8443/a.git", "https://example.org:8443/a.git"),
        ("https://token@example.org/a?sig=x#y", "https://example.org/a"),
        ("ssh://git@example.org/a.git", "ssh://git@example.org/a.git"),
        ("ssh://git:secret@example.org/a.git", "ssh://git@example.org/a.git"),
        ("git@example.org:a/b.git", "git@example.org:a/b.git"),
        ("/srv/git/a.git", "/srv/git/a.git"),
        ("https://[bad/a", "https://[bad/a"),
        ("https://a@b:c@example.org", "https://example.org"),
    ],
)
def test_an_address_is_told_without_its_secrets(url: str, shown: str) -> None:
    assert public_url(url) == shown
    assert without_credentials({REPOSITORY: url, "a": "b"}) == {REPOSITORY: shown, "a": "b"}


def test_what_is_no_text_is_left_to_those_who_check() -> None:
    assert without_credentials({REPOSITORY: 1}) == {REPOSITORY: 1}
    assert without_credentials({"a": 1}) == {"a": 1}


def test_properties_of_mlflow_are_tags() -> None:
    assert source_tags({"mlflow.source.git.branch": "b", "azureml.x": "y"}) == {
        "mlflow.source.git.branch": "b"
    }
