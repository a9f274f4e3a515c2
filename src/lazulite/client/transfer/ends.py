"""Which source or target a URI means, and moving between it and a workspace."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from lazulite.client.session import Session
from lazulite.client.transfer.foreign import open_api, own_api
from lazulite.client.transfer.move import Move, Tell, Wanted
from lazulite.client.transfer.records import Source, Target
from lazulite.client.transfer.report import Report
from lazulite.client.transfer.server import ServerSource
from lazulite.client.transfer.workspace import WorkspaceTarget
from lazulite.domain.errors import InvalidInput, Unsupported
from lazulite.formats.mlflow.stored import path_of, scheme_of

_KINDS = "sqlite:///mlflow.db, ./mlruns, or http(s)://server"
_SQLITE = b"SQLite format 3\0"


def import_from(
    session: Session, uri: str, artifacts: Path | None, wanted: Wanted, tell: Tell
) -> Report:
    """Bring what a store of MLflow has into the workspace.

    Args:
        session: the workspace.
        uri: where the store is.
        artifacts: what `mlflow-artifacts:` means; None = `mlartifacts` beside the store.
        wanted: what of it.
        tell: called now and then with the counts so far.

    Raises:
        InvalidInput: there is no such store.
        LazuliteError: it cannot be read, or the workspace not be written.
    """
    with (
        closing(open_source(uri, artifacts, os.environ)) as source,
        closing(WorkspaceTarget(session, source.shown, dry=wanted.dry)) as target,
    ):
        return Move(source, target, wanted, tell).carry_out()


def export_to(session: Session, uri: str, wanted: Wanted, tell: Tell) -> Report:
    """Copy what the workspace has to a store of MLflow.

    Raises:
        InvalidInput: there can be no such store.
        LazuliteError: it cannot be written, or the workspace not be read.
    """
    with (
        closing(ServerSource(own_api(session))) as source,
        closing(open_target(uri, os.environ)) as target,
    ):
        return Move(source, target, wanted, tell).carry_out()


def open_source(uri: str, artifacts: Path | None, environ: Mapping[str, str]) -> Source:
    """Return the store that a URI or a path means.

    Raises:
        InvalidInput: there is none.
    """
    scheme = scheme_of(uri)
    if scheme in ("http", "https"):
        return ServerSource(open_api(uri, environ))
    path = _path(uri)
    if path.is_dir():
        from lazulite.client.transfer.folder import FolderSource

        return FolderSource(path, artifacts)
    if not path.exists():
        raise InvalidInput(f"there is no file or folder {path}")
    if not _is_sqlite(path):
        raise InvalidInput(f"{path} is no store of MLflow: name one of {_KINDS}")
    from lazulite.client.transfer.sqlite import SqliteSource

    return SqliteSource(path, artifacts)


def open_target(uri: str, environ: Mapping[str, str]) -> Target:
    """Return the store that a URI or a path means, to be written.

    Raises:
        InvalidInput: there can be none.
        Unsupported: it is a SQLite file.
    """
    scheme = scheme_of(uri)
    if scheme in ("http", "https"):
        from lazulite.client.transfer.server_target import ServerTarget

        return ServerTarget(open_api(uri, environ))
    path = _path(uri)
    if scheme == "sqlite" or path.suffix == ".db" or path.is_file():
        raise Unsupported(
            f"a SQLite file is made by MLflow alone: export to a folder, and turn that into "
            f"{path.name} with `mlflow migrate-filestore --source FOLDER --target "
            f"sqlite:///{path.name}`"
        )
    from lazulite.client.transfer.folder_target import FolderTarget

    return FolderTarget(path)


def _path(uri: str) -> Path:
    scheme = scheme_of(uri)
    if scheme == "sqlite" and uri.lower().startswith("sqlite:///"):
        return Path(uri[len("sqlite:///") :])
    if scheme in ("", "file"):
        return Path(path_of(uri)).expanduser()
    raise InvalidInput(f"{scheme}: is no kind of store that can be reached: name one of {_KINDS}")


def _is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE
