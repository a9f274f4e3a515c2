"""`lazulite.connect()` itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import jwt
import pytest

from lazulite.client.connect import ServerCredential, Target, connect, find_target
from lazulite.config import read_settings
from lazulite.domain.errors import InvalidInput, Unauthenticated, Unavailable
from tests.wire.live import Live
from tests.wire.sdk import SDK

pytestmark = SDK


def target(server: Live, token: str | None = None) -> Target:
    bundle = server.home / "tls" / "bundle.pem"
    return Target(url=server.https, token=token or server.tokens.owner, bundle=bundle)


def test_the_names_of_the_workspace_may_be_given(pointed: None) -> None:
    client = connect(subscription="s", resource_group="g", workspace="w")
    assert (client.subscription_id, client.resource_group_name) == ("s", "g")
    assert client.workspace_name == "w"


def test_tokens_are_for_the_asked_resource_and_kept(sdk: None, server: Live) -> None:
    credential = ServerCredential(target(server))
    token = credential.get_token("https://x/.default").token
    assert jwt.decode(token, options={"verify_signature": False})["aud"] == "https://x"
    assert credential.get_token("https://x/.default").token == token
    assert credential.get_token().token != token


def test_a_wrong_token_is_said_to_be_refused(sdk: None, server: Live) -> None:
    with pytest.raises(Unauthenticated, match="refused the token"):
        ServerCredential(target(server, "wrong")).get_token("x")


def test_a_server_that_is_gone_is_said_to_be(sdk: None, server: Live) -> None:
    gone = Target(url="https://127.0.0.1:1", token="t", bundle=target(server).bundle)
    with pytest.raises(Unavailable, match="does not answer"):
        ServerCredential(gone).get_token("x")


def test_a_plain_url_is_refused_as_the_sdk_would(tmp_path: Path) -> None:
    settings = read_settings({"LAZULITE_HOME": str(tmp_path)})
    environ = {"LAZULITE_URL": "http://elsewhere", "LAZULITE_TOKEN": "t"}
    with pytest.raises(InvalidInput, match="insists on TLS"):
        find_target(settings, environ)


def test_roots_that_were_trusted_before_stay_so(tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir()
    ours, theirs = tmp_path / "ours.pem", tmp_path / "theirs.pem"
    ours.write_text("OURS\n")
    theirs.write_text("THEIRS\n")
    environ = {
        "LAZULITE_URL": "https://elsewhere",
        "LAZULITE_TOKEN": "t",
        "LAZULITE_CA_BUNDLE": str(ours),
        "REQUESTS_CA_BUNDLE": str(theirs),
    }
    settings = read_settings({"LAZULITE_HOME": str(tmp_path)})
    first = find_target(settings, environ).bundle
    assert first.read_text().split() == ["OURS", "THEIRS"]
    again = find_target(settings, environ | {"REQUESTS_CA_BUNDLE": str(first)}).bundle
    assert again == first


def test_a_real_certificate_needs_no_bundle(tmp_path: Path) -> None:
    settings = read_settings({"LAZULITE_HOME": str(tmp_path)})
    environ = {"LAZULITE_URL": "https://elsewhere", "LAZULITE_TOKEN": "t"}
    assert find_target(settings, environ).bundle.name == "cacert.pem"


def test_the_running_server_of_a_home_is_found(engine: Any, worker: Any) -> None:
    assert worker.workspace_name == "default"
    assert os.environ["REQUESTS_CA_BUNDLE"] == str(engine.home / "tls" / "bundle.pem")
