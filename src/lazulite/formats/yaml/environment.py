"""Environments of a YAML file: registered ones, references, and those written in place."""

from __future__ import annotations

from typing import Any

from lazulite.formats.yaml.plan import Build, Plan
from lazulite.formats.yaml.reference import asset_id
from lazulite.formats.yaml.section import Section
from lazulite.formats.yaml.spelling import dropped

_CONTENT = ("image", "conda_file", "build", "os_type", "inference_config")
_FIELDS = ("$schema", "name", "version", "description", "tags", "properties", *_CONTENT)
_IGNORED = ("datastore", "intellectual_property", "auto_delete_setting", "type")


def read_environment(build: Build, root: Section) -> Plan:
    """Read an environment's own file."""
    return Plan(
        kind="environments",
        name=root.need("name"),
        version=root.text("version"),
        body={"properties": {**content(build, root), "isAnonymous": False, "isArchived": False}},
        warnings=tuple(build.warnings),
        root=root,
    )


def environment_id(build: Build, section: Section, *, prefix: str = "") -> str:
    """Return the id of what `environment` says; asks for an anonymous one if it is written here.

    Args:
        build: the reading at hand.
        section: a command job or component.
        prefix: put before an ARM id; component specifications want `azureml:`.
    """
    if "environment" not in section:
        hint = section.slip("environment")
        raise section.fail(
            "needs 'environment', such as azureml://registries/azureml/environments/sklearn-1.5"
            f"/labels/latest or {{image: ..., conda_file: ...}}{hint}"
        )
    inline = section.values["environment"].value
    if isinstance(inline, dict):
        return prefix + build.anonymous_environment(content(build, section.at("environment")))
    text = section.need("environment")
    if text.startswith("file:") or text.endswith((".yml", ".yaml")):
        path, shown = build.refer(section, "environment", text)
        found = content(build, build.open(path, shown, section.at("environment")))
        return prefix + build.anonymous_environment(found)
    arm = asset_id(build.workspace.arm, section, "environment", text, "environments")
    return prefix + arm if arm.startswith("/") else arm


def content(build: Build, section: Section) -> dict[str, Any]:
    """Return the properties of an environment version."""
    section.known(_FIELDS, ignored=_IGNORED)
    if not any(key in section for key in ("image", "conda_file", "build")):
        raise section.fail("needs 'image', 'conda_file' or 'build'")
    return dropped(
        {
            "image": section.text("image"),
            "condaFile": _conda(build, section),
            "build": _context(section),
            "osType": {"linux": "Linux", "windows": "Windows"}.get(section.text("os_type") or ""),
            "description": section.text("description"),
            "tags": section.texts("tags"),
            "properties": section.texts("properties"),
            "inferenceConfig": section.plain("inference_config"),
        }
    )


def _conda(build: Build, section: Section) -> str | None:
    """Return the text of the conda file, in place or beside the document."""
    if "conda_file" not in section:
        return None
    if isinstance(section.values["conda_file"].value, dict):
        import yaml

        return yaml.safe_dump(section.plain("conda_file"), sort_keys=False)
    path, shown = build.refer(section, "conda_file", section.need("conda_file"))
    return _checked(build, section, path, shown)


def _checked(build: Build, section: Section, path: Any, shown: str) -> str:
    build.open(path, shown, section.at("conda_file"))  # it must be a YAML mapping
    return build.files.read(path).decode()


def _context(section: Section) -> dict[str, Any] | None:
    """Keep a Docker build context as it is written: the server says that it builds none."""
    found = section.section("build")
    if found is None:
        return None
    found.known(("path", "dockerfile_path"), ignored=("context_uri",))
    dockerfile = found.text("dockerfile_path") or "Dockerfile"
    return {"contextUri": found.text("path") or ".", "dockerfilePath": dockerfile}
