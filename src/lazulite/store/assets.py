"""Versions of assets as rows: code, data, environments, components and models alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from lazulite.domain.asset import Asset, AssetKind, Container, Stage
from lazulite.domain.errors import Conflict, NotFound
from lazulite.ports.store import Listed, Page
from lazulite.store.columns import Row, encode, insert, micros, moment, row_id_after
from lazulite.store.tables import assets, job_documents

LATEST = "latest"
MAX_DIGITS = 18  # a longer whole number does not count for `next`: it does not fit a column

_DIGEST = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_ROWS = 500  # read at once

_c = assets.c
_ALL = sa.select(assets)
_OF_NAME = (
    _c.workspace == sa.bindparam("workspace"),
    _c.kind == sa.bindparam("kind"),
    _c.name == sa.bindparam("name"),
)
_OF_VERSION = (*_OF_NAME, _c.version == sa.bindparam("version"))
_NEWEST_FIRST = _ALL.where(*_OF_NAME).order_by(_c.id.desc())
_GET = _ALL.where(*_OF_VERSION)
_LATEST = _NEWEST_FIRST.where(_c.archived.is_(sa.false())).limit(1)
_DELETE = sa.delete(assets).where(*_OF_VERSION)
_BY_DIGEST = (
    _ALL.where(
        _c.workspace == sa.bindparam("workspace"),
        _c.kind == sa.bindparam("kind"),
        _c.digest == sa.bindparam("digest"),
    )
    .order_by(_c.id.desc())
    .limit(1)
)
_GROUPS = sa.select(
    _c.name,
    sa.func.max(_c.number).label("number"),
    sa.func.min(_c.id).label("oldest"),
    sa.func.max(_c.id).label("newest"),
    sa.func.max(sa.case((_c.archived.is_(sa.false()), _c.id))).label("active"),
).group_by(_c.name)


class SqlAssets:
    """`ports.store.Assets` in one transaction of either database."""

    __slots__ = ("_db",)

    def __init__(self, db: sa.Connection) -> None:
        self._db = db

    def add(self, workspace: int, asset: Asset) -> Asset:
        """Store a new version."""
        made = insert(self._db, assets).on_conflict_do_nothing().returning(_c.id)
        row_id = self._db.execute(made, _row_of(workspace, asset)).scalar()
        if row_id is None:
            raise Conflict(
                f"{asset.kind}: version '{asset.version}' of '{asset.name}' exists already and "
                "versions do not change: choose another version"
            )
        return msgspec.structs.replace(asset, id=row_id)

    def get(self, workspace: int, kind: AssetKind, name: str, version: str) -> Asset:
        """Return one version."""
        key = {"workspace": workspace, "kind": kind.value, "name": name, "version": version}
        row = self._db.execute(_GET, key).first()
        if row is None:
            raise _unknown(kind, name, version)
        return _asset_of(row)

    def resolve(self, workspace: int, kind: AssetKind, name: str, label: str) -> Asset:
        """Return the version a label stands for."""
        if label.lower() != LATEST:
            raise NotFound(
                f"{kind}: '{name}' has no label '{label}': use '@{LATEST}' or name a version"
            )
        key = {"workspace": workspace, "kind": kind.value, "name": name}
        row = self._db.execute(_LATEST, key).first()
        if row is None:
            raise _unknown(kind, name, None)
        return _asset_of(row)

    def versions(
        self, workspace: int, kind: AssetKind, name: str, stages: Sequence[Stage], page: Page
    ) -> Listed[Asset]:
        """Return one page of the versions of a name, newest first."""
        key = {"workspace": workspace, "kind": kind.value, "name": name}
        query = _NEWEST_FIRST.limit(page.limit + 1)
        if len(set(stages)) == 1:
            query = query.where(_c.archived.is_(_archived(stages[0])))
        before = row_id_after(page.after)
        if before is not None:
            query = query.where(_c.id < before)
        found = [_asset_of(row) for row in self._db.execute(query, key)]
        items = found[: page.limit]
        return Listed(items, str(items[-1].id) if len(found) > len(items) and items else None)

    def containers(
        self, workspace: int, kind: AssetKind, stages: Sequence[Stage], page: Page
    ) -> Listed[Container]:
        """Return one page of the names of a kind, in order; anonymous assets have none to show."""
        groups = _GROUPS.where(
            _c.workspace == workspace, _c.kind == kind.value, _c.anonymous.is_(sa.false())
        )
        if page.after is not None:
            groups = groups.where(_c.name > page.after)
        if len(set(stages)) == 1:
            active = sa.func.max(sa.case((_c.archived.is_(sa.false()), _c.id)))
            shown = active.is_not(None) if stages[0] is Stage.ACTIVE else active.is_(None)
            groups = groups.having(shown)
        found = self._containers(kind, groups.order_by(_c.name).limit(page.limit + 1))
        items = found[: page.limit]
        return Listed(items, items[-1].name if len(found) > len(items) and items else None)

    def container(self, workspace: int, kind: AssetKind, name: str) -> Container:
        """Return what is known of all versions of a name."""
        group = _GROUPS.where(_c.workspace == workspace, _c.kind == kind.value, _c.name == name)
        found = self._containers(kind, group)
        if not found:
            raise _unknown(kind, name, None)
        return found[0]

    def update(self, asset: Asset) -> None:
        """Replace what may change of a stored version: not its names, nor its creation."""
        values = {
            "body": encode(asset.body) if asset.body else None,
            "digest": asset.digest,
            "anonymous": asset.anonymous,
            "archived": asset.stage is Stage.ARCHIVED,
            "modified_at": micros(asset.modified_at),
        }
        change = sa.update(assets).where(_c.id == asset.id).values(values)
        if self._db.execute(change).rowcount == 0:
            raise _unknown(asset.kind, asset.name, asset.version)

    def set_stage(self, workspace: int, kind: AssetKind, name: str, stage: Stage) -> None:
        """Archive or restore every version of a name."""
        change = sa.update(assets).where(
            _c.workspace == workspace, _c.kind == kind.value, _c.name == name
        )
        if self._db.execute(change.values(archived=_archived(stage))).rowcount == 0:
            raise _unknown(kind, name, None)

    def by_digest(self, workspace: int, kind: AssetKind, digest: str) -> Asset | None:
        """Return the newest version of that content."""
        key = {"workspace": workspace, "kind": kind.value, "digest": digest}
        row = self._db.execute(_BY_DIGEST, key).first()
        return None if row is None else _asset_of(row)

    def delete(self, workspace: int, kind: AssetKind, name: str, version: str) -> None:
        """Delete one version."""
        key = {"workspace": workspace, "kind": kind.value, "name": name, "version": version}
        if self._db.execute(_DELETE, key).rowcount == 0:
            raise _unknown(kind, name, version)

    def snapshots(self) -> set[str]:
        """Return every digest in the bodies of code versions and in what jobs run."""
        codes = sa.select(_c.body, _c.digest).where(_c.kind == AssetKind.CODE.value)
        works = sa.select(job_documents.c.definition, sa.null())
        found: set[str] = set()
        for query in (codes, works):
            for document, digest in self._db.execute(query.execution_options(yield_per=_ROWS)):
                found.update(map(bytes.decode, _DIGEST.findall(document or b"")))
                found.update([digest] if digest else [])
        return found

    def _containers(self, kind: AssetKind, groups: sa.Select[Any]) -> list[Container]:
        group = groups.subquery()
        first, last = assets.alias(), assets.alias()
        query = (
            sa.select(
                *(group.c.name, group.c.number, group.c.active, last.c.version),
                *(first.c.created_at, first.c.created_by),
            )
            .join(first, first.c.id == group.c.oldest)
            .join(last, last.c.id == sa.func.coalesce(group.c.active, group.c.newest))
            .order_by(group.c.name)
        )
        return [
            Container(
                kind=kind,
                name=row.name,
                latest=row.version,
                next=str((row.number or 0) + 1),
                stage=Stage.ARCHIVED if row.active is None else Stage.ACTIVE,
                created_at=moment(row.created_at),
                created_by=row.created_by,
            )
            for row in self._db.execute(query)
        ]


def _archived(stage: Stage) -> sa.ColumnElement[bool]:
    return sa.true() if stage is Stage.ARCHIVED else sa.false()


def _unknown(kind: AssetKind, name: str, version: str | None) -> NotFound:
    which = f"version '{version}' of '{name}'" if version else f"'{name}'"
    return NotFound(
        f"{kind}: {which} does not exist in this workspace (or is archived): check the name"
    )


def _number(version: str) -> int | None:
    whole = version.isascii() and version.isdigit() and len(version) <= MAX_DIGITS
    return int(version) if whole else None


def _row_of(workspace: int, asset: Asset) -> dict[str, Any]:
    return {
        "workspace": workspace,
        "kind": asset.kind.value,
        "name": asset.name,
        "version": asset.version,
        "number": _number(asset.version),
        "digest": asset.digest,
        "anonymous": asset.anonymous,
        "archived": asset.stage is Stage.ARCHIVED,
        "body": encode(asset.body) if asset.body else None,
        "created_at": micros(asset.created_at),
        "created_by": asset.created_by,
        "modified_at": micros(asset.modified_at),
    }


def _asset_of(row: Row) -> Asset:
    return Asset(
        id=row.id,
        kind=AssetKind(row.kind),
        name=row.name,
        version=row.version,
        body=msgspec.json.decode(row.body) if row.body else {},
        digest=row.digest,
        anonymous=row.anonymous,
        stage=Stage.ARCHIVED if row.archived else Stage.ACTIVE,
        created_at=moment(row.created_at),
        created_by=row.created_by,
        modified_at=moment(row.modified_at),
    )
