"""Tokens: who gets in, with what, for how long."""

from __future__ import annotations

import base64
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from lazulite.domain.access import Action, Role
from lazulite.domain.errors import Denied, Unauthenticated
from lazulite.domain.ids import WorkspaceId
from lazulite.wire.auth import Tokens, check_signed, open_tokens
from tests.wire.live import Live

WORKSPACE = WorkspaceId("S", "g", "w")


class Clock:
    """A time that tests set."""

    def __init__(self, offset: timedelta = timedelta()) -> None:
        self.offset = offset

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(owner="secret", key=b"k" * 32, clock=Clock())


def test_the_owner_is_known_by_bearer_and_by_password(tokens: Tokens) -> None:
    basic = base64.b64encode(b"anyone:secret").decode()
    for header in ("Bearer secret", "bearer  secret", f"Basic {basic}"):
        assert tokens.identify(header, None, "/").principal.role is Role.OWNER


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic !!!", "Basic", "Digest x", "secret"],
)
def test_nobody_else_gets_in(tokens: Tokens, header: str | None) -> None:
    with pytest.raises(Unauthenticated):
        tokens.identify(header, None, "/")


def test_the_owners_token_buys_a_jwt_for_a_resource(tokens: Tokens) -> None:
    token, expires = tokens.exchange("secret", "https://host")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["aud"], claims["exp"]) == ("https://host", expires)
    assert {"tid", "oid"} <= claims.keys()
    assert tokens.identify(f"Bearer {token}", None, "/").principal.role is Role.OWNER


def test_a_jobs_token_is_bound_to_its_run_and_workspace(tokens: Tokens) -> None:
    caller = tokens.identify(f"Bearer {tokens.mint_job(WORKSPACE, 'run1', 7)}", None, "/")
    assert (caller.principal.role, caller.principal.run) == (Role.JOB, "run1")
    assert (caller.principal.workspace, caller.job) == (WORKSPACE.key, 7)


def test_a_jobs_token_buys_no_more_than_it_is(tokens: Tokens) -> None:
    bought, _ = tokens.exchange(tokens.mint_job(WORKSPACE, "run1", 7), "https://host")
    caller = tokens.identify(f"Bearer {bought}", None, "/")
    assert (caller.principal.role, caller.job) == (Role.JOB, 7)


def test_a_token_of_another_key_or_none_is_refused(tokens: Tokens) -> None:
    other = Tokens(owner="x", key=b"o" * 32, clock=Clock())
    forged = jwt.encode({"role": "owner", "iss": "lazulite", "exp": 9**10}, None, "none")
    for token in (other.exchange("x", "r")[0], forged):
        with pytest.raises(Unauthenticated, match="not valid here"):
            tokens.identify(f"Bearer {token}", None, "/")


def test_an_old_token_is_said_to_have_expired() -> None:
    old = Tokens(owner="secret", key=b"k" * 32, clock=Clock(timedelta(days=-3)))
    token, _ = old.exchange("secret", "r")
    with pytest.raises(Unauthenticated, match="expired"):
        old.identify(f"Bearer {token}", None, "/")


def signature(url: str) -> str:
    return parse_qs(urlsplit(url).query)["sig"][0]


def test_a_signed_url_opens_its_path_and_below_for_reading(tokens: Tokens) -> None:
    sig = signature(tokens.sign_url("https://h", "/azureblob/1/s/store/a b"))
    for path in ("/azureblob/1/s/store/a b", "/azureblob/1/s/store/a b/c"):
        caller = tokens.identify(None, sig, path)
        check_signed(caller, Action.READ)
        with pytest.raises(Denied, match="does not allow to write"):
            check_signed(caller, Action.WRITE)


def test_a_url_signed_for_writing_does_no_more(tokens: Tokens) -> None:
    caller = tokens.identify(None, signature(tokens.sign_url("", "/a", write=True)), "/a/b")
    check_signed(caller, Action.WRITE)
    with pytest.raises(Denied):
        check_signed(caller, Action.SECRETS)


@pytest.mark.parametrize("path", ["/a/bc", "/a", "/A/b", "/a/b/../c", "/x/a/b"])
def test_a_signed_url_opens_nothing_else(tokens: Tokens, path: str) -> None:
    with pytest.raises(Unauthenticated, match="another URL"):
        tokens.identify(None, signature(tokens.sign_url("", "/a/b")), path)


def test_a_signature_is_no_token_and_a_token_no_signature(tokens: Tokens) -> None:
    sig = signature(tokens.sign_url("", "/a"))
    with pytest.raises(Unauthenticated):
        tokens.identify(f"Bearer {sig}", None, "/a")
    with pytest.raises(Unauthenticated):
        tokens.identify(None, tokens.exchange("secret", "r")[0], "/a")


def test_secrets_of_a_home_are_made_once_and_for_the_owner_only(tmp_path: Path) -> None:
    first, again = open_tokens(tmp_path, Clock()), open_tokens(tmp_path, Clock())
    assert (first.owner, first.key) == (again.owner, again.key)
    for name in ("token", "signing.key"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_a_secret_that_others_could_read_is_closed(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("mine\n")
    (tmp_path / "token").chmod(0o644)
    assert open_tokens(tmp_path, Clock()).owner == "mine"
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


@pytest.mark.parametrize("act", ["update", "delete", "restore"])
def test_a_job_changes_no_experiment_that_others_run_in(live: Live, act: str) -> None:
    api = "/api/2.0/mlflow/experiments"
    made = live.call("POST", f"{api}/create", {"name": f"kept from {act}"}).body
    _, token = live.running(f"meddler-{act}")
    body = {"experiment_id": made["experiment_id"], "new_name": "x"}
    assert live.call("POST", f"{api}/{act}", body, token=token).status == 403
    assert live.call("POST", f"{api}/delete", body).status == 200
