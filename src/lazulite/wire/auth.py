"""Tokens: the owner's, signed ones, a job's, signed URLs. What a caller may do is domain.access."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jwt

from lazulite.domain.access import OWNER, Action, Principal, Role
from lazulite.domain.errors import Denied, Unauthenticated
from lazulite.domain.ids import LOCAL_SUBSCRIPTION, WorkspaceId
from lazulite.ports.clock import Clock

ACCESS_LIFE = timedelta(hours=24)  # of a token the SDK asks for
JOB_LIFE = timedelta(days=365)  # upper bound: a job's token dies with the job
URL_LIFE = timedelta(hours=12)  # of a signed URL

_ISSUER = "lazulite"
_ALGORITHM = "HS256"
_READ = frozenset({Action.READ})
_READ_WRITE = frozenset({Action.READ, Action.WRITE, Action.RUN})
_HOW = "send 'Authorization: Bearer TOKEN' with the token in the file 'token' of the server's home"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who sent a request, before it is checked what the route asks for."""

    principal: Principal
    job: int | None = None  # row id: the token is good only until that job is final
    only: frozenset[Action] | None = None  # a signed URL allows nothing else


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Makes and verifies every kind of token. Pure but for the clock."""

    owner: str
    key: bytes  # signs JWTs
    clock: Clock

    def identify(self, authorization: str | None, sig: str | None, path: str) -> Caller:
        """Say who sent these credentials.

        Args:
            authorization: the header: Bearer, or Basic with a token as password.
            sig: the query parameter of a signed URL; it counts before the header.
            path: the request's decoded path, which a signed URL is bound to.

        Raises:
            Unauthenticated: there is no credential, or it is not valid (any more).
        """
        if sig:
            return self._signed_url(sig, path)
        token = _token_of(authorization)
        if hmac.compare_digest(token.encode(), self.owner.encode()):
            return Caller(principal=OWNER)
        claims = self._claims(token)
        if claims.get("role") == Role.OWNER:
            return Caller(principal=OWNER)
        if claims.get("role") == Role.JOB:
            run, workspace, job = claims["run"], claims["workspace"], claims["job"]
            principal = Principal(name=run, role=Role.JOB, workspace=workspace, run=run)
            return Caller(principal=principal, job=job)
        raise Unauthenticated("this token opens only the URL it was made for")

    def exchange(self, token: str, resource: str) -> tuple[str, int]:
        """Return a JWT for `resource` that may do what `token` may, and when it expires.

        Raises:
            Unauthenticated: the token is not valid.
        """
        caller = self.identify(f"Bearer {token}", None, "")
        claims: dict[str, Any] = {
            "aud": resource,
            "sub": caller.principal.name,
            "role": caller.principal.role.value,
            "tid": LOCAL_SUBSCRIPTION,
            "oid": LOCAL_SUBSCRIPTION,
        }
        if caller.job is not None:
            principal = caller.principal
            claims |= {"run": principal.run, "workspace": principal.workspace, "job": caller.job}
        return self._mint(claims, ACCESS_LIFE)

    def mint_job(self, workspace: WorkspaceId, run: str, job: int) -> str:
        """Return the token of a job: good in its workspace until it is final.

        Args:
            workspace: the job's workspace.
            run: the job's name.
            job: the job's row id.
        """
        claims = {
            "aud": _ISSUER,
            "sub": run,
            "role": Role.JOB.value,
            "run": run,
            "workspace": workspace.key,
            "job": job,
        }
        return self._mint(claims, JOB_LIFE)[0]

    def sign_url(
        self, url: str, path: str, *, write: bool = False, life: timedelta = URL_LIFE
    ) -> str:
        """Return `url` with a signature that opens `path` and all below it, for `life`.

        Args:
            url: scheme and host; the quoted path is added.
            path: decoded, with a leading slash.
            write: whether it may be written to.
            life: how long.
        """
        return f"{url}{quote(path)}?{self.sign(path, write=write, life=life)}"

    def sign(self, path: str, *, write: bool, life: timedelta) -> str:
        """Return the query that opens `path` and all below it; see `sign_url`."""
        claims = {"aud": _ISSUER, "url": path.rstrip("/"), "write": write}
        token, expires = self._mint(claims, life)
        return f"se={expires}&sp={'rwl' if write else 'rl'}&sig={token}"

    def _mint(self, claims: dict[str, Any], life: timedelta) -> tuple[str, int]:
        now = int(self.clock.now().timestamp())
        expires = now + int(life.total_seconds())
        full = {**claims, "iss": _ISSUER, "iat": now, "nbf": now - 300, "exp": expires}
        return jwt.encode(full, self.key, algorithm=_ALGORITHM), expires

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                self.key,
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                options={"verify_aud": False, "verify_iat": False, "require": ["exp"]},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("the token has expired: get a new one") from None
        except jwt.PyJWTError:
            raise Unauthenticated(f"the token is not valid here: {_HOW}") from None

    def _signed_url(self, sig: str, path: str) -> Caller:
        claims = self._claims(sig)
        prefix = claims.get("url")
        inside = isinstance(prefix, str) and (path == prefix or path.startswith(prefix + "/"))
        if not inside or ".." in path.split("/"):
            raise Unauthenticated("the signature is for another URL")
        allowed = _READ_WRITE if claims.get("write") else _READ
        return Caller(principal=Principal(name="signed URL", role=Role.JOB), only=allowed)


def check_signed(caller: Caller, action: Action) -> None:
    """Refuse what a signed URL was not made for.

    Raises:
        Denied: the URL allows less than `action`.
    """
    if caller.only is not None and action not in caller.only:
        raise Denied(f"this signed URL does not allow to {action}")


def open_tokens(home: Path, clock: Clock) -> Tokens:
    """Read the owner's token and the signing key of a home; make them (mode 0600) if absent."""
    owner = _secret_file(home / "token", secrets.token_urlsafe(32))
    key = _secret_file(home / "signing.key", secrets.token_hex(32))
    return Tokens(owner=owner, key=bytes.fromhex(key), clock=clock)


def _secret_file(path: Path, fresh: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.chmod(0o600)
        if text := path.read_text(encoding="ascii").strip():
            return text
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    handle = os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(fresh + "\n")
    temporary.replace(path)  # a crash leaves no empty secret
    return fresh


def _token_of(authorization: str | None) -> str:
    scheme, _, value = (authorization or "").partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer" and value:
        return value
    if scheme.lower() == "basic" and value:
        return _password(value)
    raise Unauthenticated(f"the request carries no token: {_HOW}")


def _password(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        raise Unauthenticated("the Basic credentials are not base64 of user:token") from None
