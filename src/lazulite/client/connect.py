"""`connect()`: the official MLClient on this server, in one line. It needs `lazulite[sdk]`."""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from lazulite.client import home as homes
from lazulite.client.config import choose
from lazulite.config import Settings, read_settings
from lazulite.domain.errors import InvalidInput, Unauthenticated, Unavailable

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

CA_VARIABLE = "REQUESTS_CA_BUNDLE"  # the one variable that ARM, run history and blob clients read
_REFRESH = 300  # seconds before a token expires that a new one is fetched
_TIMEOUT = 30  # seconds
_DEFAULTS = {"show_progress": False, "enable_telemetry": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server as the SDK needs it."""

    url: str  # https
    token: str
    bundle: Path  # PEM file of the roots to trust


@dataclass(slots=True)
class ServerCredential:
    """An Azure TokenCredential whose tokens come from the server."""

    target: Target
    _known: dict[str, tuple[str, int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get_token(self, *scopes: str, **_: Any) -> Any:
        """Return an AccessToken for the first scope.

        Raises:
            Unauthenticated: the server does not take the token of the home.
            Unavailable: the server does not answer.
        """
        from azure.core.credentials import AccessToken

        resource = scopes[0].removesuffix("/.default") if scopes else self.target.url
        with self._lock:
            found = self._known.get(resource)
            if found is None or found[1] - _REFRESH < time.time():
                found = self._known[resource] = _fetch(self.target, resource)
        return AccessToken(*found)


def connect(
    home: str | os.PathLike[str] | None = None,
    subscription: str | None = None,
    resource_group: str | None = None,
    workspace: str | None = None,
    **kwargs: Any,
) -> MLClient:
    """Return an `azure.ai.ml.MLClient` of a workspace here; start the server if none runs.

    Names that are not given come from variables, the nearest config.json, `lazulite configure`,
    or are those of the default workspace. The process's REQUESTS_CA_BUNDLE is set, so that the
    SDK trusts the server; roots it named before stay trusted.

    Args:
        home: LAZULITE_HOME of the server; None = the variable, else `~/.lazulite`.
        subscription: subscription id.
        resource_group: its resource group.
        workspace: its name.
        kwargs: handed to MLClient.

    Raises:
        Unavailable: azure-ai-ml is not installed, or the server does not start.
    """
    try:
        from azure.ai.ml import MLClient
    except ImportError:
        raise Unavailable(
            "lazulite.connect() needs azure-ai-ml: pip install 'lazulite[sdk]'"
        ) from None
    environ = dict(os.environ) | ({"LAZULITE_HOME": str(home)} if home else {})
    settings = read_settings(environ)
    options = {"subscription": subscription, "group": resource_group, "workspace": workspace}
    ids = choose(options, environ, Path.cwd(), settings.home).workspace
    target = find_target(settings, environ)
    os.environ[CA_VARIABLE] = str(target.bundle)
    return MLClient(
        ServerCredential(target),
        *ids,
        cloud=cloud_name(target.url),
        cloud_metadata=cloud_metadata(target.url),
        **(_DEFAULTS | kwargs),
    )


def find_target(settings: Settings, environ: Mapping[str, str]) -> Target:
    """Return the server that is meant, with roots to trust that hold those trusted before.

    Raises:
        InvalidInput: LAZULITE_URL is not https and is not this home's server either.
        Unavailable: the server does not start.
    """
    where = homes.address(settings, environ, lambda _: None)
    server = homes.running(settings)
    url, ca = where.url, where.ca
    if server and url in (server.http, server.https):
        url, ca = server.https, ca or settings.tls / "bundle.pem"
    if not url.startswith("https://"):
        raise InvalidInput(
            f"LAZULITE_URL={url} cannot be used by azure-ai-ml, which insists on TLS: give the "
            "https URL, and LAZULITE_CA_BUNDLE if its certificate is the server's own",
            path="LAZULITE_URL",
        )
    trusted = environ.get(CA_VARIABLE)
    target = Target(url=url, token=where.token, bundle=ca or Path(trusted or _standard_roots()))
    if trusted and ca and Path(trusted) != ca and Path(trusted).is_file():
        target = replace(target, bundle=_joined(settings.tls, ca, Path(trusted)))
    return target


def cloud_name(url: str) -> str:
    """Return the name under which the SDK keeps a server's addresses; one per server."""
    return "lazulite-" + urlsplit(url).netloc.replace(":", "-")


def cloud_metadata(url: str) -> dict[str, str]:
    """Return the addresses that the SDK would get from a cloud's metadata document."""
    return {
        "azure_portal": url,
        "resource_manager": url,
        "active_directory": url,
        "aml_resource_id": url,
        "storage_endpoint": "core.local",
        "registry_discovery_endpoint": f"{url}/",
    }


def _fetch(target: Target, resource: str) -> tuple[str, int]:
    url = f"{target.url}/msi/token?resource={quote(resource, safe='')}"
    header = {"x-identity-header": target.token}
    request = urllib.request.Request(url, headers=header)  # noqa: S310 - https
    trust = ssl.create_default_context(cafile=str(target.bundle))
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT, context=trust) as reply:  # noqa: S310 - https
            found = json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            raise Unauthenticated(
                f"{target.url} refused the token of this home ({error.code})"
            ) from None
    except OSError as error:
        raise Unavailable(f"{target.url} does not answer: {error}") from None
    return str(found["access_token"]), int(found["expires_on"])


def _joined(folder: Path, ours: Path, theirs: Path) -> Path:
    """Return a file of both bundles; the same two make the same file."""
    ours_text, theirs_text = ours.read_bytes(), theirs.read_bytes()
    if ours_text in theirs_text:
        return theirs
    content = ours_text + b"\n" + theirs_text
    joined = folder / f"bundle-{hashlib.sha256(content).hexdigest()[:16]}.pem"
    if not joined.exists():
        fresh = joined.with_suffix(f".{os.getpid()}.new")
        fresh.write_bytes(content)
        fresh.replace(joined)
    return joined


def _standard_roots() -> str:
    import certifi

    return certifi.where()
