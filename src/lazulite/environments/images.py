"""What a container image means on a machine without containers. Pure; it pulls nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lazulite.domain.errors import Unsupported

_HUB = re.compile(r"(?:(?:index\.)?docker\.io/)?(?:library/)?")
_MIRROR = "mcr.microsoft.com/mirror/docker/library/"
_CURATED = re.compile(r"mcr\.microsoft\.com/azureml/curated/(?P<name>[\w.\-]+)")
_AZUREML = re.compile(r"mcr\.microsoft\.com/azureml/(?:openmpi|intelmpi|minimal|base)[\w.\-]*")
_PYTHON_TAG = re.compile(r"(?P<version>\d+(?:\.\d+){0,2})(?:-.*)?")
_PYTHON_PART = re.compile(
    r"(?:^|-)py(?P<major>3)(?P<minor>\d{1,2})(?:-|$)"
)  # minimal-...-py311-...
_BARE = frozenset(
    {
        "ubuntu",
        "debian",
        "continuumio/miniconda3",
        "condaforge/miniforge3",
        "mambaorg/micromamba",
        "nvidia/cuda",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What an image gives to an environment; nothing set = a bare Python."""

    python: str | None = None  # version specifier, ==3.11.*
    curated: str | None = None


def read_image(image: str) -> Base:
    """Say what `image` means here.

    Raises:
        Unsupported: it is not one of the images whose content is known to be a bare Python.
    """
    name, tag = _split(image.strip())
    if found := _CURATED.fullmatch(name):
        return Base(curated=found["name"])
    if _AZUREML.fullmatch(name):
        part = _PYTHON_PART.search(name.rsplit("/", 1)[-1])
        return Base(python=f"=={part['major']}.{part['minor']}.*" if part else None)
    short = name.removeprefix(_MIRROR) if name.startswith(_MIRROR) else _HUB.sub("", name, count=1)
    if short == "python":
        return Base(python=_tagged_python(tag))
    if short in _BARE:
        return Base()
    raise Unsupported(
        f"image {image[:200]!r} cannot be used: Lazulite runs no containers, and knows only images "
        "that hold a bare Python; use python:3.11-slim or mcr.microsoft.com/azureml/"
        "openmpi4.1.0-ubuntu22.04, and name the packages in a conda_file",
        path="image",
    )


def _split(image: str) -> tuple[str, str]:
    """Split into the name in lower case and the tag; a digest is dropped, a port is not a tag."""
    name = image.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        return name.lower(), ""
    return head.lower(), tag


def _tagged_python(tag: str) -> str | None:
    found = _PYTHON_TAG.fullmatch(tag)
    if not found:
        return None
    version = found["version"]
    return f"=={version}" if version.count(".") == 2 else f"=={version}.*"
