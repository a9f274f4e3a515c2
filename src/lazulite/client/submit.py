"""Carries out a plan: uploads, anonymous environments, then the one PUT."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lazulite.client import git, jobs
from lazulite.client.session import Session
from lazulite.client.upload import upload_code, upload_data
from lazulite.domain.errors import Conflict, LazuliteError, NotFound
from lazulite.formats.yaml.plan import ANONYMOUS_ENVIRONMENT, Plan, Upload, fill

_VERSIONED = frozenset({"components", "environments", "data", "models"})
_PATIENCE = 0.02  # seconds that a job waits for git; it mostly has answered before
_LATEST = 5.0  # seconds that the command waits for git when the job is under way
_RACES = 5  # tries to get the next version while others take it
_KINDS = """azure bold bright calm clear cool crisp deep eager fair fine free gentle golden keen
kind lively lucky mellow mild neat noble plain proud quick quiet ready silver smart soft still
strong sunny sweet swift tidy true warm wise"""
_THINGS = """acorn apple arrow beach bell bird brick bridge brook cloud comet coral crane dune eagle
fern field fig flame forest garden grape harbor hill iris island lake leaf lime maple moon nest oak
olive pearl pine plum rain reef river rose sail seal shell snow stone sun tree tulip wave willow
wind yam"""
_LETTERS = "0123456789bcdfghjklmnpqrstvwxyz"


def job_name(chance: bytes | None = None) -> str:
    """Return a name nobody has: two words and ten letters, as Azure ML's tools make them."""
    rest = int.from_bytes(chance or os.urandom(16), "big")
    words = []
    for choices in (_KINDS.split(), _THINGS.split(), *[_LETTERS] * 10):
        rest, place = divmod(rest, len(choices))
        words.append(choices[place])
    return f"{words[0]}_{words[1]}_{''.join(words[2:])}"


def carry_out(session: Session, plan: Plan, say: Callable[[str], None] = lambda _: None) -> Any:
    """Do what a plan says and return Azure's reply to its PUT.

    Args:
        session: where.
        plan: what.
        say: told what takes long.

    Raises:
        LazuliteError: of the server; a field it names is told with file and line.
    """
    with git.ask(_code(plan)) as source:
        try:
            known = {upload: _upload(session, upload, say) for upload in plan.uploads}
            for version, body in plan.environments.items():
                rest = f"environments/{ANONYMOUS_ENVIRONMENT}/versions/{version}"
                session.arm("PUT", rest, {"properties": body})
            if plan.kind == "jobs":
                return _put_job(session, plan, fill(plan.body, known), source)
            return _put(session, plan, fill(plan.body, known))
        except LazuliteError as error:
            raise _placed(error, plan) from None


def _code(plan: Plan) -> list[Path]:
    """Return where the code of a job is: what is uploaded of it, or the folder of its file."""
    if plan.kind != "jobs":
        return []
    found = [upload.path for upload in plan.uploads if upload.use == "code"]
    return found or [plan.root.source.folder]


def _upload(session: Session, upload: Upload, say: Callable[[str], None]) -> str:
    if upload.use == "code":
        return upload_code(session, upload.path, upload.includes, say=say)
    return upload_data(session, upload.path, say=say)


def _put(session: Session, plan: Plan, body: dict[str, Any]) -> Any:
    if plan.kind in _VERSIONED:
        return put_version(session, plan, body)
    return session.arm("PUT", f"{plan.kind}/{plan.name}", body)


def _put_job(session: Session, plan: Plan, body: dict[str, Any], source: git.Asked) -> Any:
    """Submit a job, and say where its code comes from: later, if git is slow to tell."""
    properties = body["properties"]
    properties.setdefault("experimentName", _experiment())
    name = plan.name or job_name()
    properties.setdefault("displayName", name)
    answer = source.answer(_PATIENCE)
    if answer:
        properties["properties"] = answer | (properties.get("properties") or {})
    made = session.arm("PUT", f"jobs/{name}", body, repeat=False)
    late = source.answer(_LATEST) if answer is None else None
    if late:
        jobs.edit(session, made, {"properties": late})
        made["properties"]["properties"] = (made["properties"].get("properties") or {}) | late
    return made


def _experiment() -> str:
    """Azure ML's tools name the experiment after the working directory."""
    name = "".join(c if c.isalnum() or c in "-_" else "_" for c in Path.cwd().name)
    return name.strip("_-")[:200] or "Default"


def put_version(session: Session, plan: Plan, body: dict[str, Any]) -> Any:
    """Create a version of an asset; the next free one if the plan names none."""
    if plan.version is not None:
        return _put_one(session, plan, body)
    for trial in range(1, _RACES + 1):
        try:
            return _put_one(session, plan._replace(version=_next(session, plan)), body)
        except Conflict:
            if trial == _RACES:
                raise
    raise AssertionError("unreachable: the last try raises")


def _put_one(session: Session, plan: Plan, body: dict[str, Any]) -> Any:
    if plan.kind == "components":
        body["properties"]["componentSpec"]["version"] = plan.version
    return session.arm("PUT", f"{plan.kind}/{plan.name}/versions/{plan.version}", body)


def _next(session: Session, plan: Plan) -> str:
    try:
        container = session.arm("GET", f"{plan.kind}/{plan.name}")
    except NotFound:
        return "1"
    return str(container["properties"]["nextVersion"])


def _placed(error: LazuliteError, plan: Plan) -> LazuliteError:
    """Put file and line before the message if the server named a field of the document."""
    place = plan.locate(error.path) if error.path else None
    if place is None or error.message.startswith(place.rsplit(":", 1)[0]):
        return error
    return type(error)(f"{place}: {error.message}", path=error.path)
