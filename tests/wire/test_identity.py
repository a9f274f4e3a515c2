"""What a client asks before its first call."""

from __future__ import annotations

import jwt

from lazulite.domain.ids import DEFAULT_WORKSPACE
from tests.wire.live import SCOPE, Live


def test_the_owners_token_buys_a_jwt(live: Live) -> None:
    resource = "https://127.0.0.1:5443"
    answer = live.get(
        f"/msi/token?resource={resource}&api-version=2019-08-01",
        token=None,
        X_IDENTITY_HEADER=live.tokens.owner,
    )
    assert (answer.body["resource"], answer.body["token_type"]) == (resource, "Bearer")
    token = answer.body["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["aud"], str(claims["exp"])) == (resource, answer.body["expires_on"])
    assert live.get(SCOPE, token=token).status == 200


def test_a_jobs_token_buys_one_too(live: Live) -> None:
    mine = live.tokens.mint_job(DEFAULT_WORKSPACE, "run", 1)
    answer = live.get("/msi/token?resource=r", token=None, X_IDENTITY_HEADER=mine)
    claims = jwt.decode(answer.body["access_token"], options={"verify_signature": False})
    assert (claims["run"], claims["aud"]) == ("run", "r")


def test_nothing_buys_nothing(live: Live) -> None:
    assert live.get("/msi/token?resource=r", token=None).status == 401
    wrong = live.get("/msi/token?resource=r", token=None, X_IDENTITY_HEADER="guess")
    assert wrong.status == 401
    assert live.get("/msi/token", X_IDENTITY_HEADER=live.tokens.owner).status == 400


def test_the_cloud_is_where_its_metadata_is(live: Live) -> None:
    [cloud] = live.get("/metadata/endpoints?api-version=2019-05-01", token=None).body
    assert cloud["resourceManager"] == live.http
    assert cloud["suffixes"]["storage"] == "core.local"
    assert len(cloud["portal"].split(".")) > 2
