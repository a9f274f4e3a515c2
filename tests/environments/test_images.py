"""What an image name means on a machine without containers."""

from __future__ import annotations

import pytest

from lazulite.domain.errors import Unsupported
from lazulite.environments.images import read_image


@pytest.mark.parametrize(
    ("image", "python"),
    [
        ("python:3.11-slim", "==3.11.*"),
        ("python:3.11", "==3.11.*"),
        ("docker.io/library/python:3.10-bookworm", "==3.10.*"),
        ("docker.io/python:3.12.4-alpine", "==3.12.4"),
        ("python:3", "==3.*"),
        ("python:slim", None),
        ("python", None),
        ("python:3.11@sha256:" + "0" * 64, "==3.11.*"),
        ("mcr.microsoft.com/mirror/docker/library/python:3.9", "==3.9.*"),
        ("mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04:latest", None),
        ("mcr.microsoft.com/azureml/openmpi4.1.0-cuda11.6-cudnn8-ubuntu20.04", None),
        ("mcr.microsoft.com/azureml/minimal-ubuntu22.04-py311-cpu-inference:1", "==3.11.*"),
        ("MCR.microsoft.com/AzureML/minimal-ubuntu20.04-py38-cpu", "==3.8.*"),
        ("ubuntu:22.04", None),
        ("library/ubuntu", None),
        ("mcr.microsoft.com/mirror/docker/library/ubuntu:22.04", None),
        ("continuumio/miniconda3:latest", None),
    ],
)
def test_a_known_base_is_a_bare_python(image: str, python: str | None) -> None:
    base = read_image(image)
    assert (base.python, base.curated) == (python, None)


@pytest.mark.parametrize("tag", ["", ":latest", ":33", "@sha256:" + "a" * 64])
def test_a_curated_image_is_the_curated_environment(tag: str) -> None:
    base = read_image(f"mcr.microsoft.com/azureml/curated/sklearn-1.5{tag}")
    assert base.curated == "sklearn-1.5"


@pytest.mark.parametrize(
    "image",
    [
        "pytorch/pytorch:2.1.0-cuda12.1",
        "localhost:5000/python:3.11",
        "registry.example.com/team/python:3.11",
        "mcr.microsoft.com/azureml/mlflow-ubuntu20.04-py38-cpu-inference:1",
        "tensorflow/tensorflow",
        "evil/ubuntu",
    ],
)
def test_another_image_is_refused_with_what_to_use_instead(image: str) -> None:
    with pytest.raises(Unsupported, match=r"python:3\.11-slim") as caught:
        read_image(image)
    assert image in caught.value.message
    assert caught.value.path == "image"
