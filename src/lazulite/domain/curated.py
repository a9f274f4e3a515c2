"""The curated environments of the `azureml` registry that run here: names and versions only.

What is installed for each lies in `environments/locks/`.
"""

from __future__ import annotations

from dataclasses import dataclass

from lazulite.domain.errors import NotFound, Unsupported

REGISTRY = "azureml"
_PREFIX = "azureml-"  # the older spelling, AzureML-sklearn-1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Curated:
    """One curated environment."""

    name: str
    version: str  # of Lazulite's lock; Microsoft's own versions name container images
    python: str  # major.minor
    description: str


_TABLE = {
    curated.name: curated
    for curated in (
        Curated(
            name="sklearn-1.5",
            version="1",
            python="3.11",
            description="scikit-learn 1.5, pandas 1.5, NumPy 1, SciPy, Matplotlib, MLflow",
        ),
        Curated(
            name="lightgbm-3.3",
            version="1",
            python="3.11",
            description="LightGBM 3.3, Dask, scikit-learn 1.5, pandas 1.5, NumPy 1, MLflow",
        ),
    )
}


def known() -> list[Curated]:
    """Every curated environment that runs here, by name."""
    return [_TABLE[name] for name in sorted(_TABLE)]


def find(name: str, *, version: str | None = None, label: str | None = None) -> Curated:
    """Look a curated environment up; `AzureML-sklearn-1.5` is `sklearn-1.5`, whatever the case.

    Args:
        name: the name in the registry.
        version: the version asked for; None = any.
        label: the label asked for; only `latest` exists.

    Raises:
        Unsupported: the name is not one of those that run here.
        NotFound: the environment runs here, but not in that version or under that label.
    """
    curated = _TABLE.get(name.lower().removeprefix(_PREFIX))
    if curated is None:
        names = ", ".join(sorted(_TABLE))
        raise Unsupported(
            f"curated environment {name[:100]!r} is not one that Lazulite runs ({names}): "
            "name one of these, or give image and conda_file",
            path="environment",
        )
    asked = version if version is not None else label
    if asked not in (None, "latest", curated.version):
        raise NotFound(
            f"curated environment {curated.name} has no {'version' if version else 'label'} "
            f"{asked!r} here: use azureml://registries/azureml/environments/{curated.name}"
            "/labels/latest",
            path="environment",
        )
    return curated
