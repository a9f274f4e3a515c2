"""Credentials never reach a log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazulite.environments.secrets import mask


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("--index-url https://me:pw@host/simple", "--index-url https://***@host/simple"),
        ("`https://token@host/x`", "`https://***@host/x`"),
        ("git+ssh://git@host/x", "git+ssh://***@host/x"),
        ("https://host/x?a=1&sig=abc%3D&b=2", "https://host/x?a=1&sig=***&b=2"),
        ("https://host/x?token=abc", "https://host/x?token=***"),
        ("https://host/a@b", "https://host/a@b"),
        ("six==1.0 # me@example.com", "six==1.0 # me@example.com"),
    ],
)
def test_credentials_of_urls_are_hidden(text: str, masked: str) -> None:
    assert mask(text) == masked


@given(st.text(alphabet=st.characters(codec="ascii", categories=["L", "N"]), min_size=8))
def test_no_password_survives(password: str) -> None:
    secret = f"s3cr3t{password}"
    assert secret not in mask(f"Failed to fetch: https://user:{secret}@host/simple/six/")
