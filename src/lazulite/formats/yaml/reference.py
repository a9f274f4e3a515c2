"""`azureml:` references, local paths and computes, as Azure's ids. It looks nothing up."""

from __future__ import annotations

import re
from typing import Any

from lazulite.domain.errors import LazuliteError
from lazulite.domain.ids import last_segment, parse_asset
from lazulite.formats.yaml.plan import Build, Pending, Upload
from lazulite.formats.yaml.section import Section

_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.\-]*:(//|/subscriptions/)")
_SERVERLESS = frozenset({"serverless", "local", ""})


def is_reference(text: str) -> bool:
    """Whether it names something of the workspace, a registry or the web, not a local path."""
    if text.startswith("file:"):
        return False
    return text.startswith(("azureml:", "/subscriptions/")) or bool(_URL.match(text))


def asset_id(workspace_arm: str, section: Section, key: str, text: str, kind: str) -> str:
    """Return the ARM id, or the registry URI, of a versioned asset that `text` names."""
    try:
        ref = parse_asset(text, kind)
    except LazuliteError as error:
        raise section.blame(error, key) from None
    if ref.registry is not None:
        return text
    if kind == "environments" and ref.name.startswith("AzureML-"):
        return "azureml:" + text.removeprefix("azureml:")  # the server knows curated short names
    if "/" in text:
        return text.removeprefix("azureml:") if text.startswith("azureml:/sub") else text
    how = f"versions/{ref.version}" if ref.version else f"labels/{ref.label}"
    return f"{workspace_arm}/{kind}/{ref.name}/{how}"


def compute_id(build: Build, section: Section, key: str = "compute") -> str | None:
    """Return the ARM id of a compute; None = the workspace's default one (Azure's serverless)."""
    text = section.text(key)
    if text is None:
        return None
    name = last_segment(text)
    if name.casefold() in _SERVERLESS:
        return None
    if text.startswith("/subscriptions/"):
        return text
    return f"{build.workspace.arm}/computes/{name}"


def code(build: Build, section: Section, *, prefix: str = "") -> str | Pending | None:
    """Return what `code` names: an id, or the pending upload of a local folder or file.

    Args:
        build: the reading at hand.
        section: a command job or component; its `additional_includes` count too.
        prefix: put before the id; component specifications want `azureml:`.
    """
    text = section.text("code")
    includes = _includes(build, section)
    if text is None:
        if not includes:
            return None
        raise section.fail("adds to a 'code' folder, but there is no 'code'", "additional_includes")
    if text.startswith(("git+", "https://", "http://", "git@")):
        raise section.unsupported(
            "code from Git or the web is not fetched by Lazulite: clone it and name the folder",
            "code",
        )
    if is_reference(text):
        if includes:
            raise section.fail("cannot be added to registered code", "additional_includes")
        return prefix + asset_id(build.workspace.arm, section, "code", text, "codes")
    path, shown = build.refer(section, "code", text)
    if build.files.kind(path) is None:
        raise section.fail(f"the code folder '{shown}' does not exist (looked at {path})", "code")
    return build.upload(Upload("code", path, includes), prefix=prefix)


def _includes(build: Build, section: Section) -> tuple[Any, ...]:
    found = []
    for node in section.items("additional_includes"):
        if not node.text:
            raise section.unsupported(
                "only local paths are included; artifacts of other services are not fetched",
                "additional_includes",
            )
        path, shown = build.refer(section, "additional_includes", node.text)
        is_packed = path.suffix == ".zip" and build.files.kind(path.with_suffix("")) == "folder"
        if build.files.kind(path) is None and not is_packed:
            source = f", nor a folder '{shown[:-4]}' to make it of" if path.suffix == ".zip" else ""
            raise section.fail(f"'{shown}' does not exist{source}", "additional_includes")
        found.append(path)
    return tuple(found)
