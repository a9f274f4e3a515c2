"""Talks to an MLflow server: a foreign one, or the workspace's own."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO, cast
from urllib.parse import urlsplit

from lazulite.client.http1 import Channel, Reply
from lazulite.client.rest import Address, Connection, Unreachable, _Call, with_query
from lazulite.client.session import Session
from lazulite.domain import errors

API = "/api/2.0/mlflow/"


class ForeignConnection(Connection):
    """A connection that says who it is as MLflow's client does."""

    def __init__(self, url: str, authorization: str | None, ca: Path | None) -> None:
        """Remember where to connect; the first call does."""
        super().__init__(Address(url, "", ca))
        self._authorization = authorization

    def _send(self, channel: Channel, call: _Call) -> Reply:
        known = {"Authorization": self._authorization} if self._authorization else {}
        headers = {**known, **call.headers}
        return channel.call(call.method, call.path, headers, call.body, call.size)

    def _unreachable(self, error: OSError) -> Unreachable:
        self.close()
        reason = error.strerror or str(error) or type(error).__name__
        return Unreachable(f"no answer from the MLflow server at {self.address.url} ({reason})")


class Api:
    """MLflow's API of one server."""

    def __init__(self, connection: Connection, prefix: str, shown: str) -> None:
        """Remember who is called.

        Args:
            connection: to the server.
            prefix: of every path, without a slash at its end.
            shown: how people call it; without secrets.
        """
        self.connection = connection
        self.shown = shown
        self._prefix = prefix

    def call(
        self, method: str, rest: str, body: Any = None, query: Mapping[str, object] | None = None
    ) -> Any:
        """Call a route; `rest` is `runs/get`, or begins with a slash if it is no usual one.

        Raises:
            Unauthenticated: it wants to know who calls.
            InvalidInput: what answers is no MLflow server.
        """
        path = self._prefix + (rest if rest.startswith("/") else API + rest)
        again = method == "GET" or rest.endswith(("search", "log-batch", "log-inputs"))
        try:
            return self.connection.json(method, path, body, query=query, repeat=again)
        except (errors.Denied, ValueError) as error:
            raise self._explained(error) from None

    def fetch(self, rest: str, query: Mapping[str, object] | None = None) -> BinaryIO:
        """Download a file into one that vanishes when it is closed."""
        kept: IO[bytes] = TemporaryFile()  # noqa: SIM115 - the caller's
        try:
            with self.connection.stream(with_query(self._prefix + rest, query)) as pieces:
                for piece in pieces:
                    kept.write(piece)
        except BaseException:
            kept.close()
            raise
        kept.seek(0)
        return cast("BinaryIO", kept)

    def send(self, rest: str, body: bytes | BinaryIO, size: int) -> None:
        """Upload a file."""
        self.connection.send("PUT", self._prefix + rest, body, size)

    def close(self) -> None:
        """Hang up."""
        self.connection.close()

    def _explained(self, error: Exception) -> errors.LazuliteError:
        if isinstance(error, errors.Unauthenticated):
            return errors.Unauthenticated(
                f"{self.shown} wants to know who you are: set MLFLOW_TRACKING_TOKEN, or "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            )
        if isinstance(error, errors.Denied):
            return errors.Denied(f"{self.shown} does not allow this: {error.message[:300]}")
        return errors.InvalidInput(f"what answers at {self.shown} is no MLflow server")


def open_api(uri: str, environ: Mapping[str, str]) -> Api:
    """Return the API of a server, with the credentials that MLflow's own variables hold.

    Args:
        uri: http or https; a user and password in it are used, and never shown.
        environ: the variables.
    """
    parts = urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    url = f"{parts.scheme}://{host}"
    prefix = parts.path.rstrip("/")
    ca = environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH")
    connection = ForeignConnection(
        url, _authorization(parts.netloc, environ), Path(ca) if ca else None
    )
    return Api(connection, prefix, url + prefix)


def own_api(session: Session) -> Api:
    """Return the API of the workspace itself."""
    prefix = f"/mlflow/v1.0{session.workspace.arm}"
    return Api(session.connection.another(), prefix, f"workspace '{session.workspace.name}'")


def _authorization(netloc: str, environ: Mapping[str, str]) -> str | None:
    said = netloc.rpartition("@")[0]
    user = environ.get("MLFLOW_TRACKING_USERNAME")
    if not said and user:
        said = f"{user}:{environ.get('MLFLOW_TRACKING_PASSWORD', '')}"
    if said:
        return f"Basic {b64encode(said.encode()).decode()}"
    token = environ.get("MLFLOW_TRACKING_TOKEN")
    return f"Bearer {token}" if token else None
